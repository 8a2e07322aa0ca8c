//! The recorder of drift over time, as the settings ask for it.

use sdd_serving::causes::chain_of;
use sdd_serving::recording::{Recorder, RecordingError, RecordingOptions};
use thiserror::Error;

use crate::settings::DriftSettings;
use crate::webhook;

/// Why drift over time cannot be watched.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum MonitorError {
    /// The file, or the database; or the threads.
    #[error(
        "drift over time cannot be watched; --monitor names another file or database, `--monitor none` goes without"
    )]
    Recording(#[from] RecordingError),
    /// The settings, or the reference's calibration.
    #[error("drift over time cannot be watched with these settings")]
    Settings(#[source] sdd_monitor::Error),
}

/// Opens the memory that the settings name and starts the threads; `None` where they name none.
pub fn start(settings: &DriftSettings) -> Result<Option<Recorder>, MonitorError> {
    settings.tests().check().map_err(MonitorError::Settings)?;
    let Some(place) = settings.place().map_err(RecordingError::from)? else {
        if settings.monitor.is_none() {
            tracing::warn!("no folder is known for the drift monitor's file: see --monitor");
        }
        return Ok(None);
    };
    let notifier = settings
        .drift_webhook
        .clone()
        .map(|url| webhook::notifier(url, settings.drift_webhook_cooldown));
    let options = RecordingOptions {
        location: place.location,
        keep: settings.keep,
        keep_pairs: settings.keep_pairs,
        notifier,
    };
    match Recorder::start(options) {
        Ok(recorder) => Ok(Some(recorder)),
        Err(RecordingError::Memory(error))
            if !place.named && matches!(error, sdd_monitor::Error::File { .. }) =>
        {
            tracing::warn!("drift over time is not watched: {}; see --monitor", chain_of(&error));
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

//! A pair of model and reference that is watched, and its answers as observations.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use sdd_drift::Reference;
use sdd_monitor::{
    Baseline, Monitor, MonitorReport, MonitorSettings, MonitorState, Observation, PairId,
};

use crate::engine::{Answer, ServedModel};

/// A pair of model and reference that is watched.
#[derive(Debug)]
pub struct WatchedPair {
    /// Which.
    pub id: PairId,
    /// What is tested.
    pub monitor: Monitor,
    /// What images are compared with.
    pub reference: Arc<Reference>,
    /// When the reference was written: RFC 3339, UTC.
    pub reference_created_at: String,
}

impl WatchedPair {
    /// Of a model file's SHA-256 and its reference.
    ///
    /// # Errors
    /// As [`Monitor::new`].
    pub fn new(
        model_sha256: &str,
        reference: &Arc<Reference>,
        settings: MonitorSettings,
    ) -> sdd_monitor::Result<Self> {
        Ok(Self {
            id: PairId::of(model_sha256, reference),
            monitor: Monitor::new(settings, reference.calibration().map(Baseline::of))?,
            reference: Arc::clone(reference),
            reference_created_at: reference.store().manifest().created_at.clone(),
        })
    }

    /// What can be said of a state, by the settings in force.
    ///
    /// # Errors
    /// As [`Monitor::report`].
    pub fn report(&self, state: &MonitorState) -> sdd_monitor::Result<MonitorReport> {
        self.monitor.in_force(state)?.report(state)
    }
}

/// An answer as the monitor sees it; `None` without a reference.
#[must_use]
pub fn observation(answer: &Answer, request_id: &str, served: &ServedModel) -> Option<Observation> {
    let drift = answer.drift.as_ref()?;
    let class = served.class_of(answer);
    Some(Observation {
        time_ms: now_ms(),
        request_id: request_id.to_owned(),
        image_sha256: answer.image.as_ref().map(|image| image.sha256.clone()),
        ..Observation::new(class, answer.prediction.confidence, drift)
    })
}

/// Milliseconds since 1970.
/// The time: milliseconds since 1970 (UTC).
#[must_use]
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

//! Drift over time: every prediction goes into the monitor's file, and the file says whether there is drift.
//!
//! Writing happens on a thread of its own behind a bounded queue; what waits is written in one transaction. An
//! answer waits until its images are written, so that what was answered is known whatever happens to the process
//! next, but never long: a disk that is slow, full or locked costs no request more than
//! [`MOST_WAIT`], and while nothing can be written not even that.

mod pair;
mod status;
mod webhook;
mod writer;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};
use sdd_drift::monitor::{
    MonitorReport, MonitorStore, Observation, Page, SqliteMonitorStore, StoredObservation, Stretch,
};
use sdd_drift::report::{Report, Subject};
use thiserror::Error;
use tokio::sync::oneshot;

pub use pair::{WatchedPair, observation};
pub use status::{Current, Recording};

use self::status::Shared;
use self::webhook::Webhook;
use self::writer::{Control, Entry, Writer};
use crate::settings::DriftSettings;

/// Time that an answer waits for its images to be written.
pub const MOST_WAIT: Duration = Duration::from_millis(50);

/// Requests whose images may wait to be written: some minutes of a busy server's.
const QUEUED_REQUESTS: usize = 8192;

/// Images that a history goes back at most: some tenths of a second to read.
const MOST_HISTORY: usize = 100_000;

/// Why there can be no monitor.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum MonitorError {
    /// The file.
    #[error(
        "drift over time cannot be watched; --monitor names another file, `--monitor none` goes without"
    )]
    File(#[source] sdd_drift::Error),
    /// The settings, or the reference's calibration.
    #[error("drift over time cannot be watched with these settings")]
    Settings(#[source] sdd_drift::Error),
    /// The thread.
    #[error("cannot start a thread for the monitor")]
    Thread(#[source] std::io::Error),
}

/// Where predictions are handed in to be remembered, and what they say is asked for.
pub struct DriftMonitor {
    path: PathBuf,
    keep: u64,
    queue: Sender<Entry>,
    control: Sender<Control>,
    shared: Arc<Shared>,
    /// Opened when somebody asks.
    reader: Mutex<Option<SqliteMonitorStore>>,
    /// Closed when the thread has ended.
    ended: Receiver<()>,
}

/// What can be said of a pair's images.
#[derive(Debug)]
pub struct Drift {
    /// Verdict and numbers.
    pub report: MonitorReport,
    /// The strangest of the last images, strangest first.
    pub strangest: Vec<StoredObservation>,
}

impl DriftMonitor {
    /// Opens the file that the settings name and starts the thread; `None` where they name none.
    ///
    /// # Errors
    /// [`MonitorError`]: what was named cannot be used, or what is there is not to be written to.
    pub fn start(settings: &DriftSettings) -> Result<Option<Self>, MonitorError> {
        settings.tests().check().map_err(MonitorError::Settings)?;
        let Some(file) = settings.file() else {
            if settings.monitor.is_none() {
                tracing::warn!("no folder is known for the drift monitor's file: see --monitor");
            }
            return Ok(None);
        };
        let shared = Arc::new(Shared::default());
        let store = match SqliteMonitorStore::open(&file.path, settings.keep) {
            Ok(store) => Some(store),
            Err(error) if matches!(error, sdd_drift::Error::MonitorBusy { .. }) => {
                shared.turn_off(&error);
                None
            }
            Err(error) if !file.named && matches!(error, sdd_drift::Error::MonitorFile { .. }) => {
                tracing::warn!(
                    "drift over time is not watched: {}; see --monitor",
                    crate::error::chain_of(&error)
                );
                return Ok(None);
            }
            Err(error) => return Err(MonitorError::File(error)),
        };
        tracing::info!("drift over time is watched in {}", file.path.display());
        let (queue, entries) = bounded(QUEUED_REQUESTS);
        let (control, controls) = bounded(16);
        let (ending, ended) = bounded(0);
        let webhook = settings
            .drift_webhook
            .as_ref()
            .map(|url| Webhook::start(url, settings.drift_webhook_cooldown, Arc::clone(&shared)));
        let webhook = webhook.transpose().map_err(MonitorError::Thread)?;
        let writer =
            Writer::new(file.path.clone(), settings.keep, store, Arc::clone(&shared), webhook);
        let run = move || {
            writer.run(&entries, &controls);
            drop(ending);
        };
        let thread = std::thread::Builder::new().name("monitor".into()).spawn(run);
        thread.map_err(MonitorError::Thread)?;
        Ok(Some(Self {
            path: file.path,
            keep: settings.keep,
            queue,
            control,
            shared,
            reader: Mutex::new(None),
            ended,
        }))
    }

    /// From now on this pair answers.
    pub fn serve(&self, pair: &Arc<WatchedPair>) {
        self.shared.serve(pair);
        // Its state comes from the file; where the queue is full, with the next image.
        drop(self.control.try_send(Control::Look));
    }

    /// Hands in the predictions of one request, and waits until they are written, for [`MOST_WAIT`] at most.
    pub async fn record(&self, pair: &Arc<WatchedPair>, observations: Vec<Observation>) {
        let images = observations.len();
        if images == 0 {
            return;
        }
        let (written, is_written) = oneshot::channel();
        let entry = Entry { pair: Arc::clone(pair), observations, written };
        if self.queue.try_send(entry).is_err() {
            self.shared.count_unrecorded(images);
            return;
        }
        if self.shared.recording().available
            && tokio::time::timeout(MOST_WAIT, is_written).await.is_err()
        {
            self.shared.count_late(images);
        }
    }

    /// What the file says of a pair. Blocks.
    ///
    /// # Errors
    /// What the file reports.
    pub fn drift(&self, pair: &WatchedPair) -> sdd_drift::Result<Drift> {
        self.read(|store| {
            let state = store.state(&pair.id, &pair.monitor)?;
            let report = pair.monitor.report(&state)?;
            let strangest = store.by_sequence(&pair.id, &state.strangest())?;
            Ok(Drift { report, strangest })
        })
    }

    /// Observations of a pair, latest first. Blocks.
    ///
    /// # Errors
    /// What the file reports.
    pub fn observations(
        &self,
        pair: &WatchedPair,
        page: Page,
    ) -> sdd_drift::Result<Vec<StoredObservation>> {
        self.read(|store| store.observations(&pair.id, page))
    }

    /// How the epoch of a pair went, in so many stretches at most; and its number. Blocks.
    ///
    /// # Errors
    /// What the file reports.
    pub fn history(
        &self,
        pair: &WatchedPair,
        most: usize,
    ) -> sdd_drift::Result<(u64, Vec<Stretch>)> {
        self.read(|store| {
            let epoch = store.state(&pair.id, &pair.monitor)?.epoch();
            let images = store.series(&pair.id, epoch, MOST_HISTORY)?;
            Ok((epoch, Stretch::divide(&images, most)?))
        })
    }

    /// The report of a pair, for people. Blocks.
    ///
    /// # Errors
    /// What the file reports.
    pub fn report(&self, pair: &WatchedPair) -> sdd_drift::Result<Report> {
        let WatchedPair { reference, id, monitor, .. } = pair;
        let subject = Subject { reference, pair: id, monitor };
        self.read(|store| Report::gather(store, subject, pair::now_ms()))
    }

    /// Begins an epoch of a pair. Blocks.
    ///
    /// # Errors
    /// What the file reports.
    pub fn reset(&self, pair: &WatchedPair) -> sdd_drift::Result<MonitorReport> {
        let now_ms = pair::now_ms();
        let report = self.read(|store| {
            let state = store.reset(&pair.id, &pair.monitor, now_ms)?;
            pair.monitor.report(&state)
        })?;
        drop(self.control.try_send(Control::Look));
        Ok(report)
    }

    fn read<T>(
        &self,
        action: impl FnOnce(&mut SqliteMonitorStore) -> sdd_drift::Result<T>,
    ) -> sdd_drift::Result<T> {
        // A panic in here leaves a connection that is whole or gone.
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        let mut store = match reader.take() {
            Some(store) => store,
            None => SqliteMonitorStore::open(&self.path, self.keep)?,
        };
        let answer = action(&mut store)?;
        *reader = Some(store);
        Ok(answer)
    }

    /// Whether predictions are written.
    #[must_use]
    pub fn recording(&self) -> Recording {
        self.shared.recording()
    }

    /// The state of the pair that answers, as it was last written here or read.
    #[must_use]
    pub fn current(&self) -> Option<Arc<Current>> {
        self.shared.current()
    }

    /// Returns when what was handed in has been written, or at `deadline`. Nothing is written from then on.
    pub async fn finish(&self, deadline: Instant) {
        let mut told = false;
        loop {
            told =
                told || !self.control.try_send(Control::Stop).is_err_and(|error| error.is_full());
            if told && self.ended.try_recv().is_err_and(|error| error.is_disconnected()) {
                return;
            }
            if Instant::now() >= deadline {
                tracing::warn!(
                    "{} requests' images could not be recorded in time",
                    self.queue.len()
                );
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

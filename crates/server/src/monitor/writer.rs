//! The thread that writes.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, never, select_biased};
use sdd_drift::monitor::{MonitorState, MonitorStore, Observation, SqliteMonitorStore};
use tokio::sync::oneshot;

use super::pair::WatchedPair;
use super::status::Shared;
use super::webhook::Webhook;

/// How often writing is tried again where it has failed.
const RETRY: Duration = Duration::from_secs(2);

/// Requests that are written in one transaction at most.
const BATCH: usize = 256;

/// The predictions of one request.
pub(super) struct Entry {
    pub pair: Arc<WatchedPair>,
    pub observations: Vec<Observation>,
    /// Told when they are written.
    pub written: oneshot::Sender<()>,
}

/// What the thread is told beside.
pub(super) enum Control {
    /// To read the state of the pair that answers.
    Look,
    /// To end when what was handed in is written.
    Stop,
}

pub(super) struct Writer {
    path: PathBuf,
    keep: u64,
    store: Option<SqliteMonitorStore>,
    shared: Arc<Shared>,
    /// Taken from the queue and not written yet, in their order.
    pending: Vec<Entry>,
    /// While nothing can be written.
    retry_at: Option<Instant>,
    webhook: Option<Webhook>,
}

impl Writer {
    pub fn new(
        path: PathBuf,
        keep: u64,
        store: Option<SqliteMonitorStore>,
        shared: Arc<Shared>,
        webhook: Option<Webhook>,
    ) -> Self {
        let retry_at = store.is_none().then(|| Instant::now() + RETRY);
        Self { path, keep, store, shared, pending: Vec::new(), retry_at, webhook }
    }

    /// Writes until told to stop, or until nobody can tell any more.
    pub fn run(mut self, queue: &Receiver<Entry>, control: &Receiver<Control>) {
        let closed = never();
        loop {
            // While nothing can be written, what comes waits in the queue, which is bounded.
            let entries = if self.retry_at.is_some() { &closed } else { queue };
            let wait = self
                .retry_at
                .map_or(Duration::from_hours(1), |at| at.saturating_duration_since(Instant::now()));
            select_biased! {
                recv(control) -> message => match message {
                    Ok(Control::Look) => self.look(),
                    Ok(Control::Stop) | Err(_) => break,
                },
                recv(entries) -> entry => match entry {
                    Ok(entry) => {
                        self.pending.push(entry);
                        self.pending.extend(queue.try_iter().take(BATCH - 1));
                        self.write();
                    }
                    Err(_) => break,
                },
                default(wait) => if self.retry_at.is_some() {
                    self.retry_at = None;
                    self.write();
                },
            }
        }
        self.pending.extend(queue.try_iter());
        self.write();
        for entry in &self.pending {
            self.shared.count_unrecorded(entry.observations.len());
        }
    }

    fn look(&mut self) {
        let (Some(pair), Some(store)) = (self.shared.serving(), &mut self.store) else { return };
        match store.state(&pair.id, &pair.monitor) {
            Ok(state) => self.note(&pair, state),
            Err(error) => self.fail(&error),
        }
    }

    fn note(&self, pair: &Arc<WatchedPair>, state: MonitorState) {
        self.shared.note(pair, state);
        if let Some(webhook) = &self.webhook {
            webhook.poke();
        }
    }

    /// Writes what is pending, a transaction a pair.
    fn write(&mut self) {
        loop {
            if self.store.is_none() {
                match SqliteMonitorStore::open(&self.path, self.keep) {
                    Ok(store) => {
                        self.store = Some(store);
                        self.look();
                    }
                    Err(error) => return self.fail(&error),
                }
            }
            let Some(store) = &mut self.store else { return };
            let Some(first) = self.pending.first() else {
                // Even where there was nothing to write, the file is there to be written to.
                self.shared.turn_on();
                return;
            };
            let pair = Arc::clone(&first.pair);
            let count = self.pending.iter().take_while(|entry| entry.pair.id == pair.id).count();
            let batch: Vec<Observation> = self.pending[..count]
                .iter()
                .flat_map(|entry| entry.observations.iter().cloned())
                .collect();
            match store.apply(&pair.id, &pair.monitor, &batch) {
                Ok(state) => self.note(&pair, state),
                Err(error) => return self.fail(&error),
            }
            for entry in self.pending.drain(..count) {
                // Whoever does not wait any more was answered before.
                let _ = entry.written.send(());
            }
        }
    }

    fn fail(&mut self, error: &sdd_drift::Error) {
        self.shared.turn_off(error);
        self.retry_at = Some(Instant::now() + RETRY);
        // What is locked or full is open all the same; of anything else the file is looked at anew.
        if !matches!(error, sdd_drift::Error::MonitorBusy { .. }) {
            self.store = None;
        }
    }
}

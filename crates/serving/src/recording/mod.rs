//! Answers as the monitor's memory has them, a file or a database: each is written into it, and it is asked whether
//! there is drift over time.
//!
//! Writing happens on a thread of its own behind a bounded queue; what waits is written in one transaction. An
//! answer waits until its images are written, so that what was answered is known whatever happens to the process
//! next, but never long: a memory that is slow, full, locked or gone costs no request more than
//! 50 ms, and while nothing can be written not even that. Reading has threads of its own, too, behind a queue
//! that is full soon.

mod memory;
mod notifier;
mod observation;
mod options;
mod reader;
mod status;
mod writer;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, bounded, unbounded};
use sdd_monitor::{
    Location, MonitorReport, MonitorStore, Observation, Page, Recorded, StoredObservation, Stretch,
};
use thiserror::Error;
use tokio::sync::oneshot;

pub use notifier::{Notifier, Tell, VerdictChange};
pub use observation::{now_ms, observation};
pub use options::RecordingOptions;
pub use reader::Unread;
pub use status::{Current, RecordingStatus};

use self::memory::{Memory, Rest, is_of_store, is_passing, open_first, opener};
use self::notifier::Teller;
use self::reader::Reader;
use self::status::{Shared, Unrecorded};
use self::writer::{Control, Entry, RecordingWriter};
use crate::allowance::Allowance;
use crate::causes::chain_of;
use crate::watched::WatchedPair;
use crate::worker::Worker;

/// Time that an answer waits for its images to be written.
const MOST_WAIT: Duration = Duration::from_millis(50);

/// Images that may wait to be written: some minutes of a busy server's, about 10 MB.
const QUEUED_IMAGES: usize = 16_384;

/// Why nothing can be recorded.
#[derive(Debug, Error)]
pub enum RecordingError {
    /// The file, or the database.
    #[error(transparent)]
    Memory(#[from] sdd_monitor::Error),
    /// A thread.
    #[error("cannot start a thread that records drift over time")]
    Thread(#[source] std::io::Error),
}

/// Where predictions are handed in to be remembered, and what they say is asked for.
pub struct Recorder {
    queue: Sender<Entry>,
    room: Allowance,
    control: Sender<Control>,
    shared: Arc<Shared>,
    reader: Reader,
    worker: Worker,
}

/// What can be said of a pair's images.
#[derive(Debug)]
pub struct Overview {
    /// Verdict and numbers.
    pub report: MonitorReport,
    /// The strangest of the last images, strangest first.
    pub strangest: Vec<StoredObservation>,
}

impl Recorder {
    /// Opens the memory and starts the threads. A memory that is busy or away for now is tried again.
    ///
    /// # Errors
    /// [`RecordingError`]: it cannot be used, or what is there is not to be written to.
    pub fn start(options: RecordingOptions) -> Result<Self, RecordingError> {
        let RecordingOptions { location, keep, keep_pairs, notifier } = options;
        let shared = Arc::new(Shared::default());
        let store = open(&location, keep, &shared)?;
        tracing::info!("drift over time is watched in {location}");
        let reader = Reader::start(&location, keep).map_err(RecordingError::Thread)?;
        let name = uuid::Uuid::new_v4().to_string();
        let teller = notifier.map(|notifier| {
            let memory = Memory::new(opener(&location, keep), Rest::default());
            Teller::start(notifier, &name, Arc::clone(&shared), memory)
        });
        let teller = teller.transpose().map_err(RecordingError::Thread)?;
        let opener = opener(&location, keep);
        let writer =
            RecordingWriter::new(opener, store, name, Arc::clone(&shared), teller, keep_pairs);
        Self::with(writer, shared, reader).map_err(RecordingError::Thread)
    }

    /// Starts the thread that writes.
    fn with(writer: RecordingWriter, shared: Arc<Shared>, reader: Reader) -> std::io::Result<Self> {
        // Its room is counted in images.
        let (queue, entries) = unbounded();
        let (control, controls) = bounded(16);
        let worker = Worker::start("monitor", move || writer.run(&entries, &controls))?;
        Ok(Self { queue, room: Allowance::new(QUEUED_IMAGES), control, shared, reader, worker })
    }

    /// From now on this pair answers, and its settings are what is tested.
    pub fn serve(&self, pair: &Arc<WatchedPair>) {
        self.shared.serve(pair);
        // The thread looks for it in any case; where the queue is full, with the next image.
        drop(self.control.try_send(Control::Look));
    }

    /// Hands in the predictions of one request, and waits until they are written, for a bounded time at most.
    pub async fn record(&self, pair: &Arc<WatchedPair>, observations: Vec<Observation>) {
        let images = observations.len();
        if images == 0 {
            return;
        }
        let Some(room) = self.room.take_or_all(images) else {
            self.shared.count_unrecorded(images, &Unrecorded::NoRoom);
            return;
        };
        let (written, is_written) = oneshot::channel();
        let entry = Entry { pair: Arc::clone(pair), observations, written, _room: room };
        if self.queue.send(entry).is_err() {
            self.shared.turn_off("the thread that writes has ended".into());
            self.shared.count_unrecorded(images, &Unrecorded::Stopped);
            return;
        }
        if self.shared.recording().available
            && tokio::time::timeout(MOST_WAIT, is_written).await.is_err()
        {
            self.shared.count_late(images);
        }
    }

    /// What the memory says of a pair.
    ///
    /// # Errors
    /// [`Unread`].
    pub async fn drift(&self, pair: &Arc<WatchedPair>) -> Result<Overview, Unread> {
        self.ask(pair, |store, pair| {
            let state = store.state(&pair.id, &pair.monitor)?;
            let report = pair.report(&state)?;
            let strangest = store.by_sequence(&pair.id, &state.strangest())?;
            Ok(Overview { report, strangest })
        })
        .await
    }

    /// Observations of a pair, latest first.
    ///
    /// # Errors
    /// [`Unread`].
    pub async fn observations(
        &self,
        pair: &Arc<WatchedPair>,
        page: Page,
    ) -> Result<Vec<StoredObservation>, Unread> {
        self.ask(pair, move |store, pair| store.observations(&pair.id, page)).await
    }

    /// How the epoch of a pair went, in so many stretches at most; and its number.
    ///
    /// # Errors
    /// [`Unread`].
    pub async fn history(
        &self,
        pair: &Arc<WatchedPair>,
        most: usize,
    ) -> Result<(u64, Vec<Stretch>), Unread> {
        self.ask(pair, move |store, pair| {
            let state = store.state(&pair.id, &pair.monitor)?;
            let images = store.series(&pair.id, state.began_after(), Stretch::MOST_IMAGES)?;
            Ok((state.epoch(), Stretch::divide(&images, most)?))
        })
        .await
    }

    /// All that is remembered of a pair, for a report.
    ///
    /// # Errors
    /// [`Unread`].
    pub async fn recorded(&self, pair: &Arc<WatchedPair>) -> Result<Recorded, Unread> {
        self.ask(pair, |store, pair| Recorded::read(store, &pair.id, &pair.monitor)).await
    }

    /// Begins an epoch of a pair.
    ///
    /// # Errors
    /// [`Unread`].
    pub async fn reset(&self, pair: &Arc<WatchedPair>) -> Result<MonitorReport, Unread> {
        let now_ms = observation::now_ms();
        let reset = self.ask(pair, move |store, pair| {
            let state = store.reset(&pair.id, &pair.monitor, now_ms)?;
            pair.report(&state)
        });
        let report = reset.await?;
        drop(self.control.try_send(Control::Look));
        Ok(report)
    }

    async fn ask<T: Send + 'static>(
        &self,
        pair: &Arc<WatchedPair>,
        action: impl Fn(&mut dyn MonitorStore, &WatchedPair) -> sdd_monitor::Result<T> + Send + 'static,
    ) -> Result<T, Unread> {
        let (pair, control) = (Arc::clone(pair), self.control.clone());
        let ask = move |store: &mut dyn MonitorStore| {
            let answer = action(store, &pair);
            if matches!(answer, Err(sdd_monitor::Error::FileGone { .. })) {
                // Whoever writes finds out now, and not with the next image.
                drop(control.try_send(Control::Look));
            }
            answer
        };
        let answer = self.reader.ask(ask).await;
        if let Err(Unread::Memory(error)) = &answer
            && is_of_store(error)
            && !is_passing(error)
        {
            // Whoever writes may not have seen it yet: it still holds much of what it has read before.
            drop(self.control.try_send(Control::LookAnew));
        }
        answer
    }

    /// Whether predictions are written.
    pub fn recording(&self) -> RecordingStatus {
        self.shared.recording()
    }

    /// The state of the pair that answers, as it was last written here or read.
    pub fn current(&self) -> Option<Arc<Current>> {
        self.shared.current()
    }

    /// Returns when what was handed in has been written, or at `deadline`. Nothing is written from then on.
    pub async fn finish(&self, deadline: Instant) {
        let tell = || !self.control.try_send(Control::Stop).is_err_and(|error| error.is_full());
        if !self.worker.finish(tell, deadline).await {
            tracing::warn!("{} images could not be recorded in time", self.room.used());
        }
    }
}

/// Opens a memory for the first time; `None` where that is to be tried again.
fn open(
    location: &Location,
    keep: u64,
    shared: &Shared,
) -> Result<Option<Box<dyn MonitorStore>>, RecordingError> {
    match open_first(location, keep).map_err(RecordingError::Thread)? {
        Ok(store) => Ok(Some(store)),
        Err(error) if is_passing(&error) => {
            shared.turn_off(chain_of(&error));
            Ok(None)
        }
        Err(error) => Err(RecordingError::Memory(error)),
    }
}

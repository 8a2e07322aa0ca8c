//! The thread that writes observations into the monitor's memory.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, never, select_biased};
use sdd_monitor::Error;
use sdd_monitor::{Delivery, MonitorState, MonitorStore, Observation};
use tokio::sync::oneshot;

use crate::allowance::Reservation;
use crate::causes::chain_of;
use crate::recording::memory::{Opener, is_of_store, is_passing};
use crate::recording::notifier::Teller;
use crate::recording::observation::now_ms;
use crate::recording::status::{Shared, Unrecorded};
use crate::watched::WatchedPair;

/// How often writing is tried again where it has failed.
const RETRY: Duration = Duration::from_secs(2);

/// Time after which another file is opened where the one in use has gone.
const REOPEN: Duration = Duration::from_millis(20);

/// How often the state is read while no image comes: others may share it, and the memory may have gone.
const IDLE: Duration = Duration::from_secs(10);

/// How often what nobody needs any more is looked for.
const TIDY: Duration = Duration::from_hours(1);

/// What pairs are kept for is counted in.
const DAY: Duration = Duration::from_hours(24);

/// Requests, and images, that are written in one transaction at most: others wait for it.
const BATCH_REQUESTS: usize = 256;
const BATCH_IMAGES: usize = 1024;

/// The predictions of one request.
pub(crate) struct Entry {
    pub pair: Arc<WatchedPair>,
    pub observations: Vec<Observation>,
    /// Told when they are written.
    pub written: oneshot::Sender<()>,
    pub _room: Reservation,
}

/// What the thread is told beside.
pub(crate) enum Control {
    /// To read the state of the pair that answers.
    Look,
    /// The same from a store that is opened anew: another one has found it damaged.
    LookAnew,
    /// To end when what was handed in is written.
    Stop,
}

/// A batch that was handed to the store, until it is known to be written: it is handed in again as it is.
struct Attempt {
    pair: Arc<WatchedPair>,
    number: u64,
    entries: Vec<Entry>,
    observations: Vec<Observation>,
}

pub(crate) struct RecordingWriter {
    open: Opener,
    store: Option<Box<dyn MonitorStore>>,
    /// No other process's.
    name: String,
    batches: u64,
    shared: Arc<Shared>,
    /// Taken from the queue and not handed to the store yet, in their order.
    pending: Vec<Entry>,
    attempt: Option<Attempt>,
    /// While nothing can be written.
    retry_at: Option<Instant>,
    teller: Option<Teller>,
    keep_days: u64,
    tidy_at: Instant,
}

impl RecordingWriter {
    pub fn new(
        open: Opener,
        store: Option<Box<dyn MonitorStore>>,
        name: String,
        shared: Arc<Shared>,
        teller: Option<Teller>,
        keep_pairs: Duration,
    ) -> Self {
        let retry_at = store.is_none().then(|| Instant::now() + RETRY);
        Self {
            open,
            store,
            name,
            batches: 0,
            shared,
            pending: Vec::new(),
            attempt: None,
            retry_at,
            teller,
            keep_days: keep_pairs.as_secs().div_ceil(DAY.as_secs()),
            tidy_at: Instant::now(),
        }
    }

    /// Writes until told to stop, or until nobody can tell any more. A panic, which would be a fault of ours, is told
    /// of and survived.
    pub fn run(mut self, queue: &Receiver<Entry>, control: &Receiver<Control>) {
        while self.safely(|writer| writer.step(queue, control)).unwrap_or(true) {}
        self.pending.extend(queue.try_iter());
        self.safely(Self::write);
        self.safely(|writer| writer.store.iter_mut().for_each(|store| store.finish()));
        let attempted = self.attempt.iter().flat_map(|attempt| &attempt.entries);
        let left = attempted.chain(&self.pending).map(|entry| entry.observations.len()).sum();
        self.shared.count_unrecorded(left, &Unrecorded::Stopped);
    }

    fn safely<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> Option<T> {
        // What was handed to the store stays an attempt until it is known to be written.
        let done = catch_unwind(AssertUnwindSafe(|| work(self)));
        if done.is_err() {
            self.store = None;
            self.retry_at = Some(Instant::now() + RETRY);
            self.shared
                .turn_off("the thread that writes has failed, which is a fault of ours".into());
        }
        done.ok()
    }

    /// False when it is to end.
    fn step(&mut self, queue: &Receiver<Entry>, control: &Receiver<Control>) -> bool {
        // While nothing can be written, what comes waits in the queue, which is bounded.
        let closed = never();
        let entries = if self.retry_at.is_some() { &closed } else { queue };
        let wait = self.retry_at.map_or(IDLE, |at| at.saturating_duration_since(Instant::now()));
        select_biased! {
            recv(control) -> message => match message {
                // While nothing can be written, the state is read soon enough; and a store that only seemed busy is
                // opened anew then.
                Ok(Control::Look) if self.retry_at.is_some() => {}
                Ok(Control::LookAnew) if self.retry_at.is_some() => self.store = None,
                Ok(Control::Look) => self.look(),
                Ok(Control::LookAnew) => {
                    self.store = None;
                    self.look();
                }
                Ok(Control::Stop) | Err(_) => return false,
            },
            recv(entries) -> entry => match entry {
                Ok(entry) => {
                    self.pending.push(entry);
                    self.take(queue);
                    self.write();
                }
                Err(_) => return false,
            },
            default(wait) => {
                self.retry_at = None;
                self.take(queue);
                if self.pending.is_empty() && self.attempt.is_none() {
                    self.look();
                } else {
                    self.write();
                }
            }
        }
        if self.retry_at.is_none() && Instant::now() >= self.tidy_at {
            self.tidy();
        }
        true
    }

    fn take(&mut self, queue: &Receiver<Entry>) {
        self.pending.extend(queue.try_iter().take(BATCH_REQUESTS - 1));
    }

    /// Opens the store where it is not, and declares the pair that is served, where that is a new one.
    fn prepare(&mut self) -> Result<(), Error> {
        if self.store.is_none() {
            self.store = Some((self.open)()?);
        }
        if let (Some(pair), Some(store)) = (self.shared.take_undeclared(), &mut self.store) {
            match store.declare(&pair.id, &pair.monitor, now_ms()) {
                Ok(state) => self.note(&pair, state),
                Err(error) => {
                    self.shared.declare_again();
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    fn look(&mut self) {
        match self.prepare().and_then(|()| self.read()) {
            Ok(()) => self.shared.turn_on(),
            Err(error) => self.fail(&error),
        }
    }

    /// Reads the state of the pair that answers.
    fn read(&mut self) -> Result<(), Error> {
        if let (Some(pair), Some(store)) = (self.shared.serving(), &mut self.store) {
            let state = store.state(&pair.id, &pair.monitor)?;
            self.note(&pair, state);
        }
        Ok(())
    }

    fn note(&self, pair: &Arc<WatchedPair>, state: MonitorState) {
        self.shared.note(pair, state);
        if let Some(teller) = &self.teller {
            teller.poke();
        }
    }

    /// Writes what is pending, a transaction a batch.
    fn write(&mut self) {
        // Of the pair that is served and whose state cannot be read: until somebody resets it.
        let mut held = Vec::new();
        let mut trouble = match self.prepare() {
            Ok(()) => None,
            Err(error) if is_of_store(&error) => return self.fail(&error),
            Err(error) => Some(error),
        };
        while let Some(attempt) = self.attempt.take().or_else(|| self.next_attempt()) {
            let attempt = self.attempt.insert(attempt);
            let Some(store) = &mut self.store else { break };
            let delivery = Some(Delivery { writer: &self.name, number: attempt.number });
            let pair = Arc::clone(&attempt.pair);
            let done = store.deliver(&pair.id, &pair.monitor, delivery, &attempt.observations);
            if let Err(error) = &done
                && is_of_store(error)
            {
                self.pending.splice(..0, held);
                return self.fail(error);
            }
            let entries = self.attempt.take().map_or_else(Vec::new, |attempt| attempt.entries);
            match done {
                Ok(state) => {
                    self.note(&pair, state);
                    for entry in entries {
                        // Whoever does not wait any more was answered before.
                        let _ = entry.written.send(());
                    }
                }
                Err(error) if self.shared.serving().is_some_and(|now| now.id == pair.id) => {
                    held.extend(entries);
                    trouble = Some(error);
                }
                // Nobody will reset it.
                Err(error) => {
                    let images = entries.iter().map(|entry| entry.observations.len()).sum();
                    self.shared.count_unrecorded(images, &Unrecorded::Unreadable(error));
                }
            }
        }
        self.pending.splice(..0, held);
        match trouble {
            // Even where there was nothing to write, the memory is there to be written to.
            None => self.shared.turn_on(),
            Some(error) => self.fail(&error),
        }
    }

    /// The next batch: of one pair, and not large.
    fn next_attempt(&mut self) -> Option<Attempt> {
        let pair = Arc::clone(&self.pending.first()?.pair);
        let mut images = 0;
        let fits = |entry: &&Entry| {
            let is_first = images == 0;
            images += entry.observations.len();
            entry.pair.id == pair.id && (is_first || images <= BATCH_IMAGES)
        };
        let count = self.pending.iter().take(BATCH_REQUESTS).take_while(fits).count();
        let entries: Vec<Entry> = self.pending.drain(..count).collect();
        let observations =
            entries.iter().flat_map(|entry| entry.observations.iter().cloned()).collect();
        self.batches += 1;
        Some(Attempt { pair, number: self.batches, entries, observations })
    }

    fn tidy(&mut self) {
        self.tidy_at = Instant::now() + TIDY;
        let (Some(pair), Some(store)) = (self.shared.serving(), &mut self.store) else { return };
        match store.tidy(&pair.id, now_ms(), self.keep_days) {
            Ok(tidied) => {
                if let Some(removed) = tidied.removed {
                    tracing::info!(
                        "the drift monitor has forgotten {removed}: on {} days of use it was not served",
                        self.keep_days
                    );
                }
                if tidied.more {
                    // What waits is written in between.
                    self.tidy_at = Instant::now();
                }
            }
            Err(error) => self.fail(&error),
        }
    }

    fn fail(&mut self, error: &Error) {
        self.shared.turn_off(chain_of(error));
        let mut wait = RETRY;
        if matches!(error, Error::FileGone { .. }) {
            // What is there now may be used at once, and has not been told what is served.
            wait = REOPEN;
            self.shared.declare_again();
        }
        self.retry_at = Some(Instant::now() + wait);
        // What is locked, full or away for now mends itself; of anything else the store is opened anew.
        if is_of_store(error) && !is_passing(error) {
            self.store = None;
        }
    }
}

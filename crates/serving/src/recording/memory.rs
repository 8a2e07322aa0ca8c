//! The monitor's memory, as it is opened by whoever needs it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use sdd_monitor::Error;
use sdd_monitor::{Location, MonitorStore};

/// Time in which a memory that could not be used is not tried again for those who ask: each would wait for it in turn.
const REST: Duration = Duration::from_secs(1);

/// Opens a store, one after the other.
pub(crate) type Opener = Box<dyn FnMut() -> sdd_monitor::Result<Box<dyn MonitorStore>> + Send>;

/// Opens one that was opened before.
pub(crate) fn opener(location: &Location, keep: u64) -> Opener {
    let location = location.clone();
    Box::new(move || location.open_again(keep))
}

/// The first time, on a thread of its own: a database's client must not wait on one that waits for others.
pub(crate) fn open_first(
    location: &Location,
    keep: u64,
) -> std::io::Result<sdd_monitor::Result<Box<dyn MonitorStore>>> {
    std::thread::scope(|scope| {
        let opening = std::thread::Builder::new()
            .name("monitor-open".into())
            .spawn_scoped(scope, || location.open(keep))?;
        opening.join().map_err(|_| std::io::Error::other("opening the monitor's memory panicked"))
    })
}

/// Whether a store may well work again without being opened anew.
pub(crate) fn is_passing(error: &Error) -> bool {
    matches!(error, Error::Busy { .. } | Error::DatabaseUnavailable { .. })
}

/// Whether an error is about the store, so that nothing can be written; else it is about one pair's state.
pub(crate) fn is_of_store(error: &Error) -> bool {
    matches!(
        error,
        Error::Busy { .. }
            | Error::File { .. }
            | Error::FileDamaged { .. }
            | Error::FileGone { .. }
            | Error::FileTooNew { .. }
            | Error::NotAMonitor { .. }
            | Error::InvalidLocation { .. }
            | Error::Database { .. }
            | Error::DatabaseRefuses { .. }
            | Error::DatabaseTooNew { .. }
            | Error::DatabaseUnavailable { .. }
    )
}

/// A store for one thread, opened when somebody asks. What it is asked may take seconds.
pub(crate) struct Memory {
    open: Opener,
    store: Option<Box<dyn MonitorStore>>,
    rest: Rest,
}

/// Until when a memory is not tried again, for all who share this.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rest(Arc<ArcSwapOption<Instant>>);

impl Memory {
    pub fn new(open: Opener, rest: Rest) -> Self {
        Self { open, store: None, rest }
    }

    /// Whether whoever asks now is told that it could not be used a moment ago.
    pub fn rests(&self) -> bool {
        self.rest.0.load().as_deref().is_some_and(|until| Instant::now() < *until)
    }

    pub fn ask<T>(
        &mut self,
        mut action: impl FnMut(&mut dyn MonitorStore) -> sdd_monitor::Result<T>,
    ) -> sdd_monitor::Result<T> {
        if self.rests() {
            return Err(Error::DatabaseUnavailable {
                database: "of the monitor".into(),
                reason: "it could not be used a moment ago",
                source: "not tried again yet".into(),
            });
        }
        let answer = match self.ask_once(&mut action) {
            // What is there now is asked.
            Err(Error::FileGone { .. }) => self.ask_once(&mut action),
            answer => answer,
        };
        // It waited, and so would the next one.
        let waited = matches!(answer, Err(Error::DatabaseUnavailable { .. }));
        self.rest.0.store(waited.then(|| Arc::new(Instant::now() + REST)));
        answer
    }

    fn ask_once<T>(
        &mut self,
        action: &mut impl FnMut(&mut dyn MonitorStore) -> sdd_monitor::Result<T>,
    ) -> sdd_monitor::Result<T> {
        // A panic in here leaves a store that is gone.
        let known = self.store.take();
        let mut store = known.map_or_else(|| (self.open)(), Ok)?;
        let answer = action(&mut *store);
        let is_whole = answer.as_ref().err().is_none_or(|e| is_passing(e) || !is_of_store(e));
        self.store = is_whole.then_some(store);
        answer
    }
}

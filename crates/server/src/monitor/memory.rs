//! The monitor's memory, as it is opened by whoever needs it.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use sdd_drift::Error;
use sdd_drift::monitor::{Location, MonitorStore};

/// Time in which a memory that could not be opened is not tried again for readers: each would wait for it in turn.
const REST: Duration = Duration::from_secs(1);

/// Opens a store, one after the other.
pub(super) type Opener = Box<dyn FnMut() -> sdd_drift::Result<Box<dyn MonitorStore>> + Send>;

/// Opens one that was opened before.
pub(super) fn opener(location: &Location, keep: u64) -> Opener {
    let location = location.clone();
    Box::new(move || location.open_again(keep))
}

/// The first time, on a thread of its own: a database's client must not wait on one that waits for others.
pub(super) fn open_first(
    location: &Location,
    keep: u64,
) -> std::io::Result<sdd_drift::Result<Box<dyn MonitorStore>>> {
    std::thread::scope(|scope| {
        let opening = std::thread::Builder::new()
            .name("monitor-open".into())
            .spawn_scoped(scope, || location.open(keep))?;
        opening.join().map_err(|_| std::io::Error::other("opening the monitor's memory panicked"))
    })
}

/// Whether a store may well work again without being opened anew.
pub(super) fn is_passing(error: &Error) -> bool {
    matches!(error, Error::MonitorBusy { .. } | Error::MonitorDatabaseUnavailable { .. })
}

/// Whether an error is about the store, so that nothing can be written; else it is about one pair's state.
pub(super) fn is_of_store(error: &Error) -> bool {
    matches!(
        error,
        Error::MonitorBusy { .. }
            | Error::MonitorFile { .. }
            | Error::MonitorFileDamaged { .. }
            | Error::MonitorFileTooNew { .. }
            | Error::NotAMonitorFile { .. }
            | Error::InvalidMonitorLocation { .. }
            | Error::MonitorDatabase { .. }
            | Error::MonitorDatabaseRefuses { .. }
            | Error::MonitorDatabaseTooNew { .. }
            | Error::MonitorDatabaseUnavailable { .. }
    )
}

/// A store for all who ask, opened when somebody does.
pub(super) struct Reader {
    state: Mutex<ReaderState>,
}

struct ReaderState {
    open: Opener,
    store: Option<Box<dyn MonitorStore>>,
    rests_until: Option<Instant>,
}

impl Reader {
    pub fn new(open: Opener) -> Self {
        Self { state: Mutex::new(ReaderState { open, store: None, rests_until: None }) }
    }

    /// Blocks.
    pub fn ask<T>(
        &self,
        action: impl FnOnce(&mut dyn MonitorStore) -> sdd_drift::Result<T>,
    ) -> sdd_drift::Result<T> {
        // A panic in here leaves a store that is gone.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.rests_until.is_some_and(|until| Instant::now() < until) {
            return Err(Error::MonitorDatabaseUnavailable {
                database: "of the monitor".into(),
                reason: "it could not be used a moment ago",
                source: "not tried again yet".into(),
            });
        }
        state.rests_until = None;
        let known = state.store.take();
        let opened = known.map_or_else(|| (state.open)(), Ok);
        let answer = opened.and_then(|mut store| {
            let answer = action(&mut *store);
            let is_whole = answer.as_ref().err().is_none_or(|e| is_passing(e) || !is_of_store(e));
            state.store = is_whole.then_some(store);
            answer
        });
        // It waited, and so would the next one.
        if matches!(answer, Err(Error::MonitorDatabaseUnavailable { .. })) {
            state.rests_until = Some(Instant::now() + REST);
        }
        answer
    }
}

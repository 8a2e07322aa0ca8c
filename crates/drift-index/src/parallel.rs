//! Work on all cores, which a signal ends.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use anyhow::Result;

use crate::interrupt;
use crate::progress::Progress;

const TIME_BETWEEN_CHECKS: Duration = Duration::from_millis(100);

/// One a core.
pub fn threads() -> usize {
    thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

/// What `work` makes of each of so many parts, in their order, with a thread for each of `workers`. The first error ends
/// it; `progress` advances by what is made.
pub fn in_parallel<W: Send, T: Send>(
    workers: impl IntoIterator<Item = W>,
    parts: usize,
    mut progress: Progress,
    work: impl Fn(&mut W, usize) -> Result<Vec<T>> + Sync,
) -> Result<Vec<T>> {
    let next = AtomicUsize::new(0);
    let mut made = BTreeMap::new();
    thread::scope(|scope| -> Result<()> {
        let (sender, receiver) = mpsc::channel();
        for mut worker in workers {
            let (sender, next, work) = (sender.clone(), &next, &work);
            scope.spawn(move || {
                sdd_index::limit_threads(1);
                loop {
                    let part = next.fetch_add(1, Ordering::Relaxed);
                    // Nobody listens any more where it was interrupted, or something failed.
                    if part >= parts || sender.send((part, work(&mut worker, part))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        // Leaving this loop early drops the receiver, which stops the threads.
        loop {
            interrupt::check()?;
            match receiver.recv_timeout(TIME_BETWEEN_CHECKS) {
                Ok((part, some)) => {
                    let some = some?;
                    progress.advance(some.len());
                    made.insert(part, some);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
        }
    })?;
    Ok(made.into_values().flatten().collect())
}

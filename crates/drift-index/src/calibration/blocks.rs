//! Work in blocks, on all cores.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::interrupt::Interrupt;
use crate::progress::Progress;

const TIME_BETWEEN_CHECKS: Duration = Duration::from_millis(100);

/// What `work` makes of each of so many blocks, one after the other; `progress` advances by what is made.
pub fn in_blocks<T: Send>(
    blocks: usize,
    mut progress: Progress,
    interrupt: &Interrupt,
    work: impl Fn(usize) -> Vec<T> + Sync,
) -> Result<Vec<T>> {
    let next = AtomicUsize::new(0);
    let mut made: Vec<Option<Vec<T>>> = (0..blocks).map(|_| None).collect();
    let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    thread::scope(|scope| -> Result<()> {
        let (sender, receiver) = mpsc::channel();
        for _ in 0..threads.min(blocks) {
            let (sender, next, work) = (sender.clone(), &next, &work);
            scope.spawn(move || {
                sdd_index::limit_threads(1);
                loop {
                    let block = next.fetch_add(1, Ordering::Relaxed);
                    // Nobody listens any more where it was interrupted.
                    if block >= blocks || sender.send((block, work(block))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        // Leaving this loop early drops the receiver, which stops the threads.
        loop {
            interrupt.check()?;
            match receiver.recv_timeout(TIME_BETWEEN_CHECKS) {
                Ok((block, some)) => {
                    progress.advance(some.len());
                    made[block] = Some(some);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
        }
    })?;
    ensure!(made.iter().all(Option::is_some), "a scoring thread failed");
    Ok(made.into_iter().flatten().flatten().collect())
}

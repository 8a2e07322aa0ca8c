//! A thread that works until it is told to stop, for who waits until it has.

use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, bounded};

/// How often it is looked whether the thread has ended.
const PERIOD: Duration = Duration::from_millis(5);

/// A thread that was started.
pub(crate) struct Worker {
    /// Closed when the thread has ended.
    ended: Receiver<()>,
}

impl Worker {
    pub fn start(name: &str, work: impl FnOnce() + Send + 'static) -> std::io::Result<Self> {
        let (ending, ended) = bounded(0);
        let run = move || {
            work();
            drop(ending);
        };
        std::thread::Builder::new().name(name.into()).spawn(run)?;
        Ok(Self { ended })
    }

    /// Returns when the thread has ended, or at `deadline`, and then false. `tell` says whether it could be told to.
    pub async fn finish(&self, tell: impl Fn() -> bool, deadline: Instant) -> bool {
        let mut told = false;
        loop {
            told = told || tell();
            if told && self.ended.try_recv().is_err_and(|error| error.is_disconnected()) {
                return true;
            }
            if Instant::now() >= deadline {
                return false;
            }
            tokio::time::sleep(PERIOD).await;
        }
    }
}

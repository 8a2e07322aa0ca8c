//! The threads that read the monitor's memory for those who ask: few, behind a short queue, and none of those that
//! answer. However slow the memory is, nobody else waits for it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crossbeam_channel::{Receiver, Sender, bounded};
use sdd_monitor::{Location, MonitorStore};
use thiserror::Error;
use tokio::sync::oneshot;

use crate::causes::chain_of;
use crate::recording::memory::{Memory, Rest, opener};

/// Threads, each with a store of its own: one may make a report while the other answers.
const THREADS: usize = 2;

/// Questions that wait at most. A page that is looked at asks three every three seconds.
const WAITING: usize = 32;

/// A question.
type Job = Box<dyn FnOnce(&mut Memory) + Send>;

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum Unread {
    /// As many wait as may.
    #[error("as many questions wait for the drift monitor as may")]
    Full,
    /// What the memory says.
    #[error(transparent)]
    Memory(#[from] sdd_monitor::Error),
    /// The question was one that ends in a panic.
    #[error("the thread that reads the drift monitor has failed, which is a fault of ours")]
    Failed,
}

/// Where questions are handed in.
pub(crate) struct Reader {
    jobs: Sender<Job>,
}

impl Reader {
    /// Starts the threads. They end when this is dropped, after what they are at.
    pub fn start(location: &Location, keep: u64) -> std::io::Result<Self> {
        let (jobs, waiting) = bounded(WAITING);
        let rest = Rest::default();
        for _ in 0..THREADS {
            let memory = Memory::new(opener(location, keep), rest.clone());
            let waiting = waiting.clone();
            let run = move || answer(memory, &waiting);
            std::thread::Builder::new().name("monitor-read".into()).spawn(run)?;
        }
        Ok(Self { jobs })
    }

    /// Asks the memory, in turn; more than once where its file turns out to be another one.
    ///
    /// # Errors
    /// [`Unread`]; at once where too many wait.
    pub async fn ask<T: Send + 'static>(
        &self,
        action: impl FnMut(&mut dyn MonitorStore) -> sdd_monitor::Result<T> + Send + 'static,
    ) -> Result<T, Unread> {
        let (reply, answer) = oneshot::channel();
        let job = move |memory: &mut Memory| {
            // Who has left asks nothing.
            if reply.is_closed() {
                return;
            }
            let rests = memory.rests();
            let answer = memory.ask(action);
            // Once for each time that it was tried, and not for everybody who is told the same meanwhile.
            if let Some(error) = answer.as_ref().err().filter(|_| !rests) {
                tracing::warn!("the drift monitor cannot be asked: {}", chain_of(error));
            }
            drop(reply.send(answer));
        };
        self.jobs.try_send(Box::new(job)).map_err(|_| Unread::Full)?;
        Ok(answer.await.map_err(|_| Unread::Failed)??)
    }
}

fn answer(mut memory: Memory, jobs: &Receiver<Job>) {
    for job in jobs {
        // A panic costs the one who asked, and nobody else: the store that it was met in is gone, and the next one
        // who asks opens another.
        drop(catch_unwind(AssertUnwindSafe(|| job(&mut memory))));
    }
}

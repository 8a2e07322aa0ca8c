//! Decoding, inference and drift, on threads of their own behind a bounded queue.

mod answer;
mod worker;

use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use sdd_core::Classifier;
use sdd_drift::Reference;
use tokio::sync::oneshot;

pub use answer::{Answer, ServedModel};

use crate::error::ApiError;

/// One image on its way to a worker.
struct Job {
    image: Vec<u8>,
    reply: oneshot::Sender<Result<Answer, ApiError>>,
}

/// The way in to the workers. Dropping it lets them end once the queue is empty.
#[derive(Debug)]
pub struct Inference {
    queue: Sender<Job>,
    threads: Vec<JoinHandle<()>>,
}

impl Inference {
    /// Starts one thread a classifier, all with the same reference.
    ///
    /// `queue` images may wait beside those in work.
    ///
    /// # Errors
    /// When the operating system gives no more threads.
    pub fn start(
        classifiers: Vec<Classifier>,
        reference: Option<&Arc<Reference>>,
        neighbors: usize,
        queue: usize,
    ) -> std::io::Result<Self> {
        let (sender, receiver): (Sender<Job>, Receiver<Job>) = bounded(queue);
        let start = |(number, classifier): (usize, Classifier)| {
            let worker = worker::Worker { classifier, reference: reference.cloned(), neighbors };
            let jobs = receiver.clone();
            std::thread::Builder::new()
                .name(format!("inference-{number}"))
                .spawn(move || worker.run(&jobs))
        };
        let threads = classifiers.into_iter().enumerate().map(start).collect::<Result<_, _>>()?;
        Ok(Self { queue: sender, threads })
    }

    /// Classifies one encoded image and compares it with the reference.
    ///
    /// Dropping the future before a worker has begun takes the work out of the queue.
    ///
    /// # Errors
    /// [`ApiError::Overloaded`] at once when the queue is full; otherwise what is wrong with the
    /// image, or [`ApiError::Internal`].
    pub async fn classify(&self, image: Vec<u8>) -> Result<Answer, ApiError> {
        let (reply, answer) = oneshot::channel();
        self.queue.try_send(Job { image, reply }).map_err(|error| match error {
            TrySendError::Full(_) => ApiError::Overloaded,
            TrySendError::Disconnected(_) => ApiError::Internal("all workers have ended".into()),
        })?;
        answer.await.unwrap_or_else(|_| Err(ApiError::Internal("the worker panicked".into())))
    }

    /// Waits for the queue to empty and the threads to end.
    pub fn stop(self) {
        drop(self.queue);
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("an inference thread had panicked");
            }
        }
    }
}

//! Decoding, inference and drift for one pair of model and reference, on threads of their own.
//!
//! On the CPU each thread does all of an image's work with a session of its own: that is what keeps
//! every core busy with the least waiting, and batches bring nothing there. Where batches pay, on a
//! GPU, images are read on some threads and taken by another in batches of what is waiting; it never
//! waits for a batch to fill.

mod admission;
mod error;
mod health;
mod isolation;
mod job;
mod load;
mod observer;
mod options;
mod pace;
mod pass;
mod prepare;
mod run;

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use tokio::sync::oneshot;

pub use admission::{Admission, Permit};
pub use error::{EngineError, EngineShortage};
pub use job::{Answer, AnsweredImage, Input, StageTimes, Ticket};
pub use load::{LoadError, Pair, ServedModel, ServedReference};
pub use observer::{EngineObserver, Stage};
pub use options::{EngineOptions, cores};

use self::health::Health;
use self::isolation::isolate;
use self::job::{Job, Order, Prepared};
use self::pace::Lanes;
use self::prepare::Preparer;
use self::run::Runner;

/// A model and its reference at work. Dropping it lets its threads end once they have answered all.
#[derive(Debug)]
pub struct Engine {
    served: ServedModel,
    queue: Sender<Job>,
    health: Arc<Health>,
    threads: Vec<JoinHandle<()>>,
}

impl Engine {
    /// Starts the threads: one a classifier, and where the model takes images in batches, or has fewer sessions than there
    /// are workers, others that read them.
    ///
    /// # Errors
    /// When the operating system gives no more threads.
    pub fn start(
        pair: Pair,
        admission: &Arc<Admission>,
        observer: &Arc<dyn EngineObserver>,
    ) -> std::io::Result<Self> {
        let Pair { classifiers, readers, max_batch, neighbors, reference, served } = pair;
        // Permits keep the queue short.
        let (queue, jobs) = unbounded();
        // Also where there are more to read than the device has sessions: batches of one then.
        let in_stages = max_batch > 1 || readers > classifiers.len();
        let lanes = if in_stages {
            Lanes::Stages { readers, runners: classifiers.len() }
        } else {
            Lanes::Whole { threads: classifiers.len() }
        };
        let new_preparer = |_| Preparer::new(classifiers[0].input_reader(), Arc::clone(observer));
        let mut preparers: Vec<Preparer> = (0..readers).map(new_preparer).collect();
        let health = Arc::new(Health::new());
        let runners = classifiers.into_iter().map(|classifier| Runner {
            classifier,
            reference: reference.clone(),
            neighbors,
            lanes,
            admission: Arc::clone(admission),
            health: Arc::clone(&health),
            generation: health.generation(),
            tries: false,
            observer: Arc::clone(observer),
        });
        let mut threads = Threads::default();
        if in_stages {
            // As many as fill the next batch while one is in the model.
            let (ready, prepared) = bounded(max_batch);
            for preparer in preparers {
                let (jobs, ready) = (jobs.clone(), ready.clone());
                threads.start("preparation", move || prepare_all(preparer, &jobs, &ready))?;
            }
            for runner in runners {
                let prepared = prepared.clone();
                threads.start("inference", move || run_batches(runner, &prepared, max_batch))?;
            }
        } else {
            for runner in runners {
                // A pair has a reader a session.
                let Some(preparer) = preparers.pop() else { break };
                let jobs = jobs.clone();
                threads.start("inference", move || answer_singly(preparer, runner, &jobs))?;
            }
        }
        Ok(Self { served, queue, health, threads: threads.0 })
    }

    /// The model and the reference that answer.
    pub fn served(&self) -> &ServedModel {
        &self.served
    }

    /// Images that no thread has begun with.
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// Classifies one image and compares it with the reference.
    ///
    /// Dropping the future before the work has begun takes it out of the queue.
    ///
    /// # Errors
    /// What is wrong with the image, [`EngineError::DeadlineExceeded`], [`EngineError::Failing`] or
    /// [`EngineError::Internal`].
    pub async fn answer(&self, input: Input, ticket: Ticket) -> Result<Answer, EngineError> {
        self.check()?;
        let deadline = ticket.deadline;
        let (reply, answer) = oneshot::channel();
        let order = Order::new(ticket, reply);
        self.queue
            .send(Job { input, enqueued: Instant::now(), order })
            .map_err(|_| EngineError::Internal("all workers have ended".into()))?;
        match tokio::time::timeout_at(deadline.into(), answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(EngineError::Internal("the worker panicked".into())),
            Err(_) => Err(EngineError::DeadlineExceeded),
        }
    }

    /// Whether images are taken.
    ///
    /// # Errors
    /// [`EngineError::Failing`]: the model fails, whatever it is asked.
    pub fn check(&self) -> Result<(), EngineError> {
        match self.health.failing_for() {
            Some(retry_after) => Err(EngineError::Failing { retry_after }),
            None => Ok(()),
        }
    }

    /// Whether a new process is likely to answer where this one does not: it has had new sessions, and a
    /// blank input fails in each of them, as it did not at the start.
    pub fn needs_restart(&self) -> bool {
        self.health.needs_restart()
    }

    /// Threads that are there to answer: as many as were started, unless something has gone very
    /// wrong.
    pub fn threads(&self) -> usize {
        self.threads.iter().filter(|thread| !thread.is_finished()).count()
    }

    /// Whether it can answer: with a thread lost, images might wait for ever.
    pub fn is_whole(&self) -> bool {
        self.threads() == self.threads.len()
    }
}

#[derive(Default)]
struct Threads(Vec<JoinHandle<()>>);

impl Threads {
    fn start(&mut self, kind: &str, work: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
        let number = self.0.len();
        let thread = std::thread::Builder::new().name(format!("{kind}-{number}")).spawn(|| {
            // A search runs on the thread that asks for it; the other cores have images of their own.
            sdd_index::limit_threads(1);
            work();
        })?;
        self.0.push(thread);
        Ok(())
    }
}

/// Each returns when nobody can add to its queue any more and it is empty.
fn answer_singly(mut preparer: Preparer, mut runner: Runner, jobs: &Receiver<Job>) {
    while let Some(job) = runner.next(jobs) {
        if let Some(Some(prepared)) = isolate(&mut preparer, |stage| stage.prepare(job)) {
            runner.answer(vec![prepared]);
        }
    }
}

fn prepare_all(mut preparer: Preparer, jobs: &Receiver<Job>, ready: &Sender<Prepared>) {
    for job in jobs {
        if let Some(Some(prepared)) = isolate(&mut preparer, |stage| stage.prepare(job))
            && ready.send(prepared).is_err()
        {
            return;
        }
    }
}

fn run_batches(mut runner: Runner, prepared: &Receiver<Prepared>, max_batch: usize) {
    while let Some(first) = runner.next(prepared) {
        let batch = std::iter::once(first).chain(prepared.try_iter()).take(max_batch).collect();
        runner.answer(batch);
    }
}

#[cfg(test)]
mod tests;

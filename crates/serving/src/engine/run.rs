//! The second stage: the model on a batch of inputs, and the comparison with the reference.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use sdd_core::{Classifier, Prediction};
use sdd_drift::{Assessment, Properties, Query, Reference};

use crate::causes::chain_of;
use crate::engine::admission::Admission;
use crate::engine::error::EngineError;
use crate::engine::health::{Consequence, Health};
use crate::engine::isolation::{Isolated, isolate};
use crate::engine::job::{Answer, Prepared};
use crate::engine::observer::{EngineObserver, Stage};
use crate::engine::pace::Lanes;
use crate::engine::pass::{Outcome, run_all};

/// Owns a session, on one thread.
pub(crate) struct Runner {
    pub classifier: Classifier,
    pub reference: Option<Arc<Reference>>,
    /// Nearest reference images in an answer.
    pub neighbors: usize,
    pub lanes: Lanes,
    pub admission: Arc<Admission>,
    pub health: Arc<Health>,
    /// The generation of the health that the session was made in.
    pub generation: u64,
    /// Whether this one tries the model while it is failing.
    pub tries: bool,
    pub observer: Arc<dyn EngineObserver>,
}

impl Runner {
    /// What comes next in `queue`; while the model is failing it is tried meanwhile. `None` when nobody
    /// can add to the queue any more and it is empty.
    pub fn next<T>(&mut self, queue: &Receiver<T>) -> Option<T> {
        loop {
            let trial = if self.tries { self.health.next_trial() } else { None };
            let Some(trial) = trial else { return queue.recv().ok() };
            match queue.recv_deadline(trial) {
                Ok(next) => return Some(next),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => self.try_again(),
            }
        }
    }

    /// Answers all of a batch. What the model fails or panics at costs the image that is at fault its answer, and so does
    /// a panic in the comparison.
    pub fn answer(&mut self, batch: Vec<Prepared>) {
        let mut waiting = Vec::with_capacity(batch.len());
        let mut tensors = Vec::new();
        for mut prepared in batch {
            if matches!(self.lanes, Lanes::Stages { .. }) {
                let waited = prepared.ready.elapsed();
                prepared.times.note(Stage::Batch, waited, &*self.observer);
            }
            let Some(order) = prepared.order.if_wanted() else { continue };
            // The common case, a batch of one, is not copied.
            if tensors.is_empty() {
                tensors = prepared.tensor;
            } else {
                tensors.extend(prepared.tensor);
            }
            waiting.push(Prepared { order, tensor: Vec::new(), ..prepared });
        }
        if waiting.is_empty() {
            return;
        }
        if let Some(retry_after) = self.health.failing_for() {
            // They were taken before it was known.
            for prepared in waiting {
                prepared.order.answer(Err(EngineError::Failing { retry_after }));
            }
            return;
        }
        self.renew();
        let count = waiting.len();
        let start = Instant::now();
        let outcomes = self.run(count, &tensors);
        let infer = start.elapsed();
        self.note(&waiting, &outcomes);
        for (asked, outcome) in waiting.into_iter().zip(outcomes) {
            let share = infer / u32::try_from(count).unwrap_or(u32::MAX);
            isolate(self, |runner| runner.finish(asked, infer, share, outcome));
        }
    }

    /// Handlers check the length of the tensors that clients send.
    fn run(&mut self, count: usize, tensors: &[f32]) -> Vec<Outcome> {
        let length = tensors.len() / count;
        run_all(count, |inputs| {
            self.observer.pass(inputs.len());
            let some = &tensors[inputs.start * length..inputs.end * length];
            isolate(self, |runner| runner.classifier.run(some))
        })
    }

    /// Takes note of whether the model answers. A batch whose images were tried alone, too, counts once.
    fn note(&mut self, waiting: &[Prepared], outcomes: &[Outcome]) {
        if outcomes.iter().any(|outcome| matches!(outcome, Some(Ok(_)))) {
            self.health.passed();
            return;
        }
        let is_models = |(asked, outcome): (&Prepared, &Outcome)| match outcome {
            // For what a client makes up there may be no answer that can be used, for an image there is.
            Some(Err(sdd_core::Error::Output { .. })) => asked.read.is_some(),
            _ => true,
        };
        if !waiting.iter().zip(outcomes).all(is_models) {
            return;
        }
        self.observer.failed_pass();
        match self.health.failed(self.generation, Instant::now()) {
            Consequence::None => {}
            Consequence::Renewal => {
                tracing::warn!("the model fails again and again: it gets new sessions");
            }
            Consequence::Failing => {
                self.tries = true;
                tracing::error!(
                    "the model fails in new sessions, too: no images are taken until it answers when it is tried"
                );
            }
        }
    }

    /// Replaces a session that is not to be used any more.
    fn renew(&mut self) {
        let generation = self.health.generation();
        if generation != self.generation {
            self.generation = generation;
            isolate(self, Isolated::start_afresh);
        }
    }

    /// Tries the model on a blank input, in a new session.
    fn try_again(&mut self) {
        let tried = isolate(self, |runner| {
            let mut classifier = runner.classifier.fork()?;
            classifier.warm_up(1)?;
            Ok::<_, sdd_core::Error>(classifier)
        });
        let succeeded = match tried {
            Some(Ok(classifier)) => {
                tracing::info!("the model answered when it was tried: images are taken again");
                self.classifier = classifier;
                true
            }
            Some(Err(error)) => {
                tracing::warn!("the model was tried and fails: {}", chain_of(&error));
                false
            }
            None => false,
        };
        self.health.tried(succeeded, Instant::now());
        if succeeded {
            self.tries = false;
            self.generation = self.health.generation();
        }
    }

    /// Compares with the reference and answers. `infer` is the time of the whole pass, `share` the image's part of it.
    fn finish(&self, asked: Prepared, infer: Duration, share: Duration, outcome: Outcome) {
        let Prepared { mut order, read, image, mut times, .. } = asked;
        times.note(Stage::Infer, infer, &*self.observer);
        let panicked = || Err(sdd_core::Error::Inference("the model panicked".into()));
        let prediction = match (outcome.unwrap_or_else(panicked), read) {
            (Ok(prediction), Some(read)) => prediction.of_image(&read),
            (Ok(prediction), None) => prediction,
            (Err(error), _) => return order.answer(Err(self.error_of(error))),
        };
        let start = Instant::now();
        let drift = match self.assess(&prediction) {
            Ok(drift) => drift,
            Err(error) => return order.answer(Err(EngineError::Internal(error.into()))),
        };
        let compared = start.elapsed();
        if drift.is_some() {
            times.note(Stage::Drift, compared, &*self.observer);
        }
        // Only of what has gone all the way: what is refused half-way would make the next seem fast.
        self.admission.note_times(self.lanes, times.read(), share + compared);
        let origin = order.take_origin();
        order.answer(Ok(Answer { prediction, drift, times, image, origin }));
    }

    /// What the client is told of a model's error: where it is the last of many, that there is no use in
    /// asking again at once.
    fn error_of(&self, error: sdd_core::Error) -> EngineError {
        if matches!(error, sdd_core::Error::Inference(_))
            && let Some(retry_after) = self.health.failing_for()
        {
            tracing::error!("{}", chain_of(&error));
            return EngineError::Failing { retry_after };
        }
        EngineError::from(error)
    }

    fn assess(&self, prediction: &Prediction) -> sdd_drift::Result<Option<Assessment>> {
        let Some(reference) = &self.reference else { return Ok(None) };
        let class = prediction.class(self.classifier.spec());
        let query = Query::new(&prediction.embedding).of_class(class);
        let properties = prediction.properties;
        let properties = properties.map(|found| Properties::of_array(found.to_array()));
        let drift = reference.assess(&query, self.neighbors)?;
        Ok(Some(Assessment { properties, ..drift }))
    }
}

impl Isolated for Runner {
    fn observer(&self) -> &dyn EngineObserver {
        &*self.observer
    }

    fn start_afresh(&mut self) {
        match self.classifier.fork() {
            Ok(classifier) => self.classifier = classifier,
            Err(error) => {
                tracing::error!("no new session, going on with the old one: {}", chain_of(&error));
            }
        }
    }
}

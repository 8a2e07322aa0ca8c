//! One thread with a classifier of its own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crossbeam_channel::Receiver;
use sdd_core::{Classifier, Error};
use sdd_drift::Reference;

use super::Job;
use super::answer::Answer;
use crate::error::ApiError;

pub(super) struct Worker {
    pub classifier: Classifier,
    pub reference: Option<Arc<Reference>>,
    pub neighbors: usize,
}

impl Worker {
    /// Takes jobs until the queue is empty and nobody can add to it.
    pub fn run(mut self, jobs: &Receiver<Job>) {
        // A search runs on the thread that asks for it; the other cores have images of their own.
        sdd_index::limit_threads(1);
        for Job { image, reply } in jobs {
            if reply.is_closed() {
                tracing::debug!("the client left before its image was looked at");
                continue;
            }
            let answer = catch_unwind(AssertUnwindSafe(|| self.answer(&image)));
            if let Ok(answer) = answer {
                // The client may have left meanwhile; then there is nobody to tell.
                drop(reply.send(answer));
            } else {
                // `reply` is dropped unanswered, which its client sees as an internal error.
                tracing::error!("panic while classifying; this worker starts afresh");
                self.start_afresh();
            }
        }
    }

    fn answer(&mut self, image: &[u8]) -> Result<Answer, ApiError> {
        let prediction = self.classifier.classify(image).map_err(|error| match error {
            Error::Image(error) => ApiError::Image(error),
            error => ApiError::Internal(error.into()),
        })?;
        let label = &self.classifier.spec().labels[prediction.class_index];
        let drift = self
            .reference
            .as_ref()
            .map(|reference| reference.assess(&prediction.embedding, label, self.neighbors))
            .transpose()
            .map_err(|error| ApiError::Internal(error.into()))?;
        Ok(Answer { prediction, drift })
    }

    /// A panic may have left the session's buffers half-written.
    fn start_afresh(&mut self) {
        match self.classifier.fork() {
            Ok(classifier) => self.classifier = classifier,
            Err(error) => tracing::error!("no new session, going on with the old one: {error}"),
        }
    }
}

//! The second stage: the model on a batch of inputs, and the comparison with the reference.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ndarray::Array4;
use sdd_core::{Classifier, Prediction};
use sdd_drift::{Assessment, Query, Reference};

use super::admission::Admission;
use super::instruments::Instruments;
use super::isolation::{Stage, isolate};
use super::job::{Answer, Order, Prepared, StageTimes};
use super::pace::Lanes;
use crate::error::{ApiError, chain_of};

/// Owns a session, on one thread.
pub(super) struct Runner {
    pub classifier: Classifier,
    pub reference: Option<Arc<Reference>>,
    /// Nearest reference images in an answer.
    pub neighbors: usize,
    pub lanes: Lanes,
    pub admission: Arc<Admission>,
    pub instruments: Instruments,
}

impl Runner {
    /// Answers all of a batch. A panic in the model costs all of its images an error, one in the
    /// comparison that image alone.
    pub fn answer(&mut self, batch: Vec<Prepared>) {
        let mut waiting = Vec::with_capacity(batch.len());
        let mut tensors = Vec::new();
        for Prepared { order, tensor, mut times, ready } in batch {
            let Some(order) = order.if_wanted() else { continue };
            times.queue += ready.elapsed();
            // The common case, a batch of one, is not copied.
            if tensors.is_empty() {
                tensors = tensor;
            } else {
                tensors.extend(tensor);
            }
            waiting.push((order, times));
        }
        if waiting.is_empty() {
            return;
        }
        let count = waiting.len();
        self.instruments.batch_images.observe(f64::from(as_u32(count)));
        let start = Instant::now();
        let Some(predictions) = isolate(self, |runner| runner.run(count, tensors)) else { return };
        let infer = start.elapsed();
        for ((order, times), prediction) in waiting.into_iter().zip(predictions) {
            self.instruments.stages.infer.observe(infer.as_secs_f64());
            let (times, share) = (StageTimes { infer, ..times }, infer / as_u32(count));
            isolate(self, |runner| runner.finish(order, times, share, prediction));
        }
    }

    fn run(&mut self, count: usize, tensors: Vec<f32>) -> Vec<Result<Prediction, ApiError>> {
        let [channels, height, width] = self.classifier.input_shape();
        match Array4::from_shape_vec((count, channels, height, width), tensors) {
            Ok(tensors) => {
                let predictions = self.classifier.run(&tensors).into_iter();
                predictions.map(|answer| answer.map_err(ApiError::from)).collect()
            }
            // Handlers check the length of what clients send.
            Err(error) => vec![Err(ApiError::Internal(error.into()))],
        }
    }

    /// Compares with the reference and answers. `share` is the image's part of its batch's time.
    fn finish(
        &self,
        order: Order,
        mut times: StageTimes,
        share: Duration,
        prediction: Result<Prediction, ApiError>,
    ) {
        let start = Instant::now();
        let assess = || {
            let prediction = prediction?;
            let drift = self.assess(&prediction)?;
            Ok((prediction, drift))
        };
        let answer = assess();
        times.drift = start.elapsed();
        self.instruments.stages.drift.observe(times.drift.as_secs_f64());
        let read = times.decode + times.preprocess;
        self.admission.note_times(self.lanes, read, share + times.drift);
        order.answer(answer.map(|(prediction, drift)| Answer {
            prediction,
            drift,
            times,
            image_sha256: None,
        }));
    }

    fn assess(&self, prediction: &Prediction) -> Result<Option<Assessment>, ApiError> {
        let query = Query::of_prediction(prediction, self.classifier.spec());
        let assess = |reference: &Arc<Reference>| reference.assess(&query, self.neighbors);
        self.reference
            .as_ref()
            .map(assess)
            .transpose()
            .map_err(|error| ApiError::Internal(error.into()))
    }
}

impl Stage for Runner {
    fn instruments(&self) -> &Instruments {
        &self.instruments
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

fn as_u32(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

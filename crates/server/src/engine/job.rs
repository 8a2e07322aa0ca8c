//! One image on its way through the engine.

use std::time::{Duration, Instant};

use sdd_core::Prediction;
use sdd_drift::Assessment;
use tokio::sync::oneshot;

use super::admission::Permit;
use crate::error::ApiError;
use crate::uploads::UploadedBytes;

/// What the model is asked about.
#[derive(Debug)]
pub enum Input {
    /// The bytes of an image file.
    Encoded(UploadedBytes),
    /// Values that are preprocessed already, CHW, as many as the model's input of one image has.
    Tensor(Vec<f32>),
}

/// The right to one answer, in time.
#[derive(Debug)]
pub struct Ticket {
    /// Held until the work is done, whoever still waits for it.
    pub permit: Permit,
    /// After it the answer is of no use to the client.
    pub deadline: Instant,
}

/// An answer and what it took.
#[derive(Debug)]
pub struct Answer {
    /// What the model says.
    pub prediction: Prediction,
    /// What the reference says; `None` without one.
    pub drift: Option<Assessment>,
    /// How long each stage took.
    pub times: StageTimes,
    /// SHA-256 of the image file, 64 hexadecimal digits, where the image may be kept.
    pub image_sha256: Option<String>,
}

/// How long one image spent in each stage of the engine.
#[derive(Debug, Clone, Copy, Default)]
pub struct StageTimes {
    /// Waiting, before decoding and between preprocessing and inference.
    pub queue: Duration,
    /// From the file's bytes to pixels.
    pub decode: Duration,
    /// From pixels to the model's input.
    pub preprocess: Duration,
    /// The pass of the model that the image was in, with the others of its batch.
    pub infer: Duration,
    /// The comparison with the reference.
    pub drift: Duration,
}

impl StageTimes {
    /// Each stage by its name, in their order.
    #[must_use]
    pub fn named(&self) -> [(&'static str, Duration); 5] {
        [
            ("queue", self.queue),
            ("decode", self.decode),
            ("preprocess", self.preprocess),
            ("infer", self.infer),
            ("drift", self.drift),
        ]
    }
}

pub(super) struct Job {
    pub input: Input,
    pub enqueued: Instant,
    pub order: Order,
}

/// Who waits for an answer, and until when.
pub(super) struct Order {
    ticket: Ticket,
    reply: oneshot::Sender<Result<Answer, ApiError>>,
}

impl Order {
    pub fn new(ticket: Ticket, reply: oneshot::Sender<Result<Answer, ApiError>>) -> Self {
        Self { ticket, reply }
    }

    /// `None` when the answer is of use to nobody any more; the client whose time is over is told.
    pub fn if_wanted(self) -> Option<Self> {
        if self.reply.is_closed() {
            tracing::debug!("the client left before its image was looked at");
            return None;
        }
        if self.ticket.deadline <= Instant::now() {
            self.answer(Err(ApiError::DeadlineExceeded));
            return None;
        }
        Some(self)
    }

    pub fn answer(self, answer: Result<Answer, ApiError>) {
        // The room is free before the client hears of it: its next request finds it so.
        drop(self.ticket);
        // The client may have left meanwhile; then there is nobody to tell.
        drop(self.reply.send(answer));
    }
}

/// An image that was read and waits for the model.
pub(super) struct Prepared {
    pub order: Order,
    pub tensor: Vec<f32>,
    pub times: StageTimes,
    /// Since when it waits.
    pub ready: Instant,
}

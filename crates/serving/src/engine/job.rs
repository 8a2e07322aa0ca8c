//! One image on its way through the engine.

use std::time::{Duration, Instant};

use bytes::Bytes;
use sdd_core::{Prediction, ReadImage};
use sdd_drift::Assessment;
use sha2::{Digest, Sha256};
use tokio::sync::oneshot;

use crate::engine::admission::Permit;
use crate::engine::error::EngineError;
use crate::engine::observer::{EngineObserver, Stage};
use crate::origin::Origin;

/// What the model is asked about.
#[derive(Debug)]
pub enum Input {
    /// The bytes of an image file.
    Encoded(Bytes),
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
    /// Whether the image may be kept, and so comes back with the answer.
    pub keep_image: bool,
    /// Where the image comes from; it comes back with the answer.
    pub origin: Origin,
}

/// An image file that was answered, and that may be kept.
#[derive(Debug)]
pub struct AnsweredImage {
    /// The file.
    pub bytes: Bytes,
    /// SHA-256 of the file, 64 hexadecimal digits.
    pub sha256: String,
}

impl AnsweredImage {
    pub(crate) fn new(bytes: Bytes) -> Self {
        let sha256 = format!("{:x}", Sha256::digest(&bytes));
        Self { bytes, sha256 }
    }
}

/// An answer and what it took.
#[derive(Debug)]
pub struct Answer {
    /// What the model says, and how the image looks to it.
    pub prediction: Prediction,
    /// What the reference says; `None` without one.
    pub drift: Option<Assessment>,
    /// How long each stage took.
    pub times: StageTimes,
    /// The image file, where it may be kept.
    pub image: Option<AnsweredImage>,
    /// Where the image comes from, as whoever asked says.
    pub origin: Origin,
}

/// How long one image spent in each stage of the engine; nothing for a stage that it did not go through.
#[derive(Debug, Clone, Copy, Default)]
pub struct StageTimes([Option<Duration>; Stage::ALL.len()]);

impl StageTimes {
    /// How long it was in a stage.
    pub fn of(&self, stage: Stage) -> Option<Duration> {
        self.0[stage as usize]
    }

    /// Each stage that the image went through by its name, in their order.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, Duration)> {
        Stage::ALL.into_iter().filter_map(|stage| Some((stage.name(), self.of(stage)?)))
    }

    /// Of two images, the longer time in each stage.
    #[must_use]
    pub fn longer(self, other: Self) -> Self {
        Self(std::array::from_fn(|stage| self.0[stage].max(other.0[stage])))
    }

    /// Notes the time in a stage, here and with whoever counts.
    pub(crate) fn note(&mut self, stage: Stage, time: Duration, observer: &dyn EngineObserver) {
        observer.stage(stage, time);
        self.0[stage as usize] = Some(time);
    }

    /// The time of a thread that reading the image took.
    pub(crate) fn read(&self) -> Duration {
        [Stage::Decode, Stage::Preprocess].into_iter().filter_map(|stage| self.of(stage)).sum()
    }
}

pub(crate) struct Job {
    pub input: Input,
    pub enqueued: Instant,
    pub order: Order,
}

/// Who waits for an answer, and until when.
pub(crate) struct Order {
    ticket: Ticket,
    reply: oneshot::Sender<Result<Answer, EngineError>>,
}

impl Order {
    pub fn new(ticket: Ticket, reply: oneshot::Sender<Result<Answer, EngineError>>) -> Self {
        Self { ticket, reply }
    }

    /// `None` when the answer is of use to nobody any more; the client whose time is over is told.
    pub fn if_wanted(self) -> Option<Self> {
        if self.reply.is_closed() {
            tracing::debug!("the client left before its image was looked at");
            return None;
        }
        if self.ticket.deadline <= Instant::now() {
            self.answer(Err(EngineError::DeadlineExceeded));
            return None;
        }
        Some(self)
    }

    /// Whether the image may be kept.
    pub fn keeps_image(&self) -> bool {
        self.ticket.keep_image
    }

    /// Where the image comes from, for its answer.
    pub fn take_origin(&mut self) -> Origin {
        std::mem::take(&mut self.ticket.origin)
    }

    pub fn answer(self, answer: Result<Answer, EngineError>) {
        // The room is free before the client hears of it: its next request finds it so.
        drop(self.ticket);
        // The client may have left meanwhile; then there is nobody to tell.
        drop(self.reply.send(answer));
    }
}

/// An image that was read and waits for the model.
pub(crate) struct Prepared {
    pub order: Order,
    pub tensor: Vec<f32>,
    /// What reading the image has found; `None` where the client made the tensor, whose values may be any then.
    pub read: Option<ReadImage>,
    /// Where it may be kept.
    pub image: Option<AnsweredImage>,
    pub times: StageTimes,
    /// Since when it waits.
    pub ready: Instant,
}

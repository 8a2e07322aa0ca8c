//! Images and predictions, kept in a folder for people who label them and for the next reference.
//!
//! Keeping happens on a thread of its own behind a bounded queue. A request hands over what it has
//! anyway, if it is to be kept, and never waits: what does not fit into the queue is counted and
//! forgotten, and a folder that cannot be written to turns the capture off until it can.
//!
//! Files are whole at any moment that the process may be killed at. They are not forced to disk one by
//! one: a computer that loses its power may lose the last seconds, which SHA-256 and length in the
//! lines tell.

mod counts;
mod error;
mod folder;
mod names;
mod options;
mod prediction;
mod retention;
mod selection;
mod sweeps;
mod writer;

use std::time::Instant;

use bytes::Bytes;
use crossbeam_channel::{Sender, TrySendError, bounded};

pub use counts::CaptureCounts;
pub use error::CaptureError;
pub use options::CaptureOptions;

use self::counts::SharedCounts;
use self::prediction::{CapturedPrediction, Reason};
use self::writer::{CaptureWriter, Entry, Message};
use crate::allowance::Allowance;
use crate::engine::{Answer, AnsweredImage, ServedModel};
use crate::worker::Worker;

/// Images that may wait to be written; their bytes are limited by a setting.
const QUEUED_IMAGES: usize = 1024;

/// Part of the queue that is only for what has a reason of its own, so that what is nothing but a sample
/// does not push it out: 1 in 4.
const FOR_OWN_REASONS: usize = 4;

/// Where predictions are handed in to be kept.
pub struct Capture {
    options: CaptureOptions,
    queue: Sender<Message>,
    memory: Allowance,
    counts: SharedCounts,
    worker: Worker,
}

impl Capture {
    /// Opens the folder and starts the thread.
    ///
    /// # Errors
    /// [`CaptureError`]: the folder cannot be used.
    pub fn start(options: &CaptureOptions) -> Result<Self, CaptureError> {
        let directory = &options.directory;
        let memory = Allowance::new(options.queue_bytes);
        let counts = SharedCounts::default();
        let writer = CaptureWriter::open(options.clone(), counts.clone())?;
        let (queue, messages) = bounded(QUEUED_IMAGES);
        let worker = Worker::start("capture", move || writer.run(&messages));
        let worker = worker.map_err(CaptureError::io("start a thread for", directory))?;
        Ok(Self { options: options.clone(), queue, memory, counts, worker })
    }

    /// Hands in the answer to an image, to be kept if it is one of those that are. A tensor is none: nobody
    /// could look at it. Never waits.
    pub fn offer(&self, request_id: &str, answer: &Answer, served: &ServedModel) {
        let Some(image) = &answer.image else { return };
        let reasons = self.options.reasons(&image.sha256, answer);
        if !reasons.is_empty() && !self.enqueue(request_id, answer, image, served, reasons) {
            self.counts.lock().dropped += 1;
        }
    }

    /// Whether there was room for it, and somebody who writes.
    fn enqueue(
        &self,
        request_id: &str,
        answer: &Answer,
        image: &AnsweredImage,
        served: &ServedModel,
        reasons: Vec<Reason>,
    ) -> bool {
        let mut room = self.memory.reserve();
        let bytes = image.bytes.len();
        let is_enabled = self.counts.lock().enabled;
        if !(is_enabled && self.has_room_for(&reasons, bytes) && room.grow(bytes)) {
            return false;
        }
        let made = CapturedPrediction::new(request_id, answer, image, served, reasons);
        let Some((prediction, name)) = made else { return false };
        // A copy: a part of a large body would keep all of it, and the room that is for uploads.
        let image = Bytes::copy_from_slice(&image.bytes);
        let entry = Box::new(Entry { prediction, name, image, _room: room });
        let refused = self.queue.try_send(Message::Keep(entry)).err();
        if refused.as_ref().is_some_and(TrySendError::is_disconnected) {
            self.counts.lock().enabled = false;
        }
        refused.is_none()
    }

    /// Whether the part of the queue has room that images with these reasons may use. Of requests at
    /// the same moment a few more may get in: what is left to the others is less by them.
    fn has_room_for(&self, reasons: &[Reason], bytes: usize) -> bool {
        let part = |whole: usize| whole - whole / FOR_OWN_REASONS;
        reasons != [Reason::Sample]
            || (self.queue.len() < part(QUEUED_IMAGES)
                && self.memory.used().saturating_add(bytes) <= part(self.memory.limit()))
    }

    /// What has been kept and what not.
    pub fn counts(&self) -> CaptureCounts {
        *self.counts.lock()
    }

    /// Images that wait to be written.
    pub fn queued_images(&self) -> usize {
        self.queue.len()
    }

    /// Returns when what was handed in has been written, or at `deadline`. Nothing is captured from
    /// then on.
    pub async fn finish(&self, deadline: Instant) {
        let tell = || !self.queue.try_send(Message::Stop).is_err_and(|error| error.is_full());
        if !self.worker.finish(tell, deadline).await {
            tracing::warn!("{} images could not be captured in time", self.queued_images());
        }
    }
}

#[cfg(test)]
mod tests {
    use crossbeam_channel::bounded;

    use super::{Allowance, Capture, CaptureOptions, QUEUED_IMAGES, Reason, SharedCounts, Worker};

    #[test]
    fn samples_leave_room_for_what_has_a_reason_of_its_own() {
        let capture = Capture {
            options: CaptureOptions::new("captured".into()),
            queue: bounded(QUEUED_IMAGES).0,
            memory: Allowance::new(100),
            counts: SharedCounts::default(),
            worker: Worker::start("capture", || ()).unwrap(),
        };
        let (sample, both) = ([Reason::Sample], [Reason::Sample, Reason::OutOfDistribution]);
        assert!(capture.has_room_for(&sample, 75) && !capture.has_room_for(&sample, 76));
        assert!(capture.has_room_for(&both, 100) && capture.has_room_for(&both[1..], 100));
        let mut room = capture.memory.reserve();
        assert!(room.grow(70));
        assert!(capture.has_room_for(&sample, 5) && !capture.has_room_for(&sample, 6));
        assert!(capture.has_room_for(&both, 30));
    }
}

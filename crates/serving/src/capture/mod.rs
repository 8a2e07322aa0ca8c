//! Images and predictions, kept in a folder for people who label them and for the next reference.
//!
//! Keeping happens on a thread of its own behind a bounded queue. A request hands over what it has
//! anyway, if it is to be kept, and never waits: what does not fit into the queue is counted and
//! forgotten, and a folder that cannot be written to turns the capture off until it can.
//!
//! Files are whole at any moment that the process may be killed at. They are not forced to disk one by
//! one: a computer that loses its power may lose the last seconds, which SHA-256 and length in the
//! records tell.

mod counts;
mod error;
mod folder;
mod names;
mod options;
mod record;
mod retention;
mod selection;
mod sweeps;
mod writer;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};

pub use counts::CaptureCounts;
pub use error::CaptureError;
pub use options::CaptureOptions;
pub use record::{Reason, Record, RecordedImage, RecordedModel};

use self::record::CapturedPrediction;
use self::retention::Retention;
use self::selection::Selection;
use self::writer::{CaptureWriter, Entry, Message, WriterOptions};
use crate::allowance::Allowance;
use crate::engine::{Answer, AnsweredImage, ServedModel};

/// Images that may wait to be written; their bytes are limited by a setting.
const QUEUED_IMAGES: usize = 1024;

/// Part of the queue that is only for what has a reason of its own, so that what is nothing but a sample
/// does not push it out: 1 in 4.
const FOR_OWN_REASONS: usize = 4;

/// Where predictions are handed in to be kept.
pub struct Capture {
    selection: Selection,
    queue: Sender<Message>,
    memory: Allowance,
    counts: Arc<CaptureCounts>,
    /// Closed when the thread has ended.
    ended: Receiver<()>,
}

impl Capture {
    /// Opens the folder and starts the thread.
    ///
    /// # Errors
    /// [`CaptureError`]: the folder cannot be used.
    pub fn start(options: &CaptureOptions) -> Result<Self, CaptureError> {
        let directory = &options.directory;
        let selection = Selection::new(options);
        let retention = Retention { max_bytes: options.max_bytes, max_age: options.max_age };
        let memory = Allowance::new(options.queue_bytes);
        let writer_options = WriterOptions {
            directory: directory.clone(),
            retention,
            retry_after: options.retry_after,
        };
        let counts = Arc::new(CaptureCounts::default());
        let writer = CaptureWriter::open(writer_options, Arc::clone(&counts))?;
        let (queue, messages) = bounded(QUEUED_IMAGES);
        let (ending, ended) = bounded(0);
        let run = move || {
            writer.run(&messages);
            drop(ending);
        };
        let thread = std::thread::Builder::new().name("capture".into()).spawn(run);
        thread.map_err(CaptureError::io("start a thread for", directory))?;
        Ok(Self { selection, queue, memory, counts, ended })
    }

    /// Hands in the answer to an image, to be kept if it is one of those that are. A tensor is none: nobody
    /// could look at it. Never waits.
    pub fn offer(&self, request_id: &str, answer: &Answer, served: &ServedModel) {
        let Some(AnsweredImage { bytes: image, sha256 }) = &answer.image else { return };
        let reasons = self.selection.reasons(sha256, answer);
        if reasons.is_empty() {
            return;
        }
        let mut room = self.memory.reserve();
        let is_queued = self.counts.enabled()
            && self.has_room_for(&reasons, image.len())
            && room.grow(image.len());
        if !is_queued {
            self.counts.count_dropped();
            return;
        }
        let observed = CapturedPrediction::new(request_id, answer, served, reasons);
        let (sha256, image) = (sha256.clone(), image.bytes());
        let entry = Box::new(Entry { observed, sha256, image, _room: room });
        if let Err(refused) = self.queue.try_send(Message::Keep(entry)) {
            self.counts.count_dropped();
            if refused.is_disconnected() {
                self.counts.set_enabled(false);
            }
        }
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
    #[must_use]
    pub fn counts(&self) -> &Arc<CaptureCounts> {
        &self.counts
    }

    /// Images that wait to be written.
    #[must_use]
    pub fn queued_images(&self) -> usize {
        self.queue.len()
    }

    /// Returns when what was handed in has been written, or at `deadline`. Nothing is captured from
    /// then on.
    pub async fn finish(&self, deadline: Instant) {
        let mut told = false;
        loop {
            told = told || !self.queue.try_send(Message::Stop).is_err_and(|error| error.is_full());
            if told && self.ended.try_recv().is_err_and(|error| error.is_disconnected()) {
                return;
            }
            if Instant::now() >= deadline {
                let images = self.queued_images();
                tracing::warn!("{images} images could not be captured in time");
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crossbeam_channel::bounded;

    use super::{
        Allowance, Capture, CaptureCounts, CaptureOptions, QUEUED_IMAGES, Reason, Selection,
    };

    #[test]
    fn samples_leave_room_for_what_has_a_reason_of_its_own() {
        let capture = Capture {
            selection: Selection::new(&CaptureOptions::new("captured".into())),
            queue: bounded(QUEUED_IMAGES).0,
            memory: Allowance::new(100),
            counts: Arc::new(CaptureCounts::default()),
            ended: bounded(0).1,
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

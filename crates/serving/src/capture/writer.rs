//! The thread that writes.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use crossbeam_channel::{Receiver, RecvTimeoutError};
use sdd_core::image::file_extension;

use super::counts::CaptureCounts;
use super::error::CaptureError;
use super::folder::{CaptureFolder, IfMissing};
use super::names::ImageName;
use super::record::{CapturedPrediction, Record};
use super::retention::Retention;
use crate::allowance::Reservation;
use crate::causes::chain_of;

/// How often files are looked at for their age, and counted anew, at the most and at the least.
const SWEEP_INTERVALS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_hours(1));

/// How often within the age at which files go, so that none stays much longer.
const SWEEPS_WITHIN_AGE: u32 = 10;

/// What the thread is told.
pub(super) enum Message {
    Keep(Box<Entry>),
    /// To end when what came before it is done.
    Stop,
}

/// One prediction and its image.
pub(super) struct Entry {
    pub observed: CapturedPrediction,
    /// Of the image, 64 hexadecimal digits.
    pub sha256: String,
    pub image: Bytes,
    /// The room in the queue, given back when the entry is dropped.
    pub _room: Reservation,
}

/// Where and what is written.
#[derive(Debug, Clone)]
pub(super) struct WriterOptions {
    pub directory: PathBuf,
    pub retention: Retention,
    pub retry_after: Duration,
}

impl WriterOptions {
    fn next_sweep(&self) -> Instant {
        let (shortest, longest) = SWEEP_INTERVALS;
        let by_age = self.retention.max_age.map(|age| age / SWEEPS_WITHIN_AGE);
        Instant::now() + by_age.unwrap_or(longest).clamp(shortest, longest)
    }
}

pub(super) struct CaptureWriter {
    options: WriterOptions,
    counts: Arc<CaptureCounts>,
    state: State,
}

enum State {
    On {
        folder: CaptureFolder,
        next_sweep: Instant,
    },
    /// The folder could not be written to.
    Off {
        retry_at: Instant,
        /// What was to be written then: tried again, so that success says that there is room.
        unwritten: Option<Box<Entry>>,
    },
}

impl CaptureWriter {
    /// Opens the folder. A full disk turns the capture off from the start.
    ///
    /// # Errors
    /// Any other reason why nothing can be written.
    pub fn open(options: WriterOptions, counts: Arc<CaptureCounts>) -> Result<Self, CaptureError> {
        let state = match CaptureFolder::open(&options.directory, IfMissing::Create) {
            Ok(folder) => {
                tracing::info!("capturing to {}", options.directory.display());
                State::On { folder, next_sweep: Instant::now() }
            }
            Err(error) if error.is_storage_full() => {
                warn(&error, &options);
                State::Off { retry_at: Instant::now() + options.retry_after, unwritten: None }
            }
            Err(error) => return Err(error),
        };
        counts.set_enabled(matches!(state, State::On { .. }));
        Ok(Self { options, counts, state })
    }

    /// Writes until told to stop, or until nobody can tell any more.
    pub fn run(mut self, queue: &Receiver<Message>) {
        loop {
            self.do_what_is_due();
            let wake_at = match &self.state {
                State::On { next_sweep, .. } => *next_sweep,
                State::Off { retry_at, .. } => *retry_at,
            };
            match queue.recv_deadline(wake_at) {
                Ok(Message::Keep(entry)) => self.take(entry),
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
        self.counts.set_enabled(false);
        if let State::Off { unwritten: Some(_), .. } = self.state {
            self.counts.count_dropped();
        }
    }

    fn do_what_is_due(&mut self) {
        let now = Instant::now();
        match &mut self.state {
            State::On { folder, next_sweep } if *next_sweep <= now => {
                let swept = folder.sweep(&self.options.retention, 0);
                *next_sweep = self.options.next_sweep();
                self.counts.set_stored_bytes(folder.stored_bytes);
                match swept {
                    Ok(removed) => self.counts.count_removed(removed),
                    Err(error) => self.turn_off(&error, None),
                }
            }
            State::Off { retry_at, unwritten } if *retry_at <= now => {
                let unwritten = unwritten.take();
                self.try_again(unwritten);
            }
            _ => {}
        }
    }

    fn take(&mut self, entry: Box<Entry>) {
        let State::On { folder, .. } = &mut self.state else {
            // It was in the queue when the capture was turned off.
            self.counts.count_dropped();
            return;
        };
        if let Err(error) = keep(&entry, folder, &self.options, &self.counts) {
            self.turn_off(&error, Some(entry));
        }
    }

    fn turn_off(&mut self, error: &CaptureError, unwritten: Option<Box<Entry>>) {
        warn(error, &self.options);
        self.stay_off(unwritten);
    }

    /// Gives the folder back, and with it the lock: the folder may be another one the next time.
    fn stay_off(&mut self, unwritten: Option<Box<Entry>>) {
        self.counts.count_failure();
        self.counts.set_enabled(false);
        let retry_at = Instant::now() + self.options.retry_after;
        self.state = State::Off { retry_at, unwritten };
    }

    fn try_again(&mut self, unwritten: Option<Box<Entry>>) {
        let directory = &self.options.directory;
        let reopen = || {
            // Where the folder is gone, a disk may be, and what is below it is not for us.
            let mut folder = CaptureFolder::open(directory, IfMissing::Fail)?;
            self.counts.count_removed(folder.sweep(&self.options.retention, 0)?);
            self.counts.set_stored_bytes(folder.stored_bytes);
            if let Some(entry) = &unwritten {
                keep(entry, &mut folder, &self.options, &self.counts)?;
            }
            Ok::<_, CaptureError>(folder)
        };
        match reopen() {
            Ok(folder) => {
                self.state = State::On { folder, next_sweep: self.options.next_sweep() };
                self.counts.set_enabled(true);
                // Once it is true.
                tracing::info!("capture to {} is on again", self.options.directory.display());
            }
            Err(error) => {
                // One warning is enough: the gauge tells for how long it lasts.
                tracing::debug!("capture stays off: {}", chain_of(&error));
                self.stay_off(unwritten);
            }
        }
    }
}

fn warn(error: &CaptureError, options: &WriterOptions) {
    tracing::warn!(
        "capture is off, images are answered all the same: {}; trying again every {} s",
        chain_of(error),
        options.retry_after.as_secs()
    );
}

/// Writes the image, then the record that names it.
fn keep(
    entry: &Entry,
    folder: &mut CaptureFolder,
    options: &WriterOptions,
    counts: &CaptureCounts,
) -> Result<(), CaptureError> {
    let Entry { observed, sha256, image, .. } = entry;
    let Some(extension) = file_extension(image) else {
        // Only images are answered, so this is for a format that the model's side learned alone.
        counts.count_dropped();
        return Ok(());
    };
    let name = ImageName { sha256: sha256.clone(), extension };
    let day = observed.time.date();
    let mut line = serde_json::to_vec(&Record::new(observed, &name, image.len()))
        .map_err(|error| CaptureError::io("write a record into", &folder.path)(error.into()))?;
    line.push(b'\n');
    let incoming_bytes = (image.len() + line.len()) as u64;
    let retention = &options.retention;
    if retention.max_bytes.is_some_and(|max_bytes| incoming_bytes > max_bytes) {
        // Making room for it would remove all else and not be enough.
        counts.count_dropped();
        return Ok(());
    }
    counts.count_removed(folder.make_room(retention, incoming_bytes)?);
    let with_image = folder.put_image(&name, image)?;
    folder.append(day, &line)?;
    counts.count_record(with_image);
    counts.set_stored_bytes(folder.stored_bytes);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;
    use std::time::Duration;

    use bytes::Bytes;
    use sdd_core::Probabilities;
    use sha2::{Digest, Sha256};
    use time::OffsetDateTime;

    use super::{CaptureCounts, CaptureWriter, Entry, Message, WriterOptions};
    use crate::allowance::Allowance;
    use crate::capture::record::{CapturedPrediction, Reason, RecordedModel};
    use crate::capture::retention::Retention;

    fn entry(image: &'static [u8], room: &Allowance) -> Message {
        let model = RecordedModel { name: "m".into(), version: "1".into(), sha256: "0".repeat(64) };
        let observed = CapturedPrediction {
            time: OffsetDateTime::UNIX_EPOCH,
            request_id: "r".into(),
            class: "defect".into(),
            confidence: 0.9,
            probabilities: Probabilities(vec![("defect".into(), 0.9)]),
            drift: None,
            model,
            reasons: vec![Reason::OutOfDistribution],
        };
        let mut room = room.reserve();
        assert!(room.grow(image.len()));
        let sha256 = format!("{:x}", Sha256::digest(image));
        let image = Bytes::from_static(image);
        Message::Keep(Box::new(Entry { observed, sha256, image, _room: room }))
    }

    /// Writes what is handed in, and then ends; meanwhile `disturb` is called once.
    fn write(path: &Path, images: &[&'static [u8]], disturb: impl FnOnce()) -> Arc<CaptureCounts> {
        let retention = Retention { max_bytes: Some(10_000), max_age: None };
        let options = WriterOptions {
            directory: path.to_owned(),
            retention,
            retry_after: Duration::from_mins(1),
        };
        let counts = Arc::new(CaptureCounts::default());
        let writer = CaptureWriter::open(options, Arc::clone(&counts)).unwrap();
        assert!(counts.enabled());
        disturb();
        let (memory, (queue, messages)) = (Allowance::new(1 << 20), crossbeam_channel::unbounded());
        for image in images {
            queue.send(entry(image, &memory)).unwrap();
        }
        queue.send(Message::Stop).unwrap();
        writer.run(&messages);
        assert_eq!(memory.used(), 0, "all room was given back");
        counts
    }

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n 1";
    const OTHER_PNG: &[u8] = b"\x89PNG\r\n\x1a\n 2";
    const LARGE_PNG: &[u8] = &{
        let mut bytes = [0; 10_001];
        let mut place = 0;
        while place < PNG.len() {
            bytes[place] = PNG[place];
            place += 1;
        }
        bytes
    };

    #[test]
    fn what_is_written_and_what_is_not_is_counted() {
        let temporary = tempfile::tempdir().unwrap();
        let images = [PNG, OTHER_PNG, PNG, b"no image", LARGE_PNG];
        let counts = write(temporary.path(), &images, || {});
        assert_eq!((counts.records(), counts.images(), counts.dropped()), (3, 2, 2));
        assert_eq!((counts.failures(), counts.removed_files(), counts.enabled()), (0, 0, false));
        let records = temporary.path().join("predictions-1970-01-01.jsonl");
        let written = std::fs::metadata(records).unwrap().len() + 2 * PNG.len() as u64;
        assert_eq!(counts.stored_bytes(), written);
    }

    #[test]
    fn one_failure_turns_it_off_for_all() {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("capture");
        let away = temporary.path().join("away");
        let disturb = || std::fs::rename(&path, &away).unwrap();
        let counts = write(&path, &[PNG, OTHER_PNG, PNG], disturb);
        assert_eq!((counts.records(), counts.images(), counts.dropped()), (0, 0, 3));
        assert_eq!((counts.failures(), counts.enabled()), (1, false));
        assert!(!path.exists());
    }
}

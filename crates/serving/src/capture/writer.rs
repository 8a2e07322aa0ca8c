//! The thread that writes images and predictions into the capture folder.

use std::time::{Duration, Instant};

use bytes::Bytes;
use crossbeam_channel::{Receiver, RecvTimeoutError};

use crate::allowance::Reservation;
use crate::capture::counts::SharedCounts;
use crate::capture::error::CaptureError;
use crate::capture::folder::{CaptureFolder, IfMissing};
use crate::capture::names::ImageName;
use crate::capture::options::CaptureOptions;
use crate::capture::prediction::CapturedPrediction;
use crate::causes::chain_of;

/// How often files are looked at for their age, and counted anew, at the most and at the least.
const SWEEP_INTERVALS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_hours(1));

/// How often within the age at which files go, so that none stays much longer.
const SWEEPS_WITHIN_AGE: u32 = 10;

/// What the thread is told.
pub(crate) enum Message {
    Keep(Box<Entry>),
    /// To end when what came before it is done.
    Stop,
}

/// One prediction and its image.
pub(crate) struct Entry {
    pub prediction: CapturedPrediction,
    pub name: ImageName,
    pub image: Bytes,
    /// The room in the queue, given back when the entry is dropped.
    pub _room: Reservation,
}

pub(crate) struct CaptureWriter {
    options: CaptureOptions,
    counts: SharedCounts,
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
    pub fn open(options: CaptureOptions, counts: SharedCounts) -> Result<Self, CaptureError> {
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
        counts.lock().enabled = matches!(state, State::On { .. });
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
        self.counts.lock().enabled = false;
        if let State::Off { unwritten: Some(_), .. } = self.state {
            self.counts.lock().dropped += 1;
        }
    }

    fn do_what_is_due(&mut self) {
        let now = Instant::now();
        match &mut self.state {
            State::On { folder, next_sweep } if *next_sweep <= now => {
                let swept = folder.sweep(&self.options, 0);
                *next_sweep = next_sweep_of(&self.options);
                self.counts.lock().stored_bytes = folder.stored_bytes;
                match swept {
                    Ok(removed) => self.counts.lock().removed_files += removed,
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
            self.counts.lock().dropped += 1;
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
        self.counts.lock().failures += 1;
        self.counts.lock().enabled = false;
        let retry_at = Instant::now() + self.options.retry_after;
        self.state = State::Off { retry_at, unwritten };
    }

    fn try_again(&mut self, unwritten: Option<Box<Entry>>) {
        let directory = &self.options.directory;
        let reopen = || {
            // Where the folder is gone, a disk may be, and what is below it is not for us.
            let mut folder = CaptureFolder::open(directory, IfMissing::Fail)?;
            let removed = folder.sweep(&self.options, 0)?;
            self.counts.lock().removed_files += removed;
            self.counts.lock().stored_bytes = folder.stored_bytes;
            if let Some(entry) = &unwritten {
                keep(entry, &mut folder, &self.options, &self.counts)?;
            }
            Ok::<_, CaptureError>(folder)
        };
        match reopen() {
            Ok(folder) => {
                self.state = State::On { folder, next_sweep: next_sweep_of(&self.options) };
                self.counts.lock().enabled = true;
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

fn next_sweep_of(options: &CaptureOptions) -> Instant {
    let (shortest, longest) = SWEEP_INTERVALS;
    let by_age = options.max_age.map(|age| age / SWEEPS_WITHIN_AGE);
    Instant::now() + by_age.unwrap_or(longest).clamp(shortest, longest)
}

fn warn(error: &CaptureError, options: &CaptureOptions) {
    tracing::warn!(
        "capture is off, images are answered all the same: {}; trying again every {} s",
        chain_of(error),
        options.retry_after.as_secs()
    );
}

/// Writes the image, then the line that names it.
fn keep(
    entry: &Entry,
    folder: &mut CaptureFolder,
    options: &CaptureOptions,
    counts: &SharedCounts,
) -> Result<(), CaptureError> {
    let Entry { prediction, name, image, .. } = entry;
    let mut line = serde_json::to_vec(prediction)
        .map_err(|error| CaptureError::io("write a prediction into", &folder.path)(error.into()))?;
    line.push(b'\n');
    let incoming_bytes = (image.len() + line.len()) as u64;
    if options.max_bytes.is_some_and(|max_bytes| incoming_bytes > max_bytes) {
        // Making room for it would remove all else and not be enough.
        counts.lock().dropped += 1;
        return Ok(());
    }
    let removed = folder.make_room(options, incoming_bytes)?;
    counts.lock().removed_files += removed;
    let with_image = folder.put_image(name, image)?;
    folder.append(prediction.time.date(), &line)?;
    let mut counts = counts.lock();
    counts.predictions += 1;
    counts.images += u64::from(with_image);
    counts.stored_bytes = folder.stored_bytes;
    Ok(())
}

//! The first stage: from an encoded image to the model's input.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sdd_core::{InputReader, ReadTimes};

use super::admission::Admission;
use super::instruments::Instruments;
use super::isolation::Stage;
use super::job::{Input, Job, Prepared, StageTimes};
use super::pace::Lanes;
use crate::error::ApiError;

/// Reads images, on one thread.
pub(super) struct Preparer {
    reader: InputReader,
    /// To start afresh from: a panic may have left the other's buffers half-written.
    unused: InputReader,
    lanes: Lanes,
    admission: Arc<Admission>,
    instruments: Instruments,
}

impl Preparer {
    pub fn new(
        reader: InputReader,
        lanes: Lanes,
        admission: Arc<Admission>,
        instruments: Instruments,
    ) -> Self {
        Self { unused: reader.clone(), reader, lanes, admission, instruments }
    }

    /// Reads the image of a job. `None` when nobody wants it any more, or when it cannot be read;
    /// then its client has been told.
    pub fn prepare(&mut self, job: Job) -> Option<Prepared> {
        let Job { input, enqueued, order } = job;
        let queue = enqueued.elapsed();
        // Also of those that have waited too long: they more than any.
        self.instruments.stages.queue.observe(queue.as_secs_f64());
        let order = order.if_wanted()?;
        let start = Instant::now();
        let (read, tensor) = match input {
            Input::Tensor(tensor) => (Ok(ReadTimes::default()), tensor),
            Input::Encoded(image) => {
                let mut tensor = vec![0.0; self.reader.tensor_len()];
                (self.reader.read(&image, &mut tensor).map(|read| read.times), tensor)
            }
        };
        match read {
            Ok(ReadTimes { decode, preprocess }) => {
                self.instruments.stages.decode.observe(decode.as_secs_f64());
                self.instruments.stages.preprocess.observe(preprocess.as_secs_f64());
                let times = StageTimes { queue, decode, preprocess, ..StageTimes::default() };
                Some(Prepared { order, tensor, times, ready: Instant::now() })
            }
            Err(error) => {
                // A large file that turns out to be damaged keeps others waiting as a good one does.
                let spent = start.elapsed();
                self.instruments.stages.decode.observe(spent.as_secs_f64());
                self.admission.note_times(self.lanes, spent, Duration::ZERO);
                order.answer(Err(ApiError::Image(error)));
                None
            }
        }
    }
}

impl Stage for Preparer {
    fn instruments(&self) -> &Instruments {
        &self.instruments
    }

    fn start_afresh(&mut self) {
        self.reader = self.unused.clone();
    }
}

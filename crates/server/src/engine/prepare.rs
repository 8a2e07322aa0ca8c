//! The first stage: from an encoded image to the model's input.

use std::time::Instant;

use sdd_core::{InputReader, ReadTimes};

use super::isolation::Stage;
use super::job::{Input, Job, Prepared, StageTimes};
use crate::error::ApiError;

/// Reads images, on one thread.
pub(super) struct Preparer {
    reader: InputReader,
    /// To start afresh from: a panic may have left the other's buffers half-written.
    unused: InputReader,
}

impl Preparer {
    pub fn new(reader: InputReader) -> Self {
        Self { unused: reader.clone(), reader }
    }

    /// Reads the image of a job. `None` when nobody wants it any more, or when it cannot be read;
    /// then its client has been told.
    pub fn prepare(&mut self, job: Job) -> Option<Prepared> {
        let Job { input, enqueued, order } = job;
        let order = order.if_wanted()?;
        let queue = enqueued.elapsed();
        let (read, tensor) = match input {
            Input::Tensor(tensor) => (Ok(ReadTimes::default()), tensor),
            Input::Encoded(image) => {
                let mut tensor = vec![0.0; self.reader.tensor_len()];
                (self.reader.read(&image, &mut tensor), tensor)
            }
        };
        match read {
            Ok(ReadTimes { decode, preprocess }) => {
                let times = StageTimes { queue, decode, preprocess, ..StageTimes::default() };
                Some(Prepared { order, tensor, times, ready: Instant::now() })
            }
            Err(error) => {
                order.answer(Err(ApiError::Image(error)));
                None
            }
        }
    }
}

impl Stage for Preparer {
    fn start_afresh(&mut self) {
        self.reader = self.unused.clone();
    }
}

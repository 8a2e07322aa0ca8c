//! The first stage: from an encoded image to the model's input.

use std::time::Instant;

use sdd_core::{ImageWarning, InputReader, ReadImage, ReadTimes};
use sdd_serving::ReservedBytes;

use super::instruments::Instruments;
use super::isolation::Stage;
use super::job::{AnsweredImage, Input, Job, Prepared, StageTimes};
use crate::error::ApiError;

/// Reads images, on one thread.
pub(super) struct Preparer {
    reader: InputReader,
    /// To start afresh from: a panic may have left the other's buffers half-written.
    unused: InputReader,
    instruments: Instruments,
}

impl Preparer {
    pub fn new(reader: InputReader, instruments: Instruments) -> Self {
        Self { unused: reader.clone(), reader, instruments }
    }

    /// Reads the image of a job. `None` when nobody wants it any more, or when it cannot be read;
    /// then its client has been told.
    pub fn prepare(&mut self, job: Job) -> Option<Prepared> {
        let Job { input, enqueued, order } = job;
        let queue = enqueued.elapsed();
        // Also of those that have waited too long: they more than any.
        self.instruments.stages.queue.observe(queue.as_secs_f64());
        let order = order.if_wanted()?;
        let times = StageTimes { queue, ..StageTimes::default() };
        match input {
            Input::Tensor(tensor) => Some(Prepared {
                order,
                tensor,
                is_of_client: true,
                image: None,
                warning: None,
                times,
                ready: Instant::now(),
            }),
            Input::Encoded(image) => match self.read(&image, times) {
                Ok((tensor, times, warning)) => {
                    let image = order.keeps_image().then(|| AnsweredImage::new(image));
                    let (is_of_client, ready) = (false, Instant::now());
                    Some(Prepared { order, tensor, is_of_client, image, warning, times, ready })
                }
                Err(error) => {
                    order.answer(Err(error));
                    None
                }
            },
        }
    }

    fn read(
        &mut self,
        image: &ReservedBytes,
        times: StageTimes,
    ) -> Result<(Vec<f32>, StageTimes, Option<ImageWarning>), ApiError> {
        let stages = &self.instruments.stages;
        let mut tensor = vec![0.0; self.reader.tensor_len()];
        let start = Instant::now();
        let read = self.reader.read(image, &mut tensor).map_err(|error| {
            stages.decode.observe(start.elapsed().as_secs_f64());
            ApiError::Image(error)
        })?;
        let ReadImage { times: ReadTimes { decode, preprocess }, warning } = read;
        stages.decode.observe(decode.as_secs_f64());
        stages.preprocess.observe(preprocess.as_secs_f64());
        let (decode, preprocess) = (Some(decode), Some(preprocess));
        Ok((tensor, StageTimes { decode, preprocess, ..times }, warning))
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

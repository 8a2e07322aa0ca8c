//! The first stage: from an encoded image to the model's input.

use std::sync::Arc;
use std::time::Instant;

use sdd_core::{ImageWarning, InputReader, ReadImage, ReadTimes};

use super::error::EngineError;
use super::isolation::Isolated;
use super::job::{AnsweredImage, Input, Job, Prepared, StageTimes};
use super::observer::{EngineObserver, Stage};
use crate::reserved_bytes::ReservedBytes;

/// Reads images, on one thread.
pub(super) struct Preparer {
    reader: InputReader,
    /// To start afresh from: a panic may have left the other's buffers half-written.
    unused: InputReader,
    observer: Arc<dyn EngineObserver>,
}

impl Preparer {
    pub fn new(reader: InputReader, observer: Arc<dyn EngineObserver>) -> Self {
        Self { unused: reader.clone(), reader, observer }
    }

    /// Reads the image of a job. `None` when nobody wants it any more, or when it cannot be read;
    /// then its client has been told.
    pub fn prepare(&mut self, job: Job) -> Option<Prepared> {
        let Job { input, enqueued, order } = job;
        let queue = enqueued.elapsed();
        // Also of those that have waited too long: they more than any.
        self.observer.stage(Stage::Queue, queue);
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
    ) -> Result<(Vec<f32>, StageTimes, Option<ImageWarning>), EngineError> {
        let mut tensor = vec![0.0; self.reader.tensor_len()];
        let start = Instant::now();
        let read = self.reader.read(image, &mut tensor).map_err(|error| {
            self.observer.stage(Stage::Decode, start.elapsed());
            EngineError::Image(error)
        })?;
        let ReadImage { times: ReadTimes { decode, preprocess }, warning } = read;
        self.observer.stage(Stage::Decode, decode);
        self.observer.stage(Stage::Preprocess, preprocess);
        let (decode, preprocess) = (Some(decode), Some(preprocess));
        Ok((tensor, StageTimes { decode, preprocess, ..times }, warning))
    }
}

impl Isolated for Preparer {
    fn observer(&self) -> &dyn EngineObserver {
        &*self.observer
    }

    fn start_afresh(&mut self) {
        self.reader = self.unused.clone();
    }
}

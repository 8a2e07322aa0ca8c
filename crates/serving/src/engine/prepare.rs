//! The first stage: from an encoded image to the model's input.

use std::sync::Arc;
use std::time::Instant;

use sdd_core::{InputReader, ReadImage};

use crate::engine::error::EngineError;
use crate::engine::isolation::Isolated;
use crate::engine::job::{AnsweredImage, Input, Job, Prepared, StageTimes};
use crate::engine::observer::{EngineObserver, Stage};
use crate::reserved_bytes::ReservedBytes;

/// Reads images, on one thread.
pub(crate) struct Preparer {
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
                read: None,
                image: None,
                times,
                ready: Instant::now(),
            }),
            Input::Encoded(image) => match self.read(&image) {
                Ok((tensor, read)) => {
                    let (decode, preprocess) =
                        (Some(read.times.decode), Some(read.times.preprocess));
                    let times = StageTimes { decode, preprocess, ..times };
                    let image = order.keeps_image().then(|| AnsweredImage::new(image));
                    let (read, ready) = (Some(read), Instant::now());
                    Some(Prepared { order, tensor, read, image, times, ready })
                }
                Err(error) => {
                    order.answer(Err(error));
                    None
                }
            },
        }
    }

    fn read(&mut self, image: &ReservedBytes) -> Result<(Vec<f32>, ReadImage), EngineError> {
        let mut tensor = vec![0.0; self.reader.tensor_len()];
        let start = Instant::now();
        let read = self.reader.read(image, &mut tensor).map_err(|error| {
            self.observer.stage(Stage::Decode, start.elapsed());
            EngineError::Image(error)
        })?;
        self.observer.stage(Stage::Decode, read.times.decode);
        self.observer.stage(Stage::Preprocess, read.times.preprocess);
        Ok((tensor, read))
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

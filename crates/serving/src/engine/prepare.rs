//! The first stage: from an encoded image to the model's input.

use std::sync::Arc;
use std::time::Instant;

use sdd_core::{ImageError, InputReader, ReadImage};

use crate::engine::error::EngineError;
use crate::engine::isolation::Isolated;
use crate::engine::job::{AnsweredImage, Input, Job, Prepared, StageTimes};
use crate::engine::observer::{EngineObserver, Stage};

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
        let mut times = StageTimes::default();
        // Also of those that have waited too long: they more than any.
        times.note(Stage::Queue, enqueued.elapsed(), &*self.observer);
        let order = order.if_wanted()?;
        let (tensor, read, image) = match input {
            Input::Tensor(tensor) => (tensor, None, None),
            Input::Encoded(file) => match self.read(&file, &mut times) {
                Ok((tensor, read)) => {
                    let image = order.keeps_image().then(|| AnsweredImage::new(file));
                    (tensor, Some(read), image)
                }
                Err(error) => {
                    order.answer(Err(EngineError::Image(error)));
                    return None;
                }
            },
        };
        Some(Prepared { order, tensor, read, image, times, ready: Instant::now() })
    }

    fn read(
        &mut self,
        file: &[u8],
        times: &mut StageTimes,
    ) -> Result<(Vec<f32>, ReadImage), ImageError> {
        let mut tensor = vec![0.0; self.reader.tensor_len()];
        let start = Instant::now();
        let read = self.reader.read(file, &mut tensor);
        let read = read.inspect_err(|_| self.observer.stage(Stage::Decode, start.elapsed()))?;
        times.note(Stage::Decode, read.times.decode, &*self.observer);
        times.note(Stage::Preprocess, read.times.preprocess, &*self.observer);
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

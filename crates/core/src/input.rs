//! From the bytes of an image file to the model's input: decoding and preprocessing in a row.

use std::time::{Duration, Instant};

use crate::error::ImageError;
use crate::image::{self, ImageLimits};
use crate::preprocess::Preprocessor;
use crate::spec::{Color, ModelSpec};

/// Makes a model's input of encoded images. Needs no session, so that images can be read on other
/// threads than the model runs on; owns its buffers, so one for each of them.
#[derive(Debug, Clone)]
pub struct InputReader {
    preprocessor: Preprocessor,
    color: Color,
    limits: ImageLimits,
    shape: [usize; 3],
}

/// How long reading one image took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReadTimes {
    /// From the file's bytes to pixels.
    pub decode: Duration,
    /// From pixels to the normalised tensor.
    pub preprocess: Duration,
}

impl InputReader {
    /// A reader for what a model says that it wants.
    #[must_use]
    pub fn new(spec: &ModelSpec, limits: ImageLimits) -> Self {
        let preprocessing = &spec.preprocessing;
        let shape = [3, preprocessing.height as usize, preprocessing.width as usize];
        let preprocessor = Preprocessor::new(preprocessing);
        Self { preprocessor, color: preprocessing.color, limits, shape }
    }

    /// Channels, height and width of the tensor of one image.
    #[must_use]
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// Number of values in the tensor of one image.
    #[must_use]
    pub fn tensor_len(&self) -> usize {
        self.preprocessor.tensor_len()
    }

    /// Writes the tensor of one encoded image, CHW, into `tensor`.
    ///
    /// # Errors
    /// [`ImageError`]: what is wrong with the image; `tensor` is then as it was or half-written.
    ///
    /// # Panics
    /// When `tensor` has not [`tensor_len`](Self::tensor_len) values.
    pub fn read(&mut self, image: &[u8], tensor: &mut [f32]) -> Result<ReadTimes, ImageError> {
        let start = Instant::now();
        let pixels = image::decode(image, self.color, &self.limits)?;
        let decoded = Instant::now();
        self.preprocessor.write(&pixels, tensor);
        Ok(ReadTimes { decode: decoded - start, preprocess: decoded.elapsed() })
    }
}

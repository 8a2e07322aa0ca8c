//! From the bytes of an image file to the model's input: decoding and preprocessing in a row.

use std::time::{Duration, Instant};

use crate::error::ImageError;
use crate::image::{Decoder, ImageLimits};
use crate::preprocess::Preprocessor;
use crate::properties::ImageProperties;
use crate::spec::{Color, ModelSpec};
use crate::warning::ImageWarning;

/// How images are read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// What one image may cost.
    pub limits: ImageLimits,
    /// Lets libjpeg-turbo decode JPEGs at 1/2, 1/4 or 1/8 of their size while that leaves
    /// [`SCALED_OVER_INPUT`] times the model's input. Faster for large photographs; off by default,
    /// because the pixels are not quite those that the model was trained with.
    pub scaled_jpeg: bool,
}

/// How many times as wide and as high as the model's input a JPEG stays when it is decoded at a
/// fraction of its size, so that the model's own filter still does most of the resizing.
pub const SCALED_OVER_INPUT: u32 = 2;

/// Makes a model's input of encoded images. Needs no session, so that images can be read on other
/// threads than the model runs on; owns its buffers, so one for each of them.
#[derive(Debug, Clone)]
pub struct InputReader {
    decoder: Decoder,
    preprocessor: Preprocessor,
    color: Color,
}

/// How long reading one image took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReadTimes {
    /// From the file's bytes to pixels.
    pub decode: Duration,
    /// From pixels to the normalized tensor, and their properties.
    pub preprocess: Duration,
}

/// An image that was read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReadImage {
    /// How long it took.
    pub times: ReadTimes,
    /// What is odd about it.
    pub warning: Option<ImageWarning>,
    /// How it looks to the model.
    pub properties: ImageProperties,
}

impl InputReader {
    /// A reader for what a model says that it wants.
    #[must_use]
    pub fn new(spec: &ModelSpec, options: &ReadOptions) -> Self {
        let preprocessing = &spec.preprocessing;
        let mut decoder =
            Decoder::new(options.limits.clone()).of_bit_depth(preprocessing.bit_depth);
        if options.scaled_jpeg {
            let over = |side: u32| side.saturating_mul(SCALED_OVER_INPUT);
            decoder =
                decoder.scaling_down_to(over(preprocessing.width), over(preprocessing.height));
        }
        let preprocessor = Preprocessor::new(preprocessing);
        Self { decoder, preprocessor, color: preprocessing.color }
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
    pub fn read(&mut self, image: &[u8], tensor: &mut [f32]) -> Result<ReadImage, ImageError> {
        let start = Instant::now();
        let pixels = self.decoder.decode(image, self.color)?;
        let decoded = Instant::now();
        let properties = self.preprocessor.write(pixels, tensor);
        self.decoder.release();
        let times = ReadTimes { decode: decoded - start, preprocess: decoded.elapsed() };
        Ok(ReadImage { times, warning: self.decoder.warning(), properties })
    }
}

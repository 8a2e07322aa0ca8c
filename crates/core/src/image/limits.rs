//! What an image may cost at most.

use crate::error::ImageError;

/// What an image may cost at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageLimits {
    /// Length of the encoded file, in bytes.
    pub max_bytes: usize,
    /// Width, and height, in pixels.
    pub max_side: u32,
    /// Width times height.
    pub max_pixels: u64,
}

impl ImageLimits {
    /// Bytes a decoded sample set may take: 4 channels of 8 bits for the largest image allowed, so
    /// that a 16-bit image has half as many pixels.
    pub(crate) fn max_decoded_bytes(&self) -> u64 {
        self.max_pixels.saturating_mul(4)
    }

    pub(crate) fn check(&self, width: u32, height: u32) -> Result<(), ImageError> {
        let pixels = u64::from(width) * u64::from(height);
        if width.max(height) > self.max_side || pixels > self.max_pixels {
            return Err(self.exceeded_by(width, height));
        }
        Ok(())
    }

    pub(crate) fn exceeded_by(&self, width: u32, height: u32) -> ImageError {
        let Self { max_side, max_pixels, .. } = *self;
        ImageError::TooManyPixels { width, height, max_side, max_pixels }
    }
}

/// 20 MiB, 50 megapixels: today's largest phone photographs pass. A side may be as long as the
/// longest that a JPEG can have, since line-scan cameras make long images, and it is pixels that cost.
impl Default for ImageLimits {
    fn default() -> Self {
        Self { max_bytes: 20 << 20, max_side: 65_535, max_pixels: 50_000_000 }
    }
}

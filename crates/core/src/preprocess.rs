//! From pixels to the model's input tensor.

use crate::image::PixelsView;
use crate::luma;
use crate::properties::ImageProperties;
use crate::resample::Resampler;
use crate::simd::vectorize;
use crate::spec::{Color, Preprocessing};

/// Resizes and normalizes images for one model. Owns the buffers that this takes, so one serves many
/// images without allocating.
#[derive(Debug, Clone)]
pub struct Preprocessor {
    resampler: Resampler,
    /// The resized image: 8 bits a sample, channels interleaved.
    resized: Vec<u8>,
    width: usize,
    color: Color,
    scale: f32,
    mean: [f32; 3],
    std: [f32; 3],
}

impl Preprocessor {
    /// A preprocessor for what a model says it wants.
    #[must_use]
    pub fn new(preprocessing: &Preprocessing) -> Self {
        let Preprocessing { width, height, filter, color, scale, mean, std, .. } = *preprocessing;
        let (width, height) = (width as usize, height as usize);
        let resized = vec![0; width * height * color.channels()];
        let resampler = Resampler::new(filter, width, height);
        Self { resampler, resized, width, color, scale, mean, std }
    }

    /// Number of values that one image's tensor has: 3 x height x width.
    #[must_use]
    pub fn tensor_len(&self) -> usize {
        3 * self.plane_len()
    }

    /// Writes one image as CHW planes into `tensor`, which has [`tensor_len`](Self::tensor_len) values;
    /// gives the properties of the resized image.
    ///
    /// # Panics
    /// When `pixels` has another color space than the model wants, or `tensor` another length:
    /// both are this crate's to get right.
    pub fn write(&mut self, pixels: PixelsView<'_>, tensor: &mut [f32]) -> ImageProperties {
        assert_eq!(pixels.color, self.color, "pixels decoded for another model");
        assert_eq!(tensor.len(), self.tensor_len(), "tensor for another model");
        let size = (pixels.width as usize, pixels.height as usize);
        match self.color {
            Color::Gray => {
                self.resampler.resize::<1>(pixels.data, size, &mut self.resized);
                self.write_gray(tensor);
            }
            Color::Rgb => {
                self.resampler.resize::<3>(pixels.data, size, &mut self.resized);
                self.write_rgb(tensor);
                // The colors are not needed any more.
                luma::in_place(&mut self.resized);
            }
        }
        ImageProperties::of_luma(&self.resized[..self.plane_len()], self.width)
    }

    /// Normalizes the resized image, its one channel repeated.
    fn write_gray(&self, tensor: &mut [f32]) {
        let length = self.plane_len();
        for channel in 0..3 {
            let (written, rest) = tensor.split_at_mut(channel * length);
            let normalize = self.normalization(channel);
            let same = (0..channel).find(|before| self.normalization(*before) == normalize);
            if let Some(same) = same {
                rest[..length].copy_from_slice(&written[same * length..][..length]);
                continue;
            }
            vectorize(
                #[inline(always)]
                || {
                    for (value, sample) in rest.iter_mut().zip(&self.resized) {
                        *value = normalize.apply(*sample);
                    }
                },
            );
        }
    }

    /// Normalizes the resized image, its channels apart.
    fn write_rgb(&self, tensor: &mut [f32]) {
        let (red, rest) = tensor.split_at_mut(self.plane_len());
        let (green, blue) = rest.split_at_mut(self.plane_len());
        let [reds, greens, blues] = std::array::from_fn(|channel| self.normalization(channel));
        let (pixels, _) = self.resized.as_chunks::<3>();
        vectorize(
            #[inline(always)]
            || {
                let planes = red.iter_mut().zip(green).zip(blue);
                for (((red, green), blue), pixel) in planes.zip(pixels) {
                    *red = reds.apply(pixel[0]);
                    *green = greens.apply(pixel[1]);
                    *blue = blues.apply(pixel[2]);
                }
            },
        );
    }

    fn normalization(&self, channel: usize) -> Normalization {
        Normalization { scale: self.scale, mean: self.mean[channel], std: self.std[channel] }
    }

    fn plane_len(&self) -> usize {
        self.resized.len() / self.color.channels()
    }
}

/// How the samples of one channel become values.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Normalization {
    scale: f32,
    mean: f32,
    std: f32,
}

impl Normalization {
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "compiled into loops of every instruction set")]
    fn apply(self, sample: u8) -> f32 {
        (f32::from(sample) * self.scale - self.mean) / self.std
    }
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "the values are exact")]
mod tests {
    use super::Preprocessor;
    use crate::image::Pixels;
    use crate::spec::{Color, Filter, Preprocessing};

    fn preprocessing(color: Color) -> Preprocessing {
        Preprocessing {
            width: 2,
            height: 3,
            filter: Filter::Bilinear,
            color,
            scale: 0.5,
            mean: [1.0, 2.0, 3.0],
            std: [1.0, 2.0, 4.0],
            bit_depth: None,
        }
    }

    #[test]
    fn channels_become_planes_and_values_are_normalized() {
        let mut preprocessor = Preprocessor::new(&preprocessing(Color::Rgb));
        let pixels = Pixels { width: 2, height: 3, color: Color::Rgb, data: (0..18).collect() };
        let mut tensor = vec![0.0; preprocessor.tensor_len()];
        preprocessor.write(pixels.view(), &mut tensor);
        assert_eq!(tensor.len(), 18);
        // Row 1, column 0 is pixel 2, whose samples are 6, 7, 8.
        assert_eq!(tensor[2], 6.0 * 0.5 - 1.0);
        assert_eq!(tensor[6 + 2], (7.0 * 0.5 - 2.0) / 2.0);
        assert_eq!(tensor[12 + 2], (8.0 * 0.5 - 3.0) / 4.0);
    }

    #[test]
    fn gray_is_repeated_and_constant_images_stay_constant_when_resized() {
        let mut preprocessor = Preprocessor::new(&preprocessing(Color::Gray));
        for (width, height) in [(1, 1), (2, 3), (500, 7), (3, 1000)] {
            let pixels = Pixels {
                width,
                height,
                color: Color::Gray,
                data: vec![100; (width * height) as usize],
            };
            let mut tensor = vec![0.0; 18];
            preprocessor.write(pixels.view(), &mut tensor);
            assert!(tensor[..6].iter().all(|value| *value == 49.0));
            assert!(tensor[6..12].iter().all(|value| *value == 24.0));
            assert!(tensor[12..].iter().all(|value| *value == 11.75));
        }
    }
}

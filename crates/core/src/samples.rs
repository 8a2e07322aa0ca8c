//! From the samples of a decoded image to 8-bit gray or RGB, as Pillow converts them: alpha is
//! dropped, and of 16 bits the highest are taken.

use image::{DynamicImage, GrayImage, RgbImage};

use crate::bit_depth::Narrowing;
use crate::error::ImageError;
use crate::luma::luma;
use crate::simd::vectorize;

/// One byte a pixel. `bit_depth` is what the model's description states of 16-bit samples.
pub(crate) fn to_gray(decoded: DynamicImage, bit_depth: Option<u8>) -> Result<Vec<u8>, ImageError> {
    Ok(match to_eight_bit(decoded, bit_depth)? {
        DynamicImage::ImageLuma8(samples) => samples.into_raw(),
        DynamicImage::ImageLumaA8(samples) => pick(samples.as_raw(), |p: &[u8; 2]| p[0]),
        DynamicImage::ImageRgb8(samples) => {
            pick(samples.as_raw(), |p: &[u8; 3]| luma(p[0], p[1], p[2]))
        }
        DynamicImage::ImageRgba8(samples) => {
            pick(samples.as_raw(), |p: &[u8; 4]| luma(p[0], p[1], p[2]))
        }
        other => return Err(unsupported_samples(&other)),
    })
}

/// Three bytes a pixel. `bit_depth` as for [`to_gray`].
pub(crate) fn to_rgb(decoded: DynamicImage, bit_depth: Option<u8>) -> Result<Vec<u8>, ImageError> {
    let triples: Vec<[u8; 3]> = match to_eight_bit(decoded, bit_depth)? {
        DynamicImage::ImageRgb8(samples) => return Ok(samples.into_raw()),
        DynamicImage::ImageRgba8(samples) => {
            pick(samples.as_raw(), |p: &[u8; 4]| [p[0], p[1], p[2]])
        }
        DynamicImage::ImageLuma8(samples) => pick(samples.as_raw(), |p: &[u8; 1]| [p[0]; 3]),
        DynamicImage::ImageLumaA8(samples) => pick(samples.as_raw(), |p: &[u8; 2]| [p[0]; 3]),
        other => return Err(unsupported_samples(&other)),
    };
    Ok(triples.into_flattened())
}

/// An image of 16 bits a sample as one of 8, without its alpha; any other as it is.
fn to_eight_bit(decoded: DynamicImage, bit_depth: Option<u8>) -> Result<DynamicImage, ImageError> {
    let size = (decoded.width(), decoded.height());
    let (colors, samples) = match &decoded {
        DynamicImage::ImageLuma16(samples) => (1, narrowed::<1, 1>(samples, bit_depth)?),
        DynamicImage::ImageLumaA16(samples) => (1, narrowed::<2, 1>(samples, bit_depth)?),
        DynamicImage::ImageRgb16(samples) => (3, narrowed::<3, 3>(samples, bit_depth)?),
        DynamicImage::ImageRgba16(samples) => (3, narrowed::<4, 3>(samples, bit_depth)?),
        _ => return Ok(decoded),
    };
    let image = if colors == 1 {
        GrayImage::from_raw(size.0, size.1, samples).map(DynamicImage::from)
    } else {
        RgbImage::from_raw(size.0, size.1, samples).map(DynamicImage::from)
    };
    image.ok_or_else(|| unsupported_samples(&decoded))
}

/// The colors of pixels of `CHANNELS` samples, which stand first.
fn narrowed<const CHANNELS: usize, const COLORS: usize>(
    samples: &[u16],
    bit_depth: Option<u8>,
) -> Result<Vec<u8>, ImageError> {
    const { assert!(COLORS <= CHANNELS, "colors are some of the samples") }
    let colors = |pixel: &[u16; CHANNELS]| std::array::from_fn::<u16, COLORS, _>(|at| pixel[at]);
    let brightest = vectorize(
        #[inline(always)]
        || samples.as_chunks().0.iter().map(|pixel| largest(&colors(pixel))).max(),
    );
    let narrowing = Narrowing::of(brightest.unwrap_or(0), bit_depth)?;
    let narrow = |pixel: &[u16; CHANNELS]| colors(pixel).map(|sample| narrowing.eight_bit(sample));
    Ok(pick(samples, narrow).into_flattened())
}

/// 0 where there is none.
pub(crate) fn largest(samples: &[u16]) -> u16 {
    samples.iter().copied().max().unwrap_or(0)
}

/// One value a pixel of `CHANNELS` samples.
fn pick<const CHANNELS: usize, Sample, Value>(
    samples: &[Sample],
    value: impl Fn(&[Sample; CHANNELS]) -> Value,
) -> Vec<Value> {
    let (pixels, _) = samples.as_chunks::<CHANNELS>();
    vectorize(
        #[inline(always)]
        || pixels.iter().map(value).collect(),
    )
}

/// Pixels that are converted before any of them is written.
const BLOCK: usize = 64;

/// Makes fewer samples of each pixel's `FROM`: they come first in `samples` then.
pub(crate) fn convert_in_place<const FROM: usize, const TO: usize>(
    samples: &mut [u8],
    value: impl Fn([u8; FROM]) -> [u8; TO],
) {
    const { assert!(TO <= FROM, "what is written must have been read") }
    vectorize(
        #[inline(always)]
        || {
            let mut converted = [[0; TO]; BLOCK];
            let pixels = samples.len() / FROM;
            for start in (0..pixels).step_by(BLOCK) {
                let end = pixels.min(start + BLOCK);
                let (block, _) = samples[start * FROM..end * FROM].as_chunks();
                for (to, from) in converted.iter_mut().zip(block) {
                    *to = value(*from);
                }
                samples[start * TO..end * TO]
                    .copy_from_slice(converted[..end - start].as_flattened());
            }
        },
    );
}

fn unsupported_samples(decoded: &DynamicImage) -> ImageError {
    ImageError::unsupported(format!("an image with {:?} samples", decoded.color()))
}

#[cfg(test)]
mod tests {
    use super::convert_in_place;

    #[test]
    fn converting_in_place_is_converting_each_pixel() {
        for pixels in [0, 1, 63, 64, 65, 1000] {
            let inks: Vec<u8> = (0..4 * pixels).map(|at: u32| (at * 37).to_le_bytes()[0]).collect();
            let expected: Vec<u8> =
                inks.as_chunks().0.iter().flat_map(|[a, b, c, d]| [d ^ c, *b, *a]).collect();
            let mut found = inks.clone();
            convert_in_place(&mut found, |[a, b, c, d]: [u8; 4]| [d ^ c, b, a]);
            assert_eq!(found[..expected.len()], expected);
        }
    }
}

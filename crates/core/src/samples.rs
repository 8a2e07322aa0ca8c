//! From the samples of a decoded image to 8-bit gray or RGB, as Pillow converts them: alpha is
//! dropped, and of 16 bits the high byte is taken.

use image::DynamicImage;

use crate::error::ImageError;
use crate::luma::luma;
use crate::simd::vectorize;

/// One byte a pixel.
pub(crate) fn to_gray(decoded: DynamicImage) -> Result<Vec<u8>, ImageError> {
    Ok(match decoded {
        DynamicImage::ImageLuma8(samples) => samples.into_raw(),
        DynamicImage::ImageLumaA8(samples) => pick(samples.as_raw(), |p: &[u8; 2]| p[0]),
        DynamicImage::ImageLuma16(samples) => pick(samples.as_raw(), |p: &[u16; 1]| high(p[0])),
        DynamicImage::ImageLumaA16(samples) => pick(samples.as_raw(), |p: &[u16; 2]| high(p[0])),
        DynamicImage::ImageRgb8(samples) => {
            pick(samples.as_raw(), |p: &[u8; 3]| luma(p[0], p[1], p[2]))
        }
        DynamicImage::ImageRgba8(samples) => {
            pick(samples.as_raw(), |p: &[u8; 4]| luma(p[0], p[1], p[2]))
        }
        DynamicImage::ImageRgb16(samples) => {
            pick(samples.as_raw(), |p: &[u16; 3]| luma(high(p[0]), high(p[1]), high(p[2])))
        }
        DynamicImage::ImageRgba16(samples) => {
            pick(samples.as_raw(), |p: &[u16; 4]| luma(high(p[0]), high(p[1]), high(p[2])))
        }
        other => return Err(unsupported_samples(&other)),
    })
}

/// Three bytes a pixel.
pub(crate) fn to_rgb(decoded: DynamicImage) -> Result<Vec<u8>, ImageError> {
    let triples: Vec<[u8; 3]> = match decoded {
        DynamicImage::ImageRgb8(samples) => return Ok(samples.into_raw()),
        DynamicImage::ImageRgba8(samples) => {
            pick(samples.as_raw(), |p: &[u8; 4]| [p[0], p[1], p[2]])
        }
        DynamicImage::ImageLuma8(samples) => pick(samples.as_raw(), |p: &[u8; 1]| [p[0]; 3]),
        DynamicImage::ImageLumaA8(samples) => pick(samples.as_raw(), |p: &[u8; 2]| [p[0]; 3]),
        DynamicImage::ImageLuma16(samples) => {
            pick(samples.as_raw(), |p: &[u16; 1]| [high(p[0]); 3])
        }
        DynamicImage::ImageLumaA16(samples) => {
            pick(samples.as_raw(), |p: &[u16; 2]| [high(p[0]); 3])
        }
        DynamicImage::ImageRgb16(samples) => pick(samples.as_raw(), |p: &[u16; 3]| p.map(high)),
        DynamicImage::ImageRgba16(samples) => {
            pick(samples.as_raw(), |p: &[u16; 4]| [high(p[0]), high(p[1]), high(p[2])])
        }
        other => return Err(unsupported_samples(&other)),
    };
    Ok(triples.into_flattened())
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

/// The high byte, as Pillow reads 16-bit RGB.
pub(crate) fn high(sample: u16) -> u8 {
    (sample >> 8) as u8
}

fn unsupported_samples(decoded: &DynamicImage) -> ImageError {
    ImageError::Unsupported { what: format!("an image with {:?} samples", decoded.color()) }
}

#[cfg(test)]
mod tests {
    use super::{convert_in_place, high};

    #[test]
    fn of_16_bits_the_high_ones_are_taken() {
        assert_eq!(high(0xFFFF), 255);
        assert_eq!(high(0x00FF), 0);
    }

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

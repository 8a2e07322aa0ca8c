//! From the samples of a decoded image to 8-bit gray or RGB, as Pillow converts them: alpha is
//! dropped, and of 16 bits the high byte is taken.

use image::DynamicImage;

use crate::error::ImageError;
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

/// The high byte, as Pillow reads 16-bit RGB.
pub(crate) fn high(sample: u16) -> u8 {
    (sample >> 8) as u8
}

/// ITU-R 601-2 luma in Pillow's fixed point (`L24` in its `Convert.c`).
#[expect(clippy::cast_possible_truncation, reason = "the weights sum to 65536")]
pub(crate) fn luma(red: u8, green: u8, blue: u8) -> u8 {
    let sum = u32::from(red) * 19_595 + u32::from(green) * 38_470 + u32::from(blue) * 7_471;
    ((sum + 0x8000) >> 16) as u8
}

fn unsupported_samples(decoded: &DynamicImage) -> ImageError {
    ImageError::Unsupported { what: format!("an image with {:?} samples", decoded.color()) }
}

#[cfg(test)]
mod tests {
    use super::{high, luma};

    #[test]
    fn sample_arithmetic_is_pillows() {
        assert_eq!(luma(255, 255, 255), 255);
        assert_eq!(luma(255, 0, 0), 76);
        assert_eq!(luma(0, 255, 0), 150);
        assert_eq!(luma(0, 0, 255), 29);
        assert_eq!(high(0xFFFF), 255);
        assert_eq!(high(0x00FF), 0);
    }
}

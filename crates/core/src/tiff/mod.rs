//! TIFF and `BigTIFF`, as Pillow reads them with libtiff.
//!
//! A reader of our own: the crate `tiff` takes tiles of planes and LZW as libtiff writes it for damage, and gives the
//! pixels of several kinds in another way than Pillow. What is read here is read to the bit; the rest is named.
//! Lengths and counts are those of the file's bytes, and so is what is allocated for them.

mod compression;
mod directory;
mod layout;
mod refusal;

use image::{DynamicImage, GrayImage, ImageBuffer, RgbImage};

use self::directory::{Directory, tag};
use self::layout::{Layout, Shape};
use self::refusal::{damaged, unsupported};
use crate::bit_depth::Narrowing;
use crate::cmyk;
use crate::error::ImageError;
use crate::image::ImageLimits;
use crate::samples::largest;

/// Samples of a pixel that are read at most, as by Pillow.
const MAX_SAMPLES: usize = 6;

/// Numbers that are read of a tag that has one for each sample: enough to see that there are too many.
const MANY: usize = 16;

/// Numbers in the largest palette.
const PALETTE: usize = 3 * 256;

/// Of `ExtraSamples`: the colors have been multiplied by the alpha.
const ASSOCIATED_ALPHA: u64 = 1;

/// Of `SampleFormat`.
const UNSIGNED: u64 = 1;

/// What the samples mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Colors {
    Gray { white_is_zero: bool },
    Rgb { premultiplied: bool },
    Palette,
    Cmyk,
}

/// Whether these are the first bytes of such a file.
pub(crate) fn is_tiff(bytes: &[u8]) -> bool {
    [&b"II*\0"[..], b"MM\0*", b"II+\0", b"MM\0+"].iter().any(|start| bytes.starts_with(start))
}

/// Decodes the first image of a file as it is stored, without alpha. `bit_depth` is what the model's description
/// states of 16-bit samples.
pub(crate) fn decode(
    bytes: &[u8],
    limits: &ImageLimits,
    bit_depth: Option<u8>,
) -> Result<DynamicImage, ImageError> {
    let directory = Directory::read(bytes)?;
    let side = |tag| -> Result<u32, ImageError> {
        let side = directory.number(tag)?.filter(|side| *side > 0);
        let side = side.ok_or_else(|| damaged("its size is missing"))?;
        Ok(u32::try_from(side).unwrap_or(u32::MAX))
    };
    let (width, height) = (side(tag::WIDTH)?, side(tag::HEIGHT)?);
    limits.check(width, height)?;
    let (colors, samples, bits) = kind(&directory)?;
    let shape = Shape { width: width as usize, height: height as usize, samples, bits };
    let length = (shape.width * shape.height * samples) as u64 * u64::from(bits.div_ceil(8));
    if length > limits.max_decoded_bytes() {
        return Err(limits.exceeded_by(width, height));
    }
    let max_bytes = limits.max_decoded_bytes().saturating_mul(2);
    let layout = Layout::read(bytes, &directory, shape, max_bytes)?;
    let image = if bits == 16 {
        of_sixteen_bits((width, height), colors, samples, &layout.samples()?, bit_depth)?
    } else {
        let palette = directory.numbers(tag::COLOR_MAP, PALETTE)?;
        of_eight_bits((width, height), colors, shape, &layout.samples()?, &palette)?
    };
    image.ok_or_else(|| damaged("it has not as many samples as pixels"))
}

/// What the samples mean, how many a pixel has, and their bits.
fn kind(directory: &Directory<'_>) -> Result<(Colors, usize, u8), ImageError> {
    let extra = directory.numbers(tag::EXTRA_SAMPLES, MANY)?;
    let bits = directory.numbers(tag::BITS_PER_SAMPLE, MANY)?;
    let first_bits = bits.first().copied().unwrap_or(1);
    let samples = directory.number(tag::SAMPLES_PER_PIXEL)?.unwrap_or(1);
    if directory.numbers(tag::SAMPLE_FORMAT, MANY)?.iter().any(|format| *format != UNSIGNED) {
        return Err(unsupported("signed or floating-point samples"));
    }
    if bits.iter().any(|bits| *bits != first_bits) {
        return Err(unsupported("samples of different numbers of bits"));
    }
    let associated = extra.first() == Some(&ASSOCIATED_ALPHA);
    let (colors, least) = match directory.number(tag::PHOTOMETRIC)?.unwrap_or(0) {
        photometric @ (0 | 1) => (Colors::Gray { white_is_zero: photometric == 0 }, 1),
        2 => (Colors::Rgb { premultiplied: associated }, 3),
        3 => (Colors::Palette, 1),
        5 => (Colors::Cmyk, 4),
        6 => return Err(unsupported("YCbCr samples")),
        8..=10 => return Err(unsupported("CIELAB samples")),
        other => return Err(unsupported(&format!("photometric interpretation {other}"))),
    };
    if associated && !matches!(colors, Colors::Rgb { .. }) {
        return Err(unsupported("premultiplied alpha beside what is no RGB"));
    }
    let extra_samples = samples.checked_sub(least);
    // Of RGB alone a fourth sample need not be declared.
    let undeclared = least == 3 && extra.is_empty() && extra_samples == Some(1);
    if samples > MAX_SAMPLES as u64 || extra_samples != Some(extra.len() as u64) && !undeclared {
        return Err(unsupported(&format!("{samples} samples a pixel of these colors")));
    }
    let bits = match (colors, first_bits) {
        (Colors::Gray { .. } | Colors::Palette, 1 | 2 | 4) if samples == 1 => first_bits,
        (_, 8) | (Colors::Gray { .. } | Colors::Rgb { .. } | Colors::Cmyk, 16) => first_bits,
        _ => {
            return Err(unsupported(&format!("{first_bits} bits a sample of these colors")));
        }
    };
    let samples = usize::try_from(samples).unwrap_or(usize::MAX);
    Ok((colors, samples, u8::try_from(bits).unwrap_or(u8::MAX)))
}

/// None where there are not as many samples as pixels.
fn of_eight_bits(
    (width, height): (u32, u32),
    colors: Colors,
    shape: Shape,
    samples: &[u8],
    palette: &[u64],
) -> Result<Option<DynamicImage>, ImageError> {
    let pixels = samples.chunks_exact(shape.samples);
    let gray = |level: &dyn Fn(u8) -> u8| -> Vec<u8> {
        pixels.clone().map(|pixel| level(pixel[0])).collect()
    };
    let rgb = |color: &dyn Fn(&[u8]) -> [u8; 3]| -> Option<DynamicImage> {
        let samples: Vec<[u8; 3]> = pixels.clone().map(color).collect();
        RgbImage::from_raw(width, height, samples.into_flattened()).map(DynamicImage::from)
    };
    Ok(match colors {
        Colors::Gray { white_is_zero } => {
            // 255 for all bits set.
            let scale = 255 / (u8::MAX >> (8 - shape.bits));
            let turn = if white_is_zero { u8::MAX } else { 0 };
            let samples = gray(&|sample| (sample * scale) ^ turn);
            GrayImage::from_raw(width, height, samples).map(DynamicImage::from)
        }
        Colors::Rgb { premultiplied: false } => rgb(&|pixel| [pixel[0], pixel[1], pixel[2]]),
        Colors::Rgb { premultiplied: true } => {
            rgb(&|pixel| divided([pixel[0], pixel[1], pixel[2], pixel[3]]))
        }
        Colors::Palette => {
            let entries = 1 << shape.bits;
            if palette.len() < 3 * entries {
                return Err(damaged("its palette is too short"));
            }
            // 16 bits, of which Pillow takes the high byte.
            let level = |place: usize| (palette[place] >> 8).to_le_bytes()[0];
            rgb(&|pixel| [0, 1, 2].map(|color| level(color * entries + usize::from(pixel[0]))))
        }
        Colors::Cmyk => rgb(&|pixel| cmyk::rgb([pixel[0], pixel[1], pixel[2], pixel[3]])),
    })
}

/// None where there are not as many samples as pixels.
fn of_sixteen_bits(
    (width, height): (u32, u32),
    colors: Colors,
    channels: usize,
    samples: &[u16],
    bit_depth: Option<u8>,
) -> Result<Option<DynamicImage>, ImageError> {
    let pixels = samples.chunks_exact(channels);
    // The first `colors` of four samples say of how many bits the picture is. All four are narrowed, and must keep to
    // what the model's description states.
    let narrowed = |colors: usize, color: &dyn Fn([u8; 4]) -> [u8; 3]| -> Result<_, ImageError> {
        let largest_of = |count: usize| pixels.clone().map(|pixel| largest(&pixel[..count])).max();
        let narrowing = Narrowing::of(largest_of(colors).unwrap_or(0), bit_depth)?;
        if bit_depth.is_some() {
            Narrowing::of(largest_of(4).unwrap_or(0), bit_depth)?;
        }
        let narrow = |pixel: &[u16]| {
            color(std::array::from_fn(|channel| narrowing.eight_bit(pixel[channel])))
        };
        let samples: Vec<[u8; 3]> = pixels.clone().map(narrow).collect();
        Ok(RgbImage::from_raw(width, height, samples.into_flattened()).map(DynamicImage::from))
    };
    match colors {
        // Pillow takes white for zero of 8 bits alone.
        Colors::Gray { .. } | Colors::Palette => {
            let samples = pixels.map(|pixel| pixel[0]).collect();
            Ok(ImageBuffer::from_raw(width, height, samples).map(DynamicImage::ImageLuma16))
        }
        Colors::Rgb { premultiplied: false } => {
            let samples = pixels.flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect();
            Ok(ImageBuffer::from_raw(width, height, samples).map(DynamicImage::ImageRgb16))
        }
        Colors::Rgb { premultiplied: true } => narrowed(3, &divided),
        Colors::Cmyk => narrowed(4, &cmyk::rgb),
    }
}

/// A pixel's colors without the alpha that they were multiplied by (`unpackRGBa` in Pillow's `Unpack.c`).
fn divided([red, green, blue, alpha]: [u8; 4]) -> [u8; 3] {
    [red, green, blue].map(|color| {
        let exact = (u32::from(color) * 255).checked_div(u32::from(alpha)).unwrap_or(0);
        u8::try_from(exact).unwrap_or(u8::MAX)
    })
}

#[cfg(test)]
mod tests {
    use super::divided;

    #[test]
    fn alpha_is_divided_out_as_pillow_does() {
        assert_eq!(divided([1, 2, 255, 255]), [1, 2, 255]);
        assert_eq!(divided([10, 20, 40, 128]), [19, 39, 79]);
        assert_eq!(divided([10, 20, 40, 0]), [0, 0, 0]);
        // Colors brighter than their alpha allows.
        assert_eq!(divided([200, 100, 50, 100]), [255, 255, 127]);
    }
}

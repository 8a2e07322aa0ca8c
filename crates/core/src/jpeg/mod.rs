//! Decoding of JPEG, by libjpeg-turbo, which Pillow uses, too: decoders differ by a gray level here and there, and
//! the model notices.
//!
//! # Warnings
//!
//! libjpeg makes a picture of nearly anything and tells of the first thing that it stumbled over, and of that alone.
//! What is odd about headers, and zeros before a marker, mean nothing to the pixels, so a stream that it warns of is
//! decoded once more without them ([`Stream::plain`]). What it warns of then is the data: some of it is missing or
//! wrong, which is damage, or there is some more than the image takes. The last may be padding of another kind, or the
//! end of data that went wrong before: no decoder can tell, and Pillow, as others, gives the picture. So do we, and
//! say so, unless restart markers are missing or too many.

mod restarts;
mod stream;

use turbojpeg::{Colorspace, DecompressHeader, Decompressor, Image, PixelFormat, ScalingFactor};

pub(crate) use self::stream::Stream;
use crate::error::ImageError;
use crate::spec::Color;
use crate::warning::ImageWarning;
use crate::{buffer, cmyk, samples};

/// Sizes at which the inverse transform makes fewer samples of a block, the smallest first.
const SCALES: [ScalingFactor; 3] =
    [ScalingFactor::ONE_EIGHTH, ScalingFactor::ONE_QUARTER, ScalingFactor::ONE_HALF];

/// What libjpeg says of bytes before a marker that belong to nothing (`JWRN_EXTRANEOUS_DATA`).
const STRAY_BYTES: &str = "extraneous bytes before marker";

/// The longest side that libjpeg decodes, in pixels.
pub(crate) const MAX_SIDE: u32 = 65_500;

/// What was decoded.
pub(crate) struct Decoded {
    /// Width and height in pixels.
    pub size: (u32, u32),
    pub color: Color,
    pub warning: Option<ImageWarning>,
}

/// Decodes a JPEG to gray or RGB samples of 8 bits, which come first in `samples`: to gray only what is gray and
/// asked for as such.
///
/// Where there is a `smallest` size, the image is scaled down as far as that allows.
pub(crate) fn decode(
    bytes: &[u8],
    stream: &Stream,
    color: Color,
    smallest: Option<(u32, u32)>,
    samples: &mut Vec<u8>,
) -> Result<Decoded, ImageError> {
    let attempt = |bytes: &[u8], samples: &mut Vec<u8>| {
        attempt(bytes, stream, color, smallest, samples)
            .map_err(|reason| ImageError::damaged("JPEG", reason))
    };
    if let Ok((decoded, None)) = attempt(bytes, samples) {
        return Ok(decoded);
    }
    let plain = stream.plain(bytes)?;
    match attempt(&plain, samples)? {
        (decoded, None) => Ok(decoded),
        (decoded, Some(complaint)) if complaint.contains(STRAY_BYTES) => {
            // What it would say of markers that are missing is not said any more.
            if !restarts::are_complete(&plain) {
                return Err(ImageError::damaged("JPEG", "its restart markers do not fit its size"));
            }
            Ok(Decoded { warning: Some(ImageWarning::StrayBytes), ..decoded })
        }
        (_, Some(complaint)) => Err(ImageError::damaged("JPEG", complaint)),
    }
}

/// Decodes, and gives what the decoder complains of, with or without having made a picture.
fn attempt(
    bytes: &[u8],
    stream: &Stream,
    color: Color,
    smallest: Option<(u32, u32)>,
    samples: &mut Vec<u8>,
) -> Result<(Decoded, Option<String>), String> {
    // A new one for each image: it would keep the tables of one image for the next that has none.
    let mut decoder = Decompressor::new().map_err(|error| error.to_string())?;
    let header = decoder.read_header(bytes).map_err(|error| error.to_string())?;
    if (header.width, header.height) != (stream.width as usize, stream.height as usize) {
        return Err("its headers contradict one another".into());
    }
    let (format, color) = match (header.colorspace, color) {
        (Colorspace::Gray, Color::Gray) => (PixelFormat::GRAY, Color::Gray),
        // libjpeg converts the colors of no lossless picture.
        (Colorspace::Gray, Color::Rgb) if header.is_lossless => (PixelFormat::GRAY, Color::Rgb),
        (Colorspace::Gray | Colorspace::RGB | Colorspace::YCbCr, _) => {
            (PixelFormat::RGB, Color::Rgb)
        }
        (Colorspace::CMYK | Colorspace::YCCK, _) => (PixelFormat::CMYK, Color::Rgb),
    };
    let scale = smallest.filter(|_| !header.is_lossless).and_then(|smallest| {
        SCALES.into_iter().find(|scale| {
            let scaled = header.scaled(*scale);
            scaled.width >= smallest.0 as usize && scaled.height >= smallest.1 as usize
        })
    });
    let scale = scale.unwrap_or(ScalingFactor::ONE);
    decoder.set_scaling_factor(scale).map_err(|error| error.to_string())?;
    let DecompressHeader { width, height, .. } = header.scaled(scale);
    let pixels = buffer::first(samples, width * height * format.size().max(color.channels()));
    let target =
        Image { pixels: &mut *pixels, width, pitch: width * format.size(), height, format };
    let complaint = decoder.decompress(bytes, target).err().map(|error| error.to_string());
    if (format, color) == (PixelFormat::GRAY, Color::Rgb) {
        // From the end on: each sample is read before its place is written.
        for pixel in (0..width * height).rev() {
            let level = pixels[pixel];
            pixels[3 * pixel..3 * pixel + 3].fill(level);
        }
    }
    if format == PixelFormat::CMYK {
        // Adobe's programs, which nearly all CMYK files come from, write 255 for no ink; Pillow
        // takes all files for theirs.
        samples::convert_in_place(pixels, |ink: [u8; 4]| cmyk::rgb(ink.map(|sample| 255 - sample)));
    }
    let side = |side| u32::try_from(side).map_err(|_| "it is too large".to_owned());
    let size = (side(width)?, side(height)?);
    Ok((Decoded { size, color, warning: None }, complaint))
}

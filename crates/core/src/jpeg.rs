//! Decoding of JPEG, and whether a stream is complete.
//!
//! Decoded by libjpeg-turbo, which Pillow uses, too: decoders differ by a gray level here and there,
//! and the model notices.
//!
//! A decoder fills what is missing of a truncated JPEG with gray. A part that was photographed but
//! only half transmitted must not be judged, so the stream's markers are walked first (ITU-T T.81,
//! annex B): a complete one ends with EOI.

use memchr::memchr;
use turbojpeg::{Colorspace, DecompressHeader, Decompressor, Image, PixelFormat, ScalingFactor};

use crate::spec::Color;
use crate::{buffer, cmyk, samples};

/// Sizes at which the inverse transform makes fewer samples of a block, the smallest first.
const SCALES: [ScalingFactor; 3] =
    [ScalingFactor::ONE_EIGHTH, ScalingFactor::ONE_QUARTER, ScalingFactor::ONE_HALF];

/// Decodes a JPEG of a known size to gray or RGB samples of 8 bits, which come first in `samples`:
/// to gray only what is gray and asked for as such. Gives the size and the color.
///
/// Where there is a `smallest` size, the image is scaled down as far as that allows.
///
/// `Err` is what the decoder says.
pub(crate) fn decode(
    bytes: &[u8],
    size: (u32, u32),
    color: Color,
    smallest: Option<(u32, u32)>,
    samples: &mut Vec<u8>,
) -> Result<((u32, u32), Color), String> {
    // A new one for each image: it would keep the tables of one image for the next that has none.
    let mut decoder = Decompressor::new().map_err(|error| error.to_string())?;
    let header = decoder.read_header(bytes).map_err(|error| error.to_string())?;
    if (header.width, header.height) != (size.0 as usize, size.1 as usize) {
        return Err("its headers contradict one another".into());
    }
    let (format, color) = match (header.colorspace, color) {
        (Colorspace::Gray, Color::Gray) => (PixelFormat::GRAY, Color::Gray),
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
    let pixels = buffer::first(samples, width * height * format.size());
    let target =
        Image { pixels: &mut *pixels, width, pitch: width * format.size(), height, format };
    decoder.decompress(bytes, target).map_err(|error| error.to_string())?;
    if format == PixelFormat::CMYK {
        // Adobe's programs, which nearly all CMYK files come from, write 255 for no ink; Pillow
        // takes all files for theirs.
        samples::convert_in_place(pixels, |ink: [u8; 4]| cmyk::rgb(ink.map(|sample| 255 - sample)));
    }
    let side = |side| u32::try_from(side).map_err(|_| "it is too large".to_owned());
    Ok(((side(width)?, side(height)?), color))
}

const SOI: u8 = 0xD8;
const EOI: u8 = 0xD9;
const SOS: u8 = 0xDA;
const TEM: u8 = 0x01;

/// The number of scans of a stream whose segments are all there, up to the end-of-image marker;
/// `None` where bytes are missing.
///
/// Each scan costs the decoder a pass over all of the image, however few bytes it takes.
///
/// Costs one search for the byte 0xFF; decodes nothing.
#[must_use]
pub fn count_scans(bytes: &[u8]) -> Option<u64> {
    let mut rest = bytes.strip_prefix(&[0xFF, SOI])?;
    let mut scans = 0;
    loop {
        let (marker, after) = next_marker(rest)?;
        rest = match marker {
            EOI => return Some(scans),
            TEM | SOI | 0xD0..=0xD7 => after,
            SOS => {
                scans += 1;
                skip_entropy_coded(skip_segment(after)?)?
            }
            _ => skip_segment(after)?,
        };
    }
}

/// The marker at the start of `bytes`, fill bytes skipped, and what follows it.
fn next_marker(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let start = memchr(0xFF, bytes)?;
    let after_fill = &bytes[start..];
    let code = after_fill.iter().position(|byte| *byte != 0xFF)?;
    Some((after_fill[code], &after_fill[code + 1..]))
}

/// What follows a segment whose two-byte length stands first.
fn skip_segment(bytes: &[u8]) -> Option<&[u8]> {
    let length = usize::from(u16::from_be_bytes(bytes.first_chunk().copied()?));
    bytes.get(length.max(2)..)
}

/// From entropy-coded data to the next marker: stuffed zeros and restart markers belong to the data.
fn skip_entropy_coded(mut bytes: &[u8]) -> Option<&[u8]> {
    loop {
        let start = memchr(0xFF, bytes)?;
        match bytes.get(start + 1)? {
            0x00 | 0xD0..=0xD7 => bytes = &bytes[start + 2..],
            0xFF => bytes = &bytes[start + 1..],
            _ => return Some(&bytes[start..]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::count_scans;

    const STREAM: &[u8] = &[
        0xFF, 0xD8, // SOI
        0xFF, 0xE1, 0, 6, 0xFF, 0xD9, 0xFF, 0xD9, // APP1 whose content looks like EOI
        0xFF, 0xFF, 0xC0, 0, 2, // fill byte, SOF0
        0xFF, 0xDA, 0, 3, 7, // SOS
        1, 2, 0xFF, 0x00, 3, 0xFF, 0xD0, 4, // data, stuffed byte, restart marker
        0xFF, 0xC4, 0, 2, // DHT between scans
        0xFF, 0xDA, 0, 2, 5, // second scan
        0xFF, 0xD9,
    ];

    #[test]
    fn a_whole_stream_is_complete() {
        assert_eq!(count_scans(STREAM), Some(2));
        let mut with_trailer = STREAM.to_vec();
        with_trailer.extend([0, 1, 2]);
        assert_eq!(count_scans(&with_trailer), Some(2));
    }

    #[test]
    fn every_truncation_is_noticed() {
        for length in 0..STREAM.len() {
            assert_eq!(count_scans(&STREAM[..length]), None, "cut at {length}");
        }
    }
}

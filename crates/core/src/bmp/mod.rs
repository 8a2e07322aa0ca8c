//! Kinds of BMP that the crate `image` gives other pixels for than Pillow: read here, or refused.

mod run_lengths;
mod sixteen_bits;

use image::{DynamicImage, RgbImage};

use crate::error::ImageError;
use crate::image::ImageLimits;

const FORMAT: &str = "BMP";

/// The file's header, before the bitmap's.
const FILE_HEADER: usize = 14;
/// The bitmap's header as OS/2 1 wrote it.
const SHORTEST_HEADER: u32 = 12;

/// Where it says in which place the pixels begin.
const DATA: usize = 10;
/// Where the number of colors in the palette stands, behind a longer header than the shortest.
const COLORS: usize = 46;
/// Where the compression stands, behind a longer header than the shortest.
const COMPRESSION: usize = 30;

/// Decodes or refuses a file of such a kind; `None` for another, which `image` decodes.
pub(crate) fn decode(
    bytes: &[u8],
    limits: &ImageLimits,
) -> Option<Result<DynamicImage, ImageError>> {
    let header = number(bytes, FILE_HEADER)?;
    let shortest = header == SHORTEST_HEADER;
    let bits = short(bytes, if shortest { 24 } else { 28 })?;
    if u64::from(number(bytes, DATA)?) < FILE_HEADER as u64 + u64::from(header) {
        return Some(Err(damaged("its pixels begin within its header")));
    }
    if bits == 1 && !shortest && number(bytes, COLORS)? == 1 {
        return Some(Err(unsupported("a BMP of 1 bit a pixel and a single color")));
    }
    if bits == 16 {
        return Some(sixteen_bits::decode(bytes, limits));
    }
    let compression = if shortest { 0 } else { number(bytes, COMPRESSION)? };
    match (compression, bits) {
        (1, 8) | (2, 4) => Some(run_lengths::decode(bytes, limits, bits)),
        _ => None,
    }
}

/// The size of a picture, and in which order its rows are stored.
struct Size {
    width: u32,
    height: u32,
    from_the_top: bool,
}

impl Size {
    /// Of the header, within the limits.
    fn read(bytes: &[u8], limits: &ImageLimits) -> Result<Self, ImageError> {
        let word = |place| number(bytes, place).ok_or_else(truncated);
        let size = if word(FILE_HEADER)? == SHORTEST_HEADER {
            let side = |place| short(bytes, place).map(u32::from).ok_or_else(truncated);
            Self { width: side(18)?, height: side(20)?, from_the_top: false }
        } else {
            let (width, height) = (word(18)?, word(22)?.cast_signed());
            Self { width, height: height.unsigned_abs(), from_the_top: height < 0 }
        };
        if size.width == 0 || size.height == 0 {
            return Err(damaged("it has no size"));
        }
        limits.check(size.width, size.height)?;
        Ok(size)
    }

    /// The picture of its pixels, row after row as they are stored.
    fn picture<Row: IntoIterator<Item = [u8; 3]>>(
        &self,
        rows: impl DoubleEndedIterator<Item = Row>,
    ) -> Result<DynamicImage, ImageError> {
        let samples: Vec<[u8; 3]> = if self.from_the_top {
            rows.flatten().collect()
        } else {
            rows.rev().flatten().collect()
        };
        RgbImage::from_raw(self.width, self.height, samples.into_flattened())
            .map(DynamicImage::from)
            .ok_or_else(truncated)
    }
}

fn number(bytes: &[u8], place: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(place..)?.first_chunk()?))
}

fn short(bytes: &[u8], place: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(place..)?.first_chunk()?))
}

fn damaged(reason: &str) -> ImageError {
    ImageError::Damaged { format: FORMAT, reason: reason.into() }
}

fn truncated() -> ImageError {
    damaged("it is truncated")
}

fn unsupported(what: &str) -> ImageError {
    ImageError::Unsupported { what: what.into() }
}

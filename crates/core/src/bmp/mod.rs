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
///
/// # Errors
/// [`ImageError::Damaged`] for a header without a size, whatever the kind, and what is wrong with those read here.
pub(crate) fn decode(
    bytes: &[u8],
    limits: &ImageLimits,
) -> Result<Option<DynamicImage>, ImageError> {
    let Some(header) = Header::read(bytes) else { return Ok(None) };
    if u64::from(header.data) < FILE_HEADER as u64 + u64::from(header.length) {
        return Err(damaged("its pixels begin within its header"));
    }
    let size = Size::read(bytes, limits)?;
    if header.bits == 1 && header.colors == Some(1) {
        return Err(unsupported("a BMP of 1 bit a pixel and a single color"));
    }
    match (header.compression, header.bits) {
        (_, 16) => sixteen_bits::decode(bytes, &size).map(Some),
        (1, 8) | (2, 4) => run_lengths::decode(bytes, &size, header.bits).map(Some),
        _ => Ok(None),
    }
}

/// What decides about the kind of a file.
struct Header {
    /// Of the bitmap's header.
    length: u32,
    /// Where the pixels begin.
    data: u32,
    bits: u16,
    compression: u32,
    /// In the palette; the shortest header does not say.
    colors: Option<u32>,
}

impl Header {
    /// `None` where the file ends before.
    fn read(bytes: &[u8]) -> Option<Self> {
        let (length, data) = (number(bytes, FILE_HEADER)?, number(bytes, DATA)?);
        Some(if length == SHORTEST_HEADER {
            Self { length, data, bits: short(bytes, 24)?, compression: 0, colors: None }
        } else {
            let (bits, compression) = (short(bytes, 28)?, number(bytes, COMPRESSION)?);
            Self { length, data, bits, compression, colors: Some(number(bytes, COLORS)?) }
        })
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
            let (width, height) = (word(18)?.cast_signed(), word(22)?.cast_signed());
            // There is no width from the right.
            let width = u32::try_from(width).unwrap_or(0);
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

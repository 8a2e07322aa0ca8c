//! The headers of a BMP.

use image::{DynamicImage, RgbImage};

use crate::error::ImageError;
use crate::image::ImageLimits;

/// The file's header, before the bitmap's.
pub(super) const FILE_HEADER: usize = 14;
/// The bitmap's header as OS/2 1 wrote it.
pub(super) const SHORTEST_HEADER: u32 = 12;

/// Where it says in which place the pixels begin.
pub(super) const DATA: usize = 10;
/// Where the number of colors in the palette stands, behind a longer header than the shortest.
pub(super) const COLORS: usize = 46;
/// Where the compression stands, behind a longer header than the shortest.
pub(super) const COMPRESSION: usize = 30;

/// What decides about the kind of a file.
pub(super) struct Header {
    /// Of the bitmap's header.
    pub length: u32,
    /// Where the pixels begin.
    pub data: u32,
    pub bits: u16,
    pub compression: u32,
    /// In the palette; the shortest header does not say.
    pub colors: Option<u32>,
}

impl Header {
    /// `None` where the file ends before.
    pub fn read(bytes: &[u8]) -> Option<Self> {
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
pub(super) struct Size {
    pub width: u32,
    pub height: u32,
    pub from_the_top: bool,
}

impl Size {
    /// Of the header, within the limits.
    pub fn read(bytes: &[u8], limits: &ImageLimits) -> Result<Self, ImageError> {
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
    pub fn picture<Row: IntoIterator<Item = [u8; 3]>>(
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

pub(super) fn number(bytes: &[u8], place: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(place..)?.first_chunk()?))
}

pub(super) fn short(bytes: &[u8], place: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(place..)?.first_chunk()?))
}

pub(super) fn damaged(reason: &str) -> ImageError {
    ImageError::damaged("BMP", reason)
}

pub(super) fn truncated() -> ImageError {
    damaged("it is truncated")
}

//! BMP of 16 bits a pixel, whose 5 and 6 bits are spread over 8 as Pillow does it.

use image::{DynamicImage, RgbImage};

use super::{
    COMPRESSION, DATA, FILE_HEADER, SHORTEST_HEADER, damaged, number, short, truncated, unsupported,
};
use crate::error::ImageError;
use crate::image::ImageLimits;

/// Where the masks stand, behind or in the bitmap's header.
const MASKS: usize = FILE_HEADER + 40;

const RAW: u32 = 0;
const BIT_FIELDS: u32 = 3;

/// How red, green and blue share the bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fields {
    /// 5 bits each.
    Five,
    /// 5, 6 and 5 bits.
    FiveSixFive,
}

/// Decodes a BMP of 16 bits a pixel.
pub(super) fn decode(bytes: &[u8], limits: &ImageLimits) -> Result<DynamicImage, ImageError> {
    let Header { width, height, from_the_top, fields } = Header::read(bytes)?;
    limits.check(width, height)?;
    let row_bytes = (2 * width as usize).next_multiple_of(4);
    let start = number(bytes, DATA).map_or(usize::MAX, |start| start as usize);
    let stored = bytes.get(start..).and_then(|rest| rest.get(..row_bytes * height as usize));
    let stored = stored.ok_or_else(truncated)?;
    let rows = stored.chunks_exact(row_bytes);
    let pixels = |row: &[u8]| -> Vec<[u8; 3]> {
        let (pairs, _) = row.as_chunks();
        pairs[..width as usize].iter().map(|pair| fields.rgb(u16::from_le_bytes(*pair))).collect()
    };
    let samples: Vec<[u8; 3]> = if from_the_top {
        rows.flat_map(pixels).collect()
    } else {
        rows.rev().flat_map(pixels).collect()
    };
    RgbImage::from_raw(width, height, samples.into_flattened())
        .map(DynamicImage::from)
        .ok_or_else(truncated)
}

struct Header {
    width: u32,
    height: u32,
    from_the_top: bool,
    fields: Fields,
}

impl Header {
    fn read(bytes: &[u8]) -> Result<Self, ImageError> {
        let word = |place| number(bytes, place).ok_or_else(truncated);
        if word(FILE_HEADER)? == SHORTEST_HEADER {
            let side = |place| short(bytes, place).map(u32::from).ok_or_else(truncated);
            let (width, height) = (side(18)?, side(20)?);
            return Self { width, height, from_the_top: false, fields: Fields::Five }.checked();
        }
        let (width, height) = (word(18)?, word(22)?.cast_signed());
        let masks = [MASKS, MASKS + 4, MASKS + 8];
        let fields = match word(COMPRESSION)? {
            RAW => Fields::Five,
            BIT_FIELDS => match [word(masks[0])?, word(masks[1])?, word(masks[2])?] {
                [0x7C00, 0x03E0, 0x001F] => Fields::Five,
                [0xF800, 0x07E0, 0x001F] => Fields::FiveSixFive,
                _ => return Err(unsupported("a BMP of 16 bits a pixel with these masks")),
            },
            _ => return Err(unsupported("a BMP of 16 bits a pixel with this compression")),
        };
        let (height, from_the_top) = (height.unsigned_abs(), height < 0);
        Self { width, height, from_the_top, fields }.checked()
    }

    fn checked(self) -> Result<Self, ImageError> {
        if self.width == 0 || self.height == 0 {
            return Err(damaged("it has no size"));
        }
        Ok(self)
    }
}

impl Fields {
    /// Rounded down, as `BGR;15` and `BGR;16` in Pillow's `Unpack.c`.
    fn rgb(self, pixel: u16) -> [u8; 3] {
        let level = |shift: u16, bits: u16| {
            let largest = (1 << bits) - 1;
            ((pixel >> shift & largest) * 255 / largest).to_le_bytes()[0]
        };
        match self {
            Self::Five => [level(10, 5), level(5, 5), level(0, 5)],
            Self::FiveSixFive => [level(11, 5), level(5, 6), level(0, 5)],
        }
    }
}

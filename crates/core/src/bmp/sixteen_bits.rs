//! BMP of 16 bits a pixel, whose 5 and 6 bits are spread over 8 as Pillow does it.

use image::DynamicImage;

use super::header::{COMPRESSION, DATA, FILE_HEADER, SHORTEST_HEADER, Size, number, truncated};
use crate::error::ImageError;

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
pub(super) fn decode(bytes: &[u8], size: &Size) -> Result<DynamicImage, ImageError> {
    let fields = Fields::read(bytes)?;
    let width = size.width as usize;
    let row_bytes = (2 * width).next_multiple_of(4);
    let start = number(bytes, DATA).map_or(usize::MAX, |start| start as usize);
    let stored = bytes.get(start..).and_then(|rest| rest.get(..row_bytes * size.height as usize));
    let rows = stored.ok_or_else(truncated)?.chunks_exact(row_bytes);
    size.picture(rows.map(|row| {
        let (pairs, _) = row.as_chunks();
        pairs[..width].iter().map(|pair| fields.rgb(u16::from_le_bytes(*pair)))
    }))
}

impl Fields {
    fn read(bytes: &[u8]) -> Result<Self, ImageError> {
        let word = |place| number(bytes, place).ok_or_else(truncated);
        if word(FILE_HEADER)? == SHORTEST_HEADER {
            return Ok(Self::Five);
        }
        match word(COMPRESSION)? {
            RAW => Ok(Self::Five),
            BIT_FIELDS => match [word(MASKS)?, word(MASKS + 4)?, word(MASKS + 8)?] {
                [0x7C00, 0x03E0, 0x001F] => Ok(Self::Five),
                [0xF800, 0x07E0, 0x001F] => Ok(Self::FiveSixFive),
                _ => Err(ImageError::unsupported("a BMP of 16 bits a pixel with these masks")),
            },
            _ => Err(ImageError::unsupported("a BMP of 16 bits a pixel with this compression")),
        }
    }

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

//! BMP of 4 or 8 bits a pixel in run lengths. What they skip is the palette's first color, as for Pillow, not black.

use image::DynamicImage;

use super::header::{COLORS, DATA, FILE_HEADER, Size, number, truncated};
use crate::error::ImageError;

/// Decodes a BMP of `bits` bits a pixel, 4 or 8.
pub(super) fn decode(bytes: &[u8], size: &Size, bits: u16) -> Result<DynamicImage, ImageError> {
    let palette = palette(bytes, bits)?;
    let start = number(bytes, DATA).ok_or_else(truncated)?;
    let packed = bytes.get(start as usize..).ok_or_else(truncated)?;
    let width = size.width as usize;
    let indices = unpack(packed, bits, width, width * size.height as usize);
    let indices = indices.ok_or_else(truncated)?;
    let color = |index: &u8| palette.get(usize::from(*index)).copied().unwrap_or_default();
    size.picture(indices.chunks_exact(width).map(|row| row.iter().map(color)))
}

/// Red, green and blue of each index; behind the header, blue first.
fn palette(bytes: &[u8], bits: u16) -> Result<Vec<[u8; 3]>, ImageError> {
    let word = |place| number(bytes, place).ok_or_else(truncated);
    let most = 1 << bits;
    let colors = match word(COLORS)? as usize {
        0 => most,
        stated => stated.min(most),
    };
    let start = FILE_HEADER.saturating_add(word(FILE_HEADER)? as usize);
    let entries =
        bytes.get(start..).and_then(|rest| rest.get(..4 * colors)).ok_or_else(truncated)?;
    Ok(entries.as_chunks().0.iter().map(|[blue, green, red, _]| [*red, *green, *blue]).collect())
}

/// The index of each pixel, `length` of them, rows from the first stored one on. `None` where the runs end before the
/// bitmap does.
fn unpack(packed: &[u8], bits: u16, width: usize, length: usize) -> Option<Vec<u8>> {
    let mut indices = Vec::with_capacity(length);
    let mut column = 0;
    let mut place = 0;
    while indices.len() < length {
        let [count, value] = *packed.get(place..)?.first_chunk()?;
        place += 2;
        match (count, value) {
            // The end of a row.
            (0, 0) => {
                indices.resize(indices.len().next_multiple_of(width), 0);
                column = 0;
            }
            // The end of the bitmap, before its last pixel.
            (0, 1) => return None,
            // A jump to the right and up.
            (0, 2) => {
                let [right, up] = *packed.get(place..)?.first_chunk()?;
                place += 2;
                let skipped = usize::from(right) + usize::from(up) * width;
                indices.resize(length.min(indices.len() + skipped), 0);
                column = indices.len() % width;
            }
            // Indices as they are, filled up to a whole number of words.
            (0, count) => {
                let count = usize::from(count);
                let stored = if bits == 4 { count.div_ceil(2) } else { count };
                let run = packed.get(place..place + stored)?;
                let of_run =
                    |pixel| index(bits, if bits == 4 { run[pixel / 2] } else { run[pixel] }, pixel);
                indices.extend((0..count.min(length - indices.len())).map(of_run));
                place += stored.next_multiple_of(2);
                column += count;
            }
            // A run, no longer than the row.
            (count, value) => {
                let count = usize::from(count).min(width.saturating_sub(column));
                indices.extend((0..count).map(|pixel| index(bits, value, pixel)));
                column += count;
            }
        }
    }
    indices.truncate(length);
    Some(indices)
}

/// Of two indices in a byte the upper one comes first.
fn index(bits: u16, value: u8, pixel: usize) -> u8 {
    match (bits, pixel % 2) {
        (4, 0) => value >> 4,
        (4, _) => value & 15,
        _ => value,
    }
}

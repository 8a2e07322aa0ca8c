//! The first directory of a TIFF or `BigTIFF` file: its tags with whole numbers.
//!
//! For the pixels alone, of which nothing may be guessed: what is doubled or beyond the file's end is damage. The
//! orientation is read from the same directory by another rule, Pillow's, in `orientation/exif.rs`.

use std::collections::HashMap;

use super::refusal::damaged;
use crate::error::ImageError;

/// Tags that say how an image is stored (TIFF 6.0, section 8 and after).
pub(super) mod tag {
    pub const WIDTH: u16 = 256;
    pub const HEIGHT: u16 = 257;
    pub const BITS_PER_SAMPLE: u16 = 258;
    pub const COMPRESSION: u16 = 259;
    pub const PHOTOMETRIC: u16 = 262;
    pub const FILL_ORDER: u16 = 266;
    pub const STRIP_OFFSETS: u16 = 273;
    pub const SAMPLES_PER_PIXEL: u16 = 277;
    pub const ROWS_PER_STRIP: u16 = 278;
    pub const STRIP_BYTE_COUNTS: u16 = 279;
    pub const PLANAR_CONFIGURATION: u16 = 284;
    pub const PREDICTOR: u16 = 317;
    pub const COLOR_MAP: u16 = 320;
    pub const TILE_WIDTH: u16 = 322;
    pub const TILE_HEIGHT: u16 = 323;
    pub const TILE_OFFSETS: u16 = 324;
    pub const TILE_BYTE_COUNTS: u16 = 325;
    pub const EXTRA_SAMPLES: u16 = 338;
    pub const SAMPLE_FORMAT: u16 = 339;
}

/// Tags that a directory may have: far more than any program writes.
const MAX_TAGS: u64 = 4096;

/// In which order the bytes of a number stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ByteOrder {
    Little,
    Big,
}

/// A directory's tags.
pub(super) struct Directory<'a> {
    bytes: &'a [u8],
    order: ByteOrder,
    entries: HashMap<u16, Entry>,
}

/// Where the values of a tag are.
#[derive(Clone, Copy)]
struct Entry {
    kind: u16,
    count: u64,
    /// In bytes from the file's start.
    offset: u64,
    /// Whether the tag is there once more.
    twice: bool,
}

impl<'a> Directory<'a> {
    /// Reads the first directory of a file.
    pub fn read(bytes: &'a [u8]) -> Result<Self, ImageError> {
        let order = match bytes.first() {
            Some(b'I') => ByteOrder::Little,
            _ => ByteOrder::Big,
        };
        let file = Reader { bytes, order };
        let big = file.number(2, 2)? == 43;
        let (count_size, entry_size, offset_size) = if big { (8, 20, 8) } else { (2, 12, 4) };
        let start = file.number(if big { 8 } else { 4 }, offset_size)?;
        let count = file.number(start, count_size)?;
        if count > MAX_TAGS {
            return Err(damaged(format!("its directory claims {count} tags")));
        }
        let mut entries = HashMap::new();
        for place in 0..count {
            let entry = start + count_size + place * entry_size;
            let (tag, kind) = (file.number(entry, 2)?, file.number(entry + 2, 2)?);
            let values = file.number(entry + 4, offset_size)?;
            let place = entry + 4 + offset_size;
            let (Ok(tag), Ok(kind)) = (u16::try_from(tag), u16::try_from(kind)) else { continue };
            let Some(size) = size_of_kind(kind) else { continue };
            let fits = values.checked_mul(size).is_some_and(|length| length <= offset_size);
            let offset = if fits { place } else { file.number(place, offset_size)? };
            let twice = entries.contains_key(&tag);
            entries.insert(tag, Entry { kind, count: values, offset, twice });
        }
        Ok(Self { bytes, order, entries })
    }

    pub fn order(&self) -> ByteOrder {
        self.order
    }

    /// The first whole numbers of a tag, `most` of them; none where it is absent.
    pub fn numbers(&self, tag: u16, most: usize) -> Result<Vec<u64>, ImageError> {
        let Some(Entry { kind, count, offset, twice }) = self.entries.get(&tag).copied() else {
            return Ok(Vec::new());
        };
        if twice {
            // Readers disagree about which one counts.
            return Err(damaged(format!("tag {tag} is there twice")));
        }
        let size = size_of_kind(kind).unwrap_or(1);
        let end = count.checked_mul(size).and_then(|length| length.checked_add(offset));
        if end.is_none_or(|end| end > self.bytes.len() as u64) {
            return Err(damaged(format!("the values of tag {tag} are beyond its end")));
        }
        let file = Reader { bytes: self.bytes, order: self.order };
        let numbers = (0..count).take(most);
        numbers.map(|place| file.number(offset + place * size, size)).collect()
    }

    /// The first number of a tag.
    pub fn number(&self, tag: u16) -> Result<Option<u64>, ImageError> {
        Ok(self.numbers(tag, 1)?.first().copied())
    }
}

/// Bytes of a number of a type; none for types that are no whole numbers.
fn size_of_kind(kind: u16) -> Option<u64> {
    match kind {
        1 | 6 | 7 => Some(1),
        3 | 8 => Some(2),
        4 | 9 | 13 => Some(4),
        16..=18 => Some(8),
        _ => None,
    }
}

/// Numbers at places of a file.
struct Reader<'a> {
    bytes: &'a [u8],
    order: ByteOrder,
}

impl Reader<'_> {
    /// An unsigned number of `size` bytes, 8 at most.
    fn number(&self, offset: u64, size: u64) -> Result<u64, ImageError> {
        let place = offset.checked_add(size).and_then(|end| {
            let (start, end) = (usize::try_from(offset).ok()?, usize::try_from(end).ok()?);
            self.bytes.get(start..end)
        });
        let digits = place.ok_or_else(|| damaged("it is truncated"))?;
        let add = |number: u64, digit: &u8| number << 8 | u64::from(*digit);
        Ok(match self.order {
            ByteOrder::Little => digits.iter().rev().fold(0, add),
            ByteOrder::Big => digits.iter().fold(0, add),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Directory, tag};

    #[test]
    fn a_tag_of_a_million_numbers_is_read_in_part() {
        let count = 1_000_000_u32;
        let mut file = b"II*\0\x08\0\0\0\x01\0".to_vec();
        file.extend(tag::STRIP_OFFSETS.to_le_bytes());
        // Of a byte each, behind the directory.
        file.extend([1, 0]);
        file.extend(count.to_le_bytes());
        file.extend(26_u32.to_le_bytes());
        file.extend([0; 4]);
        file.resize(file.len() + count as usize, 7);
        let directory = Directory::read(&file).unwrap();
        assert_eq!(directory.number(tag::STRIP_OFFSETS).unwrap(), Some(7));
        let numbers = directory.numbers(tag::STRIP_OFFSETS, 5).unwrap();
        assert_eq!(numbers, [7; 5]);
        assert!(directory.numbers(tag::WIDTH, 5).unwrap().is_empty());
    }
}

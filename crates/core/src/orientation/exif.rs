//! The orientation in a directory of tags: that of Exif data, and the first one of a TIFF.
//!
//! Read by the rule of Pillow's `ImageFileDirectory`: of tags that are there twice the first counts, and a directory ends
//! where something cannot be read. What says how pixels are stored is read by libtiff's rule, in `tiff/directory.rs`,
//! where both are damage.

use std::collections::HashSet;

use image::metadata::Orientation;

use super::xmp;

const ORIENTATION: u16 = 274;
const XMP: u16 = 700;

const BYTE: u16 = 1;
const UNDEFINED: u16 = 7;

/// What precedes Exif data in a JPEG, and in what some programs write into other files.
pub(super) const EXIF_PREFIX: &[u8] = b"Exif\0\0";

/// Files with a directory of tags, and how they are to be read.
struct TagFile<'a> {
    data: &'a [u8],
    big_endian: bool,
    /// `BigTIFF`: offsets and counts of 64 bits.
    wide: bool,
    /// Where the first directory stands.
    first: u64,
}

/// A tag's type and its values' bytes.
struct Tag<'a> {
    kind: u16,
    value: &'a [u8],
    big_endian: bool,
}

/// The data behind one [`EXIF_PREFIX`], where there is one.
pub(super) fn without_prefix(data: &[u8]) -> &[u8] {
    data.strip_prefix(EXIF_PREFIX).unwrap_or(data)
}

/// As Exif data say, which another [`EXIF_PREFIX`] may precede; `None` where they
/// have no such tag.
pub(super) fn in_exif(data: &[u8]) -> Option<Orientation> {
    let data = without_prefix(data);
    if data.is_empty() {
        return None;
    }
    match TagFile::of_exif(data) {
        Some(file) => file.tag(ORIENTATION).map(|tag| tag.orientation()),
        None => Some(Orientation::NoTransforms),
    }
}

/// As a TIFF's first directory says.
pub(super) fn in_tiff(data: &[u8]) -> Option<Orientation> {
    let file = TagFile::of_tiff(data)?;
    match file.tag(ORIENTATION) {
        Some(tag) => Some(tag.orientation()),
        None => file
            .tag(XMP)
            .filter(|packet| [BYTE, UNDEFINED].contains(&packet.kind))
            .and_then(|packet| xmp::orientation(packet.value)),
    }
}

impl<'a> TagFile<'a> {
    /// Pillow takes the mark of a big-endian `BigTIFF` for that of a TIFF here, and of other `BigTIFF` nothing.
    fn of_exif(data: &'a [u8]) -> Option<Self> {
        let big_endian = match data.first_chunk()? {
            b"II\x2A\0" | b"II\0\x2A" => false,
            b"MM\0\x2A" | b"MM\x2A\0" | b"MM\0\x2B" => true,
            _ => return None,
        };
        let file = Self { data, big_endian, wide: false, first: 0 };
        let first = file.unsigned(4, 4)?;
        Some(Self { first, ..file })
    }

    fn of_tiff(data: &'a [u8]) -> Option<Self> {
        let big_endian = match data.first_chunk()? {
            b"II\x2B\0" => false,
            b"MM\0\x2B" => true,
            _ => return Self::of_exif(data),
        };
        let file = Self { data, big_endian, wide: true, first: 0 };
        let first = file.unsigned(8, 8)?;
        Some(Self { first, ..file })
    }

    /// The first tag of this number in the first directory that has a value. The directory ends where the
    /// file does, or where a value lies beyond it; a value is skipped that would make all of them take more
    /// bytes than the file has.
    fn tag(&self, number: u16) -> Option<Tag<'a>> {
        let (count_bytes, entry_bytes, inline_bytes) =
            if self.wide { (8, 20, 8) } else { (2, 12, 4) };
        let directory = usize::try_from(self.first).ok()?;
        let count = self.unsigned(directory, count_bytes)?;
        let entries = self.data.get(directory + count_bytes..)?.len() / entry_bytes;
        let entries = usize::try_from(count).map_or(entries, |count| count.min(entries));
        let mut seen = HashSet::new();
        let mut stored: u64 = 0;
        for entry in 0..entries {
            let at = directory + count_bytes + entry * entry_bytes;
            let found = self.short(at)?;
            let kind = self.short(at + 2)?;
            let Some(unit) = bytes_of(kind).filter(|_| !seen.contains(&found)) else { continue };
            let size = self.unsigned(at + 4, inline_bytes)?.saturating_mul(unit);
            let inline = at + 4 + inline_bytes;
            let place = if size > inline_bytes as u64 {
                let place = self.unsigned(inline, inline_bytes)?;
                if i64::try_from(place).is_err() {
                    continue;
                }
                stored = stored.saturating_add(size);
                if stored > self.data.len() as u64 {
                    continue;
                }
                usize::try_from(place).ok()?
            } else {
                inline
            };
            let value = self.data.get(place..)?.get(..usize::try_from(size).ok()?)?;
            if value.is_empty() {
                continue;
            }
            if found == number {
                return Some(Tag { kind, value, big_endian: self.big_endian });
            }
            seen.insert(found);
        }
        None
    }

    fn short(&self, at: usize) -> Option<u16> {
        u16::try_from(self.unsigned(at, 2)?).ok()
    }

    /// The number of up to 8 bytes at this place.
    fn unsigned(&self, at: usize, bytes: usize) -> Option<u64> {
        Some(unsigned(self.data.get(at..)?.get(..bytes)?, self.big_endian))
    }
}

fn unsigned(bytes: &[u8], big_endian: bool) -> u64 {
    let append = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
    if big_endian { bytes.iter().fold(0, append) } else { bytes.iter().rev().fold(0, append) }
}

/// Bytes of one value of a type. Tags of other types are passed over.
fn bytes_of(kind: u16) -> Option<u64> {
    match kind {
        1 | 2 | 6 | 7 => Some(1),
        3 | 8 => Some(2),
        4 | 9 | 11 | 13 => Some(4),
        5 | 10 | 12 | 16 => Some(8),
        _ => None,
    }
}

impl Tag<'_> {
    /// What the tag asks for: nothing, if its first value is none of those that have a meaning.
    #[expect(clippy::float_cmp, reason = "whole numbers, or none that has a meaning")]
    fn orientation(&self) -> Orientation {
        let known = self.number().and_then(|number| {
            (1..=8).find(|code| f64::from(*code) == number).and_then(Orientation::from_exif)
        });
        known.unwrap_or(Orientation::NoTransforms)
    }

    /// The first value, of any type of numbers. Exact where it can be an orientation.
    #[expect(
        clippy::cast_precision_loss,
        reason = "small numbers are exact, and large ones stay large"
    )]
    #[expect(clippy::cast_possible_truncation, reason = "as many bits as were read")]
    #[expect(clippy::cast_possible_wrap, reason = "that is what makes them signed")]
    fn number(&self) -> Option<f64> {
        let bits = |from: usize, bytes: usize| {
            Some(unsigned(self.value.get(from..from + bytes)?, self.big_endian))
        };
        Some(match self.kind {
            3 => bits(0, 2)? as f64,
            4 | 13 => bits(0, 4)? as f64,
            5 => bits(0, 4)? as f64 / bits(4, 4)? as f64,
            6 => f64::from(bits(0, 1)? as u8 as i8),
            8 => f64::from(bits(0, 2)? as u16 as i16),
            9 => f64::from(bits(0, 4)? as u32 as i32),
            10 => f64::from(bits(0, 4)? as u32 as i32) / f64::from(bits(4, 4)? as u32 as i32),
            11 => f64::from(f32::from_bits(bits(0, 4)? as u32)),
            12 => f64::from_bits(bits(0, 8)?),
            16 => bits(0, 8)? as f64,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use image::metadata::Orientation;

    use super::{in_exif, in_tiff};

    /// Exif data of one entry, little-endian and big-endian.
    fn exif(tag: u16, kind: u16, count: u32, value: u32) -> [Vec<u8>; 2] {
        let short = kind == 3;
        let little = [
            &b"II\x2A\0\x08\0\0\0\x01\0"[..],
            &tag.to_le_bytes(),
            &kind.to_le_bytes(),
            &count.to_le_bytes(),
            &value.to_le_bytes(),
        ];
        let value = if short { value << 16 } else { value };
        let big = [
            &b"MM\0\x2A\0\0\0\x08\0\x01"[..],
            &tag.to_be_bytes(),
            &kind.to_be_bytes(),
            &count.to_be_bytes(),
            &value.to_be_bytes(),
        ];
        [little.concat(), big.concat()]
    }

    #[test]
    fn a_tag_without_meaning_is_there_all_the_same() {
        let none = Some(Orientation::NoTransforms);
        for ((tag, kind, count, value), expected) in [
            ((274, 3, 1, 6), Some(Orientation::Rotate90)),
            ((274, 4, 1, 8), Some(Orientation::Rotate270)),
            ((274, 9, 1, 8), Some(Orientation::Rotate270)),
            ((274, 11, 1, 6_f32.to_bits()), Some(Orientation::Rotate90)),
            ((274, 3, 1, 1), none),
            ((274, 3, 1, 0), none),
            ((274, 3, 1, 9), none),
            ((274, 4, 1, 0x0006_0006), none),
            ((274, 1, 1, 6), none),
            ((274, 2, 1, 0x3636_3636), none),
            ((274, 3, 0, 6), None),
            ((274, 17, 1, 6), None),
            // A value that lies in the directory itself.
            ((274, 5, 1, 8), none),
            // Values beyond the end.
            ((274, 3, 3, 100), None),
            ((274, 3, u32::MAX, 0), None),
            ((275, 3, 1, 6), None),
        ] {
            for data in exif(tag, kind, count, value) {
                assert_eq!(in_exif(&data), expected, "{data:?}");
                assert_eq!(in_exif(&[b"Exif\0\0", &data[..]].concat()), expected, "{data:?}");
                assert_eq!(in_tiff(&data), expected, "{data:?}");
                for length in 1..data.len() {
                    let cut = if length < 8 { none } else { None };
                    assert_eq!(in_exif(&data[..length]), cut, "{:?}", &data[..length]);
                }
            }
        }
    }

    #[test]
    fn the_directory_of_a_bigtiff_is_read() {
        let little: Vec<u8> = [
            &b"II\x2B\0\x08\0\0\0\x10\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0"[..],
            &b"\x12\x01\x03\0\x01\0\0\0\0\0\0\0\x06\0\0\0\0\0\0\0"[..],
        ]
        .concat();
        let big: Vec<u8> = [
            &b"MM\0\x2B\0\x08\0\0\0\0\0\0\0\0\0\x10\0\0\0\0\0\0\0\x01"[..],
            &b"\x01\x12\0\x03\0\0\0\0\0\0\0\x01\0\x06\0\0\0\0\0\0"[..],
        ]
        .concat();
        for data in [little, big] {
            assert_eq!(in_tiff(&data), Some(Orientation::Rotate90));
        }
    }
}

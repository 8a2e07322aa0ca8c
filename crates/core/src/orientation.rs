//! Which way up an image is, as Pillow finds it: by its EXIF data, or else by its XMP packet.

use image::ImageDecoder;
use image::metadata::Orientation;

/// What precedes EXIF data in a JPEG, and in what some programs write into other files.
const IN_JPEG: &[u8] = b"Exif\0\0";
const TAG: u16 = 0x0112;
const SHORT: u16 = 3;
const LONG: u16 = 4;

/// The orientation of anything but a TIFF. Metadata that cannot be read say nothing.
pub(crate) fn of(decoder: &mut impl ImageDecoder) -> Orientation {
    let exif = decoder.exif_metadata().ok().flatten();
    exif.and_then(|exif| in_exif(&exif))
        .or_else(|| in_xmp(&decoder.xmp_metadata().ok()??))
        .unwrap_or(Orientation::NoTransforms)
}

/// What a tag of this value asks for: nothing if the value has no meaning, and the XMP packet is
/// not asked then.
pub(crate) fn of_tag(value: u32) -> Orientation {
    let known = u8::try_from(value).ok().and_then(Orientation::from_exif);
    known.unwrap_or(Orientation::NoTransforms)
}

/// As the first directory says, where it has an entry that holds an orientation.
fn in_exif(data: &[u8]) -> Option<Orientation> {
    type Short = fn([u8; 2]) -> u16;
    type Long = fn([u8; 4]) -> u32;
    let data = data.strip_prefix(IN_JPEG).unwrap_or(data);
    let (short, long): (Short, Long) = match data.first_chunk()? {
        b"II\x2A\0" => (u16::from_le_bytes, u32::from_le_bytes),
        b"MM\0\x2A" => (u16::from_be_bytes, u32::from_be_bytes),
        _ => return None,
    };
    let place = usize::try_from(long(*data.get(4..)?.first_chunk()?)).ok()?;
    let (length, directory) = data.get(place..)?.split_first_chunk()?;
    let (entries, _) = directory.as_chunks::<12>();
    entries.iter().take(usize::from(short(*length))).find_map(|entry| {
        let [tag0, tag1, kind0, kind1, count0, count1, count2, count3, value @ ..] = *entry;
        if short([tag0, tag1]) != TAG {
            return None;
        }
        match (short([kind0, kind1]), long([count0, count1, count2, count3])) {
            (_, 0) => None,
            (SHORT, 1 | 2) => Some(of_tag(u32::from(short([value[0], value[1]])))),
            (LONG, 1) => Some(of_tag(long(value))),
            _ => Some(Orientation::NoTransforms),
        }
    })
}

/// The first `tiff:Orientation`, as an attribute or an element, that a digit follows.
pub(crate) fn in_xmp(packet: &[u8]) -> Option<Orientation> {
    const NAME: &[u8] = b"tiff:Orientation";
    let digit = packet.windows(NAME.len()).enumerate().find_map(|(start, found)| {
        let rest = packet[start..].strip_prefix(NAME).filter(|_| found == NAME)?;
        let value = rest.strip_prefix(b"=\"").or_else(|| rest.strip_prefix(b">"))?;
        value.first().filter(|value| value.is_ascii_digit())
    })?;
    Orientation::from_exif(digit - b'0')
}

#[cfg(test)]
mod tests {
    use image::metadata::Orientation;

    use super::{in_exif, in_xmp};

    /// EXIF data of one entry, little-endian and big-endian.
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
            ((0x0112, 3, 1, 6), Some(Orientation::Rotate90)),
            ((0x0112, 4, 1, 8), Some(Orientation::Rotate270)),
            ((0x0112, 3, 1, 1), none),
            ((0x0112, 3, 1, 0), none),
            ((0x0112, 3, 1, 9), none),
            ((0x0112, 4, 1, 0x0006_0006), none),
            ((0x0112, 1, 1, 6), none),
            ((0x0112, 3, 0, 6), None),
            ((0x0113, 3, 1, 6), None),
        ] {
            for data in exif(tag, kind, count, value) {
                assert_eq!(in_exif(&data), expected, "{data:?}");
                assert_eq!(in_exif(&[b"Exif\0\0", &data[..]].concat()), expected, "{data:?}");
                for length in 0..data.len() {
                    assert_eq!(in_exif(&data[..length]), None, "{:?}", &data[..length]);
                }
            }
        }
    }

    #[test]
    fn attributes_and_elements_are_found() {
        for (packet, expected) in [
            ("<x tiff:Orientation=\"6\"/>", Some(Orientation::Rotate90)),
            ("<tiff:Orientation>3</tiff:Orientation>", Some(Orientation::Rotate180)),
            ("tiff:Orientation='6' tiff:Orientation=\"8\"", Some(Orientation::Rotate270)),
            ("tiff:Orientation=\"1\" tiff:Orientation=\"8\"", Some(Orientation::NoTransforms)),
            ("tiff:Orientation=\"9\" tiff:Orientation=\"8\"", None),
            ("tiff:Orientation=\"", None),
            ("tiff:Orientation", None),
            ("exif:Orientation=\"6\"", None),
            ("", None),
        ] {
            assert_eq!(in_xmp(packet.as_bytes()), expected, "{packet}");
        }
    }
}

//! Exif and XMP data of a JPEG: in its APP1 segments before the first scan.
//!
//! The segments are walked as Pillow's `JpegImagePlugin` walks them, which passes over other bytes than libjpeg does,
//! and ends without an error where they end. The walk for the pixels is in `jpeg/stream.rs`.

use std::borrow::Cow;

use super::exif::EXIF_PREFIX;
use super::places::Places;

const XMP_PREFIX: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";

const START_OF_SCAN: u8 = 0xDA;
const APP1: u8 = 0xE1;

/// The Exif data of all segments, joined, and the last XMP packet.
pub(super) fn places(bytes: &[u8]) -> Places<'_> {
    let mut places = Places::default();
    for content in (Segments { rest: bytes.get(2..).unwrap_or_default() }) {
        if let Some(exif) = content.strip_prefix(EXIF_PREFIX) {
            match &mut places.exif {
                Some(before) => before.to_mut().extend_from_slice(exif),
                None => places.exif = Some(Cow::Borrowed(exif)),
            }
        } else if let Some(packet) = content.strip_prefix(XMP_PREFIX) {
            places.xmp = Some(Cow::Borrowed(packet));
        }
    }
    places
}

/// The contents of the APP1 segments up to the first scan, or to what is no segment.
struct Segments<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Segments<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            let start = memchr::memchr(0xFF, self.rest)?;
            let (code, after) = self.rest[start + 1..].split_first()?;
            match code {
                // The byte may begin a marker itself.
                0xFF => self.rest = &self.rest[start + 1..],
                // A byte of data, and markers that nothing belongs to.
                0x00 | 0xC8 | 0xD0..=0xD9 | 0xF0..=0xFD => self.rest = after,
                &START_OF_SCAN | 0x01..=0xBF => return None,
                _ => {
                    let (length, after) = after.split_first_chunk()?;
                    let length = usize::from(u16::from_be_bytes(*length)).saturating_sub(2);
                    let (content, after) = after.split_at_checked(length)?;
                    self.rest = after;
                    if *code == APP1 {
                        return Some(content);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::places;

    fn segment(code: u8, content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len() + 2).unwrap().to_be_bytes();
        [&[0xFF, code], &length[..], content].concat()
    }

    #[test]
    fn exif_segments_are_joined_and_what_follows_the_scan_is_not_read() {
        let stream = [
            &b"\xFF\xD8"[..],
            b"junk\xFF\x00\xFF",
            &segment(0xE1, b"Exif\0\0first,"),
            &segment(0xE0, b"Exif\0\0other"),
            &segment(0xE1, b"Exif\0Xother"),
            &segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0one"),
            b"\xFF\xD9",
            &segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0two"),
            &segment(0xE1, b"Exif\0\0second"),
            &segment(0xDA, b""),
            &segment(0xE1, b"Exif\0\0third"),
        ]
        .concat();
        let found = places(&stream);
        assert_eq!(found.exif.as_deref(), Some(&b"first,second"[..]));
        assert_eq!(found.xmp.as_deref(), Some(&b"two"[..]));
        for length in 0..stream.len() {
            places(&stream[..length]);
        }
    }
}

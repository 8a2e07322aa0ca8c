//! The segments of a JPEG stream (ITU-T T.81, annex B), without decoding anything.
//!
//! A decoder fills what is missing of a truncated JPEG with gray. A part that was photographed but only half
//! transmitted must not be judged, so the markers are walked first: a complete stream ends with EOI.
//!
//! What a segment is goes by libjpeg's rule here, since libjpeg makes the pixels. Pillow looks for the orientation in a
//! walk of its own by another rule, which `orientation/jpeg.rs` follows.

use memchr::memchr;

use crate::error::ImageError;

const SOI: u8 = 0xD8;
pub(super) const EOI: u8 = 0xD9;
pub(super) const SOS: u8 = 0xDA;
const TEM: u8 = 0x01;
const DHT: u8 = 0xC4;
/// Reserved for extensions of JPEG.
const JPG: u8 = 0xC8;
const DAC: u8 = 0xCC;
/// Announces hierarchical frames.
const DHP: u8 = 0xDE;
/// The frame of JPEG-LS (ITU-T T.87).
const SOF_LS: u8 = 0xF7;
const APP0: u8 = 0xE0;
const ADOBE: u8 = 0xEE;
const COMMENT: u8 = 0xFE;

/// What the frame header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame {
    process: u8,
    /// In pixels.
    pub width: u16,
    /// In pixels; 0 where it comes after the first scan.
    pub height: u16,
    precision: u8,
    pub components: u8,
}

/// A stream that is complete, and of a kind that is decoded here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stream {
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// Each costs the decoder a pass over all of the image, however few bytes it takes.
    pub scans: u64,
    frame: Frame,
}

/// A marker and what belongs to it.
pub(super) struct Segment<'a> {
    pub marker: u8,
    /// What follows the segment's length; empty for markers that stand alone.
    pub content: &'a [u8],
    /// The data of a scan, up to the next marker.
    pub data: &'a [u8],
}

impl Stream {
    /// Walks the markers up to the end of the image. Costs one search for the byte 0xFF.
    ///
    /// # Errors
    /// [`ImageError`]: bytes are missing, or the process is one that is not decoded here.
    pub fn read(bytes: &[u8]) -> Result<Self, ImageError> {
        let mut frame: Option<Frame> = None;
        let mut scans = 0;
        for segment in Segments::of(bytes)? {
            let Segment { marker, content, .. } = segment?;
            match marker {
                EOI => {
                    let frame = frame.ok_or_else(|| damaged("it has no frame header"))?;
                    let (width, height) = (u32::from(frame.width), u32::from(frame.height));
                    return Ok(Self { width, height, scans, frame });
                }
                SOS => scans += 1,
                DHP => return Err(ImageError::unsupported("a hierarchical JPEG")),
                _ if is_frame(marker) && frame.is_none() => {
                    let header = Frame::of(marker, content)?;
                    header.check()?;
                    frame = Some(header);
                }
                _ => {}
            }
        }
        Err(truncated())
    }

    /// The same image in a stream without what is odd about its headers and means nothing to the pixels, and without
    /// padding, so that what the decoder still complains of is the data. Metadata is left out.
    pub fn plain(&self, bytes: &[u8]) -> Result<Vec<u8>, ImageError> {
        let mut plain = vec![0xFF, SOI];
        for segment in Segments::of(bytes)? {
            let Segment { marker, content, data } = segment?;
            let Some(content) = self.plain_content(marker, content) else { continue };
            plain.extend([0xFF, marker]);
            if !stands_alone(marker) {
                let length = u16::try_from(content.len() + 2).unwrap_or(u16::MAX);
                plain.extend(length.to_be_bytes());
                plain.extend(content);
            }
            plain.extend(without_padding(data));
            if marker == EOI {
                break;
            }
        }
        Ok(plain)
    }

    /// A segment's content as a plain encoder would have written it; none for what tells nothing of pixels.
    fn plain_content(&self, marker: u8, content: &[u8]) -> Option<Vec<u8>> {
        let mut content = content.to_vec();
        match marker {
            // Of version 1: of the later ones libjpeg warns, and reads them as this one.
            APP0 if content.starts_with(b"JFIF\0") => *content.get_mut(5)? = 1,
            // Of an unknown transform libjpeg warns, and takes it for the usual one.
            ADOBE if content.starts_with(b"Adobe") => {
                let usual = if self.frame.components == 4 { 2 } else { 1 };
                let transform = content.get_mut(11)?;
                *transform = if *transform == 0 { 0 } else { usual };
            }
            APP0..=0xEF | COMMENT => return None,
            // Of the coefficients that a scan of all of them names libjpeg warns where they are not all.
            SOS if self.frame.is_sequential() => {
                let parameters = content.len().checked_sub(3)?;
                content[parameters..].copy_from_slice(&[0, 63, 0]);
            }
            _ => {}
        }
        Some(content)
    }
}

impl Frame {
    pub fn of(process: u8, content: &[u8]) -> Result<Self, ImageError> {
        let [precision, h1, h0, w1, w0, components, ..] = *content else {
            return Err(damaged("its frame header is too short"));
        };
        let (width, height) = (u16::from_be_bytes([w1, w0]), u16::from_be_bytes([h1, h0]));
        Ok(Self { process, width, height, precision, components })
    }

    /// Whether it is of a kind that is decoded here, and to the same pixels as by Pillow.
    fn check(self) -> Result<(), ImageError> {
        let Self { process, width, height, precision, components } = self;
        match process {
            SOF_LS => return Err(ImageError::unsupported("JPEG-LS")),
            0xC5..=0xC7 | 0xCD..=0xCF => {
                return Err(ImageError::unsupported("a hierarchical JPEG"));
            }
            0xCB => return Err(ImageError::unsupported("a lossless JPEG with arithmetic coding")),
            _ => {}
        }
        if precision != 8 {
            let kind = if process == 0xC3 { "lossless JPEG" } else { "JPEG" };
            return Err(ImageError::unsupported(format!("a {kind} of {precision} bits a sample")));
        }
        if !matches!(components, 1 | 3 | 4) {
            return Err(ImageError::unsupported(format!("a JPEG of {components} components")));
        }
        if height == 0 {
            return Err(ImageError::unsupported("a JPEG whose height comes after its data"));
        }
        if width == 0 {
            return Err(damaged("it is 0 pixels wide"));
        }
        Ok(())
    }

    /// Whether each scan has all coefficients of its components.
    fn is_sequential(self) -> bool {
        matches!(self.process, 0xC0 | 0xC1 | 0xC9)
    }
}

/// A scan's data without the zeros before its markers and its end: no coded data end in several of them, as the last
/// byte is filled with ones.
fn without_padding(data: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(data.len());
    for (place, byte) in data.iter().enumerate() {
        let marker = matches!(data.get(place + 1), Some(0xD0..=0xD7));
        if *byte == 0xFF && marker {
            drop_zeros(&mut plain);
        }
        plain.push(*byte);
    }
    drop_zeros(&mut plain);
    plain
}

/// Two or more at the end, but for one that is stuffed behind 0xFF.
fn drop_zeros(data: &mut Vec<u8>) {
    let zeros = data.iter().rev().take_while(|byte| **byte == 0).count();
    if zeros > 1 {
        data.truncate(data.len() - zeros);
        if data.last() == Some(&0xFF) {
            data.push(0);
        }
    }
}

/// Whether a marker has neither a length nor content. 0xD0 to 0xD7 are the restart markers.
fn stands_alone(marker: u8) -> bool {
    matches!(marker, SOI | EOI | TEM | 0xD0..=0xD7)
}

/// Whether a marker begins a frame.
pub(super) fn is_frame(marker: u8) -> bool {
    marker == SOF_LS || matches!(marker, 0xC0..=0xCF) && !matches!(marker, DHT | JPG | DAC)
}

/// The segments of a stream behind SOI; after what is missing there are no more.
pub(super) struct Segments<'a> {
    rest: Option<&'a [u8]>,
}

impl<'a> Segments<'a> {
    pub fn of(bytes: &'a [u8]) -> Result<Self, ImageError> {
        let rest = bytes.strip_prefix(&[0xFF, SOI]).ok_or_else(truncated)?;
        Ok(Self { rest: Some(rest) })
    }
}

impl<'a> Iterator for Segments<'a> {
    type Item = Result<Segment<'a>, ImageError>;

    fn next(&mut self) -> Option<Self::Item> {
        let read = segment(self.rest.take()?);
        Some(
            read.map(|(segment, rest)| {
                self.rest = Some(rest);
                segment
            })
            .ok_or_else(truncated),
        )
    }
}

/// The first segment, and what follows it; `None` where bytes are missing.
fn segment(bytes: &[u8]) -> Option<(Segment<'_>, &[u8])> {
    let (marker, after) = next_marker(bytes)?;
    if stands_alone(marker) {
        return Some((Segment { marker, content: &[], data: &[] }, after));
    }
    let length = usize::from(u16::from_be_bytes(after.first_chunk().copied()?)).max(2);
    let (content, rest) = (after.get(2..length)?, after.get(length..)?);
    let data = if marker == SOS { entropy_coded(rest)? } else { &[] };
    Some((Segment { marker, content, data }, &rest[data.len()..]))
}

/// The first marker, and what follows it. What stands before it belongs to nothing; libjpeg skips it, too.
fn next_marker(mut bytes: &[u8]) -> Option<(u8, &[u8])> {
    loop {
        let start = memchr(0xFF, bytes)?;
        let after_fill = &bytes[start..];
        let code = after_fill.iter().position(|byte| *byte != 0xFF)?;
        let (marker, after) = (after_fill[code], &after_fill[code + 1..]);
        if marker != 0 {
            return Some((marker, after));
        }
        bytes = after;
    }
}

/// Entropy-coded data up to the next marker: stuffed zeros and restart markers belong to it.
fn entropy_coded(bytes: &[u8]) -> Option<&[u8]> {
    let mut end = 0;
    loop {
        end += memchr(0xFF, bytes.get(end..)?)?;
        match bytes.get(end + 1)? {
            0x00 | 0xD0..=0xD7 => end += 2,
            0xFF => end += 1,
            _ => return Some(&bytes[..end]),
        }
    }
}

fn truncated() -> ImageError {
    damaged("it is truncated: the end-of-image marker is missing")
}

fn damaged(reason: &str) -> ImageError {
    ImageError::damaged("JPEG", reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &[u8] = &[
        0xFF, 0xD8, // SOI
        0xFF, 0xE1, 0, 6, 0xFF, 0xD9, 0xFF, 0xD9, // APP1 whose content looks like EOI
        7, 0xFF, 0, 8, // belongs to nothing
        0xFF, 0xFF, 0xC2, 0, 11, 8, 0, 5, 0, 9, 1, 1, 0x11, 0, // fill byte, SOF2 of 9 x 5
        0xFF, 0xDA, 0, 3, 7, // SOS
        1, 2, 0xFF, 0x00, 3, 0xFF, 0xD0, 4, // data, stuffed byte, restart marker
        0xFF, 0xC4, 0, 2, // DHT between scans
        0xFF, 0xDA, 0, 2, 5, // second scan
        0xFF, 0xD9,
    ];

    /// A stream of this frame and nothing else.
    fn of_frame(marker: u8, content: &[u8]) -> Vec<u8> {
        let length = u8::try_from(content.len() + 2).unwrap();
        [&[0xFF, SOI, 0xFF, marker, 0, length], content, &[0xFF, EOI]].concat()
    }

    #[test]
    fn a_whole_stream_is_complete() {
        let mut with_trailer = STREAM.to_vec();
        with_trailer.extend([0, 1, 2]);
        for bytes in [STREAM, &with_trailer] {
            let stream = Stream::read(bytes).unwrap();
            assert_eq!((stream.width, stream.height, stream.scans), (9, 5, 2));
        }
    }

    #[test]
    fn every_truncation_is_noticed() {
        for length in 0..STREAM.len() {
            assert_eq!(Stream::read(&STREAM[..length]), Err(truncated()), "cut at {length}");
        }
    }

    #[test]
    fn what_is_not_decoded_is_named() {
        for (marker, content, kind) in [
            (0xC1, [12, 0, 1, 0, 1, 1], "a JPEG of 12 bits a sample"),
            (0xC3, [16, 0, 1, 0, 1, 1], "a lossless JPEG of 16 bits a sample"),
            (0xC5, [8, 0, 1, 0, 1, 1], "a hierarchical JPEG"),
            (0xCB, [8, 0, 1, 0, 1, 1], "a lossless JPEG with arithmetic coding"),
            (0xF7, [8, 0, 1, 0, 1, 1], "JPEG-LS"),
            (0xC0, [8, 0, 1, 0, 1, 2], "a JPEG of 2 components"),
            (0xC0, [8, 0, 0, 0, 1, 1], "a JPEG whose height comes after its data"),
        ] {
            let refused = Stream::read(&of_frame(marker, &content)).unwrap_err();
            assert_eq!(refused, ImageError::unsupported(kind));
        }
        assert!(matches!(Stream::read(&of_frame(0xC0, &[8, 0])), Err(ImageError::Damaged { .. })));
        assert!(matches!(Stream::read(&[0xFF, SOI, 0xFF, EOI]), Err(ImageError::Damaged { .. })));
    }

    #[test]
    fn a_plain_stream_has_only_what_makes_pixels() {
        let plain = Stream::read(STREAM).unwrap().plain(STREAM).unwrap();
        let (head, body) = (&STREAM[..2], &STREAM[15..]);
        assert_eq!(plain, [head, body].concat());
        assert_eq!(Stream::read(&plain), Stream::read(STREAM));
    }
}

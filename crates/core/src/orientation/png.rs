//! Exif and XMP data of a PNG: in chunks of their own or in text, before the pixels or after them.
//!
//! The chunks are walked as Pillow walks them, which the decoder of the pixels does not: what is a chunk's name, up to
//! where a checksum counts and where an animation's first image ends decides which orientation is found. What is made
//! of the file for that decoder is in [`png`](crate::png).

use std::borrow::Cow;

use flate2::{Decompress, FlushDecompress};
use image::metadata::Orientation;

use super::exif::{self, without_prefix};
use super::xmp;
use crate::error::ImageError;
use crate::png::checksum;

const SIGNATURE_BYTES: usize = 8;

const XMP_KEY: &[u8] = b"XML:com.adobe.xmp";
const EXIF_PROFILE_KEY: &[u8] = b"Raw profile type exif";

/// What a packed text may be unpacked to, and all of them together (Pillow's `MAX_TEXT_CHUNK` and
/// `MAX_TEXT_MEMORY`).
const MAX_TEXT_BYTES: usize = 1 << 20;
const MAX_TEXTS_BYTES: usize = 64 << 20;

/// The last content of each place that may hold an orientation, in the order in which they are asked.
#[derive(Debug, Default)]
struct Texts<'a> {
    /// Exif data, as an `eXIf` chunk or as text under "exif". Nobody packs the latter, and
    /// [`Unreadable`](Content::Unreadable) is what is packed.
    exif: Option<Content<'a>>,
    /// Exif data in hexadecimal digits, behind three lines.
    exif_profile: Option<Content<'a>>,
    /// An XMP packet as text, and as it stands in an `iTXt` chunk even if it is no UTF-8.
    xmp_text: Option<Content<'a>>,
    xmp: Option<Content<'a>>,
    unpacked_bytes: usize,
}

#[derive(Debug)]
enum Content<'a> {
    Data(Cow<'a, [u8]>),
    /// Something that is no data of the place's kind.
    Unreadable,
}

/// Where the walk over the chunks is, as far as this decides how they are read.
#[derive(Debug, Default)]
struct Walk {
    /// Pixels have been met: checksums are not looked at any more.
    in_pixels: bool,
    /// Of an animation: its number of frames, and whether the pixels are the first.
    frames: Option<u32>,
    frame_begun: bool,
    /// The file is an animation: the first frame ends where the next begins.
    animated: bool,
}

/// As the file's metadata say; `None` where they say nothing.
pub(super) fn stated(bytes: &[u8]) -> Result<Option<Orientation>, ImageError> {
    let texts = texts(bytes)?;
    let unreadable = Some(Orientation::NoTransforms);
    let stated = match (&texts.exif, &texts.exif_profile) {
        (Some(Content::Data(data)), _) => exif::in_exif(data),
        (None, Some(Content::Data(text))) => match profile(text) {
            Some(data) => exif::in_exif(without_prefix(&data)),
            None => unreadable,
        },
        (Some(Content::Unreadable), _) | (None, Some(Content::Unreadable)) => unreadable,
        (None, None) => None,
    };
    Ok(stated.or_else(|| match (&texts.xmp_text, &texts.xmp) {
        (Some(Content::Data(packet)), _) if !packet.is_empty() => xmp::orientation(packet),
        (_, Some(Content::Data(packet))) => xmp::orientation(packet),
        _ => None,
    }))
}

fn texts(bytes: &[u8]) -> Result<Texts<'_>, ImageError> {
    let mut texts = Texts::default();
    let mut walk = Walk::default();
    let mut rest = bytes.get(SIGNATURE_BYTES..).unwrap_or_default();
    while let Some((name, length, after)) = chunk_header(rest) {
        if name == *b"IEND" || name == *b"fcTL" && walk.animated {
            break;
        }
        let Some((content, after)) = after.split_at_checked(length) else {
            if name == *b"IDAT" {
                break;
            }
            return Err(damaged("it is truncated", name));
        };
        let (stored, after) = after.split_at(after.len().min(4));
        rest = after;
        walk.pass(name, content);
        if !matches!(&name, b"eXIf" | b"tEXt" | b"zTXt" | b"iTXt") {
            continue;
        }
        if !walk.in_pixels && stored != checksum(name, content) {
            return Err(damaged("a checksum is wrong", name));
        }
        texts.take(name, content)?;
    }
    Ok(texts)
}

/// The next chunk's name, the length of its content, and what follows the header.
fn chunk_header(bytes: &[u8]) -> Option<([u8; 4], usize, &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    let (name, rest) = rest.split_first_chunk()?;
    let is_name = name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    is_name.then_some((*name, length, rest))
}

fn damaged(what: &str, name: [u8; 4]) -> ImageError {
    let reason = format!("{what} (chunk {})", name.escape_ascii());
    ImageError::damaged("PNG", reason)
}

impl Walk {
    fn pass(&mut self, name: [u8; 4], content: &[u8]) {
        match &name {
            b"IDAT" | b"fdAT" if !self.in_pixels => {
                self.in_pixels = true;
                let default_image = u32::from(!self.frame_begun);
                self.animated = self.frames.is_some_and(|frames| frames + default_image > 1);
            }
            b"fcTL" => self.frame_begun = true,
            b"acTL" if content.len() >= 8 => {
                let frames = content.first_chunk().map_or(0, |count| u32::from_be_bytes(*count));
                // Told twice it is no animation.
                self.frames = match self.frames {
                    None if (1..=1 << 31).contains(&frames) => Some(frames),
                    _ => None,
                };
            }
            _ => {}
        }
    }
}

impl<'a> Texts<'a> {
    fn take(&mut self, name: [u8; 4], content: &'a [u8]) -> Result<(), ImageError> {
        match &name {
            b"eXIf" => self.exif = Some(Content::Data(Cow::Borrowed(content))),
            b"tEXt" => {
                let (key, text) = split(content).unwrap_or((content, &[]));
                let data = Cow::Borrowed(without_prefix(text));
                self.set(key, Content::Data(Cow::Borrowed(text)), Content::Data(data));
            }
            b"zTXt" => {
                let (key, packed) = split(content).unwrap_or((content, &[]));
                let text = match packed.split_first() {
                    _ if ![XMP_KEY, EXIF_PROFILE_KEY].contains(&key) => Content::Unreadable,
                    None => Content::Data(Cow::Borrowed(&[])),
                    // What cannot be unpacked is empty.
                    Some((0, packed)) => {
                        Content::Data(self.unpack(packed)?.unwrap_or_default().into())
                    }
                    Some(_) => Content::Unreadable,
                };
                self.set(key, text, Content::Unreadable);
            }
            _ => self.take_international(content)?,
        }
        Ok(())
    }

    /// Of an `iTXt` chunk. What does not keep to its form is passed over.
    fn take_international(&mut self, content: &'a [u8]) -> Result<(), ImageError> {
        let parts = split(content).and_then(|(key, rest)| {
            let ([packed, method], rest) = rest.split_first_chunk()?;
            let (language, rest) = split(rest)?;
            let (translated_key, text) = split(rest)?;
            Some((key, *packed != 0, *method, [language, translated_key], text))
        });
        let Some((key, packed, method, names, text)) = parts else { return Ok(()) };
        let wanted = [XMP_KEY, EXIF_PROFILE_KEY].contains(&key);
        let text: Cow<'_, [u8]> = match (packed, method) {
            (false, _) => text.into(),
            (true, 0) if wanted => match self.unpack(text)? {
                Some(text) => text.into(),
                None => return Ok(()),
            },
            (true, 0) => Cow::Borrowed(&[]),
            (true, _) => return Ok(()),
        };
        if key == XMP_KEY {
            self.xmp = Some(Content::Data(text.clone()));
        }
        let is_utf8 = |bytes: &[u8]| std::str::from_utf8(bytes).is_ok();
        if is_utf8(&text) && names.into_iter().all(is_utf8) {
            self.set(key, Content::Data(text), Content::Unreadable);
        }
        Ok(())
    }

    /// Keeps a text under a key that may hold an orientation. `as_data` is what becomes of it where
    /// binary data are looked for.
    fn set(&mut self, key: &[u8], text: Content<'a>, as_data: Content<'a>) {
        match key {
            XMP_KEY => self.xmp_text = Some(text),
            EXIF_PROFILE_KEY => self.exif_profile = Some(text),
            b"exif" => self.exif = Some(as_data),
            b"xmp" => self.xmp = Some(Content::Unreadable),
            _ => {}
        }
    }

    /// What was packed with zlib, as far as it goes; `None` if that is damaged.
    fn unpack(&mut self, packed: &[u8]) -> Result<Option<Vec<u8>>, ImageError> {
        let mut text = vec![0; MAX_TEXT_BYTES + 1];
        let mut unpacker = Decompress::new(true);
        let unpacked = unpacker.decompress(packed, &mut text, FlushDecompress::Sync);
        text.truncate(usize::try_from(unpacker.total_out()).unwrap_or(usize::MAX));
        self.unpacked_bytes += text.len();
        if text.len() > MAX_TEXT_BYTES || self.unpacked_bytes > MAX_TEXTS_BYTES {
            return Err(ImageError::TooMuchMemory { format: "PNG" });
        }
        Ok(unpacked.ok().map(|_| text))
    }
}

/// What stands before the first zero byte, and behind it.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr::memchr(0, bytes)?;
    Some((&bytes[..end], &bytes[end + 1..]))
}

/// The data of a profile: pairs of hexadecimal digits with white space between them, behind three lines.
fn profile(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let digits: Vec<u8> = text.split(|byte| *byte == b'\n').skip(3).flatten().copied().collect();
    let mut data = Vec::with_capacity(digits.len() / 2);
    let mut rest = digits.as_slice();
    while let Some((first, after)) = rest.split_first() {
        // Vertical tabs are white space, too.
        if first.is_ascii_whitespace() || *first == 0x0B {
            rest = after;
            continue;
        }
        let (second, after) = after.split_first()?;
        data.push(digit(*first)? << 4 | digit(*second)?);
        rest = after;
    }
    Some(data)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::ZlibEncoder;
    use image::metadata::Orientation;

    use super::{profile, stated};
    use crate::error::ImageError;
    use crate::png::checksum;

    const TURNED: &[u8] = b"II\x2A\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0";

    fn file(chunks: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
        let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
        for (name, content) in chunks {
            file.extend(u32::try_from(content.len()).unwrap().to_be_bytes());
            file.extend_from_slice(*name);
            file.extend_from_slice(content);
            file.extend(checksum(**name, content));
        }
        file
    }

    fn packed(text: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn after_pixels(name: [u8; 4], content: Vec<u8>) -> Vec<u8> {
        file(&[(b"IDAT", vec![]), (&name, content), (b"IEND", vec![])])
    }

    #[test]
    fn a_changed_or_cut_chunk_of_metadata_is_damage() {
        let whole = file(&[(b"eXIf", TURNED.to_vec()), (b"IDAT", vec![])]);
        assert_eq!(stated(&whole).unwrap(), Some(Orientation::Rotate90));
        let mut changed = whole.clone();
        *changed.iter_mut().rev().nth(16).unwrap() ^= 1;
        let error = stated(&changed).unwrap_err();
        assert!(matches!(error, ImageError::Damaged { .. }), "{error}");
        let cut = after_pixels(*b"eXIf", TURNED.to_vec());
        let error = stated(&cut[..cut.len() - 17]).unwrap_err();
        assert!(error.to_string().contains("truncated (chunk eXIf)"), "{error}");
        for length in 0..cut.len() {
            let _ = stated(&cut[..length]);
        }
    }

    #[test]
    fn unpacked_text_is_bounded() {
        let chunk = |key: &[u8], text: &[u8]| [key, b"\0\0", &packed(text)].concat();
        let bomb = vec![b' '; (1 << 20) + 1];
        let error =
            stated(&after_pixels(*b"zTXt", chunk(b"XML:com.adobe.xmp", &bomb))).unwrap_err();
        assert!(matches!(error, ImageError::TooMuchMemory { .. }), "{error}");
        // Nobody asks for this one.
        assert_eq!(stated(&after_pixels(*b"zTXt", chunk(b"Comment", &bomb))).unwrap(), None);
        let large = chunk(b"XML:com.adobe.xmp", &bomb[1..]);
        assert_eq!(stated(&after_pixels(*b"zTXt", large.clone())).unwrap(), None);
        let many: Vec<_> = (0..65).map(|_| (b"zTXt", large.clone())).collect();
        assert!(matches!(stated(&file(&many)).unwrap_err(), ImageError::TooMuchMemory { .. }));
    }

    #[test]
    fn the_text_of_a_profile_is_hexadecimal() {
        assert_eq!(profile(b"\nexif\n  3\n01 fF\r\n\x0B7e").as_deref(), Some(&[1, 0xFF, 0x7E][..]));
        assert_eq!(profile(b"01ff").as_deref(), Some(&[][..]));
        for wrong in ["0", "0 1", "0g", "+1"] {
            assert_eq!(profile(format!("\n\n\n{wrong}").as_bytes()), None, "{wrong}");
        }
    }
}

//! Exif and XMP data of a WebP: the first chunk of each, where the file's flags announce it.

use std::borrow::Cow;

use super::exif::without_prefix;
use super::places::Places;

const HEADER_BYTES: usize = 12;
const EXTENDED: &[u8; 4] = b"VP8X";
const EXIF_FLAG: u8 = 0x08;
const XMP_FLAG: u8 = 0x04;

/// What stands within the length that the file's header gives.
pub(super) fn places(bytes: &[u8]) -> Places<'_> {
    let mut places = Places::default();
    let Some(mut rest) = content(bytes) else { return places };
    let Some((EXTENDED, header)) = next_chunk(&mut rest) else { return places };
    let flags = header.first().copied().unwrap_or(0);
    while let Some((name, data)) = next_chunk(&mut rest) {
        match name {
            b"EXIF" if flags & EXIF_FLAG != 0 => {
                places.exif.get_or_insert(Cow::Borrowed(without_prefix(data)));
            }
            b"XMP " if flags & XMP_FLAG != 0 => {
                places.xmp.get_or_insert(Cow::Borrowed(data));
            }
            _ => {}
        }
    }
    places
}

/// The chunks.
fn content(bytes: &[u8]) -> Option<&[u8]> {
    let length = u32::from_le_bytes(*bytes.get(4..)?.first_chunk()?);
    let end = usize::try_from(length).ok()?.saturating_add(8).min(bytes.len());
    bytes.get(HEADER_BYTES..end)
}

/// The next chunk's name and content, if it is all there.
fn next_chunk<'a>(rest: &mut &'a [u8]) -> Option<(&'a [u8; 4], &'a [u8])> {
    let (name, after) = rest.split_first_chunk()?;
    let (length, after) = after.split_first_chunk()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let (content, after) = after.split_at_checked(length)?;
    // Chunks of an odd length are padded.
    *rest = after.get(length % 2..).unwrap_or_default();
    Some((name, content))
}

#[cfg(test)]
mod tests {
    use super::places;

    fn file(flags: u8, chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
        let mut content = b"WEBP".to_vec();
        let header: &[u8] = &[flags, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        for (name, data) in [(b"VP8X", header)].iter().chain(chunks) {
            content.extend_from_slice(*name);
            content.extend(u32::try_from(data.len()).unwrap().to_le_bytes());
            content.extend_from_slice(data);
            content.resize(content.len().next_multiple_of(2), 0);
        }
        let length = u32::try_from(content.len()).unwrap().to_le_bytes();
        [&b"RIFF"[..], &length, &content].concat()
    }

    #[test]
    fn announced_chunks_are_read_the_first_of_each() {
        let chunks: [(&[u8; 4], &[u8]); 4] =
            [(b"VP8 ", b"pixels."), (b"EXIF", b"one"), (b"EXIF", b"two"), (b"XMP ", b"packet")];
        let all = file(0x0C, &chunks);
        let found = places(&all);
        assert_eq!(found.exif.as_deref(), Some(&b"one"[..]));
        assert_eq!(found.xmp.as_deref(), Some(&b"packet"[..]));
        assert!(places(&file(0x04, &chunks)).exif.is_none());
        assert!(places(&file(0x08, &chunks)).xmp.is_none());
        // What stands behind the length in the header is no part of the file.
        let mut trailed = file(0x0C, &chunks[..3]);
        trailed.extend(b"XMP \x06\0\0\0packet");
        assert!(places(&trailed).xmp.is_none());
        for length in 0..all.len() {
            places(&all[..length]);
        }
    }
}

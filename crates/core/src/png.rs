//! PNG files without their end chunk, which is all that they lack.

use std::borrow::Cow;

const SIGNATURE: usize = 8;
/// Length, name and checksum of a chunk.
const FRAME: usize = 12;
const END: &[u8; FRAME] = b"\0\0\0\0IEND\xAE\x42\x60\x82";

/// The file up to its last chunk, with an end chunk where it has none. Pillow reads on until there are no more chunks,
/// too; whether the pixels are all there is the decoder's to say. A file that ends within a chunk stays as it is: the
/// chunk may say how the picture is to be turned.
pub(crate) fn with_end(bytes: &[u8]) -> Cow<'_, [u8]> {
    let mut end = SIGNATURE;
    let mut pixels = false;
    while let Some(chunk) = chunk(bytes, end) {
        match &chunk[4..8] {
            b"IEND" => return Cow::Borrowed(bytes),
            b"IDAT" => pixels = true,
            _ => {}
        }
        end += chunk.len();
    }
    let goes_on = bytes
        .get(end + 4..end + 8)
        .is_some_and(|name| name != b"IEND" && name.iter().all(u8::is_ascii_alphabetic));
    if !pixels || goes_on {
        return Cow::Borrowed(bytes);
    }
    Cow::Owned([&bytes[..end], END].concat())
}

/// The whole chunk that begins at `start`.
fn chunk(bytes: &[u8], start: usize) -> Option<&[u8]> {
    let rest = bytes.get(start..)?;
    let length = u32::from_be_bytes(*rest.first_chunk()?);
    rest.get(..usize::try_from(length).ok()?.checked_add(FRAME)?)
}

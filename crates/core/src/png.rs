//! PNG files that Pillow reads and the crate `png` does not, made into such as both read.
//!
//! The chunks are walked once more in [`orientation`](crate::orientation), by another rule: there, what Pillow takes
//! for a chunk and which of them it checks decides about the orientation; here it is which chunks are whole.

use std::borrow::Cow;

use flate2::Crc;

use crate::error::ImageError;

const SIGNATURE: usize = 8;
/// Length, name and checksum of a chunk.
const FRAME: usize = 12;
const END: &[u8; FRAME] = b"\0\0\0\0IEND\xAE\x42\x60\x82";

/// Where the header says what the samples are.
const COLOR_TYPE: usize = 25;
const INDEXED: u8 = 3;
/// Bytes of the colors that 8 bits can choose among.
const LARGEST_PALETTE: usize = 3 * 256;

/// The file as the decoder can read it.
///
/// # Errors
/// [`ImageError::Damaged`] for a palette of more colors than there can be: the decoder does not expect one.
pub(crate) fn adapted(bytes: &[u8]) -> Result<Cow<'_, [u8]>, ImageError> {
    Ok(match with_whole_colors(bytes)? {
        Some(file) => Cow::Owned(with_end(&file).into_owned()),
        None => with_end(bytes),
    })
}

/// The file without the bytes behind the last whole color of its palette, which Pillow leaves out, too; `None` where it
/// may stay as it is, and where the palette is not what was written.
fn with_whole_colors(bytes: &[u8]) -> Result<Option<Vec<u8>>, ImageError> {
    if bytes.get(COLOR_TYPE) != Some(&INDEXED) {
        return Ok(None);
    }
    let palette = Chunks::of(bytes)
        .take_while(|(_, chunk)| chunk.name() != b"IDAT")
        .find(|(_, chunk)| chunk.name() == b"PLTE");
    let Some((start, palette)) = palette else { return Ok(None) };
    let colors = palette.content();
    let extra = colors.len() % 3;
    let whole = &colors[..colors.len() - extra];
    if whole.len() > LARGEST_PALETTE {
        let reason = format!("its palette has {} colors: 256 at most", whole.len() / 3);
        return Err(ImageError::damaged("PNG", reason));
    }
    if extra == 0 && !whole.is_empty() || palette.checksum() != checksum(*b"PLTE", colors) {
        return Ok(None);
    }
    // Colors that a palette lacks are black, and the decoder wants one at least.
    let whole = if whole.is_empty() { &[0; 3] } else { whole };
    let after = &bytes[start + palette.0.len()..];
    Ok(Some([&bytes[..start], &chunk(*b"PLTE", whole), after].concat()))
}

/// The file up to its last chunk, with an end chunk where it has none. Pillow reads on until there are no more chunks,
/// too; whether the pixels are all there is the decoder's to say. A file that ends within a chunk stays as it is: the
/// chunk may say how the picture is to be turned.
fn with_end(bytes: &[u8]) -> Cow<'_, [u8]> {
    let mut end = SIGNATURE;
    let mut pixels = false;
    for (start, chunk) in Chunks::of(bytes) {
        match chunk.name() {
            b"IEND" => return Cow::Borrowed(bytes),
            b"IDAT" => pixels = true,
            _ => {}
        }
        end = start + chunk.0.len();
    }
    let goes_on = bytes
        .get(end + 4..end + 8)
        .is_some_and(|name| name != b"IEND" && name.iter().all(u8::is_ascii_alphabetic));
    if !pixels || goes_on {
        return Cow::Borrowed(bytes);
    }
    Cow::Owned([&bytes[..end], END].concat())
}

/// A whole chunk, from its length to its checksum.
struct Chunk<'a>(&'a [u8]);

impl<'a> Chunk<'a> {
    fn name(&self) -> &'a [u8] {
        &self.0[4..8]
    }

    fn content(&self) -> &'a [u8] {
        &self.0[8..self.0.len() - 4]
    }

    fn checksum(&self) -> &'a [u8] {
        &self.0[self.0.len() - 4..]
    }
}

/// The whole chunks of a file and where each begins, up to the first that is not whole.
struct Chunks<'a> {
    bytes: &'a [u8],
    place: usize,
}

impl<'a> Chunks<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        Self { bytes, place: SIGNATURE }
    }
}

impl<'a> Iterator for Chunks<'a> {
    type Item = (usize, Chunk<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.place;
        let rest = self.bytes.get(start..)?;
        let length = u32::from_be_bytes(*rest.first_chunk()?);
        let chunk = rest.get(..usize::try_from(length).ok()?.checked_add(FRAME)?)?;
        self.place += chunk.len();
        Some((start, Chunk(chunk)))
    }
}

fn chunk(name: [u8; 4], content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap_or(u32::MAX).to_be_bytes();
    [&length[..], &name, content, &checksum(name, content)].concat()
}

/// What stands behind a chunk of this name and content.
pub(crate) fn checksum(name: [u8; 4], content: &[u8]) -> [u8; 4] {
    let mut crc = Crc::new();
    crc.update(&name);
    crc.update(content);
    crc.sum().to_be_bytes()
}

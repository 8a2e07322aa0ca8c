//! WebP files made such that the decoder, where it differs from libwebp, does as that does.
//!
//! The decoder blends the first image of an animation with its empty canvas, and is off by a gray level, where
//! libwebp copies it. And it refuses files without the metadata that they announce, which nobody asks it for.

const HEADER_BYTES: usize = 12;
const CHUNK_HEADER_BYTES: usize = 8;
/// Where the flags of an extended file stand.
const FLAGS_AT: usize = HEADER_BYTES + CHUNK_HEADER_BYTES;
const ANIMATION: u8 = 0x02;
const XMP: u8 = 0x04;
const EXIF: u8 = 0x08;
/// Where a frame's flags stand in its chunk's content.
const FRAME_FLAGS_AT: usize = 15;
const DO_NOT_BLEND: u8 = 0x02;

/// The file without announced metadata, and, if it is an animation, with a first image that replaces what is on the
/// canvas. `None` where it may stay as it is.
pub(crate) fn adapted(bytes: &[u8]) -> Option<Vec<u8>> {
    let flags = *bytes.get(FLAGS_AT)?;
    if bytes.get(HEADER_BYTES..)?.first_chunk() != Some(b"VP8X") {
        return None;
    }
    let frame = (flags & ANIMATION != 0).then(|| first_frame(bytes)).flatten();
    if frame.is_none() && flags & (EXIF | XMP) == 0 {
        return None;
    }
    let mut adapted = bytes.to_vec();
    adapted[FLAGS_AT] &= !(EXIF | XMP);
    if let Some(at) = frame {
        adapted[at] |= DO_NOT_BLEND;
    }
    Some(adapted)
}

/// Where the flags of the first frame stand.
fn first_frame(bytes: &[u8]) -> Option<usize> {
    let mut at = HEADER_BYTES;
    loop {
        let chunk = bytes.get(at..)?;
        let length = usize::try_from(u32::from_le_bytes(*chunk.get(4..)?.first_chunk()?)).ok()?;
        if chunk.starts_with(b"ANMF") {
            let flags = at + CHUNK_HEADER_BYTES + FRAME_FLAGS_AT;
            return (flags < bytes.len()).then_some(flags);
        }
        at = at.checked_add(CHUNK_HEADER_BYTES)?.checked_add(length)?.checked_add(length % 2)?;
    }
}

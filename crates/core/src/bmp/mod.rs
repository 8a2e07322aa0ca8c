//! Kinds of BMP that the crate `image` gives other pixels for than Pillow: read here, or refused.

mod header;
mod run_lengths;
mod sixteen_bits;

use image::DynamicImage;

use self::header::{FILE_HEADER, Header, Size, damaged};
use crate::error::ImageError;
use crate::image::ImageLimits;

/// Decodes or refuses a file of such a kind; `None` for another, which `image` decodes.
///
/// # Errors
/// [`ImageError::Damaged`] for a header without a size, whatever the kind, and what is wrong with those read here.
pub(crate) fn decode(
    bytes: &[u8],
    limits: &ImageLimits,
) -> Result<Option<DynamicImage>, ImageError> {
    let Some(header) = Header::read(bytes) else { return Ok(None) };
    if u64::from(header.data) < FILE_HEADER as u64 + u64::from(header.length) {
        return Err(damaged("its pixels begin within its header"));
    }
    let size = Size::read(bytes, limits)?;
    if header.bits == 1 && header.colors == Some(1) {
        return Err(ImageError::unsupported("a BMP of 1 bit a pixel and a single color"));
    }
    match (header.compression, header.bits) {
        (_, 16) => sixteen_bits::decode(bytes, &size).map(Some),
        (1, 8) | (2, 4) => run_lengths::decode(bytes, &size, header.bits).map(Some),
        _ => Ok(None),
    }
}

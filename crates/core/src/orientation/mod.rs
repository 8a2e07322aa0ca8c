//! Which way up an image is, read from the file's bytes as Pillow reads it: from its Exif data, or else from
//! its XMP packet, wherever these stand in a file of its format.
//!
//! Metadata that cannot be read ask for nothing, and no other place is asked then: that is what Pillow makes of a
//! JPEG with broken Exif data. (For other formats it raises an exception, so that there is no answer to
//! differ from.) Refused is only what leaves open how the picture is to be turned: a cut or changed chunk
//! of metadata, and text that would take too much memory.

mod exif;
mod jpeg;
mod places;
mod png;
mod webp;
mod xmp;

use image::ImageFormat;
use image::metadata::Orientation;

use crate::error::ImageError;

/// The orientation of an image file of this format.
///
/// # Errors
/// [`ImageError::Damaged`] and [`ImageError::TooMuchMemory`], for a PNG whose metadata are cut, changed or
/// packed to more than a picture needs.
pub(crate) fn of(bytes: &[u8], format: ImageFormat) -> Result<Orientation, ImageError> {
    let stated = match format {
        ImageFormat::Jpeg => jpeg::places(bytes).stated(),
        ImageFormat::Png => png::stated(bytes)?,
        ImageFormat::WebP => webp::places(bytes).stated(),
        ImageFormat::Tiff => exif::in_tiff(bytes),
        _ => None,
    };
    Ok(stated.unwrap_or(Orientation::NoTransforms))
}

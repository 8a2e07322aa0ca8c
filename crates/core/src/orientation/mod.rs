//! Which way up an image is, read from the file's bytes as Pillow reads it: from its Exif data, or else from
//! its XMP packet, wherever these stand in a file of its format.
//!
//! Metadata that cannot be read ask for nothing, and no other place is asked then: that is what Pillow makes of a
//! JPEG with broken Exif data. (For other formats it raises an exception, so that there is no answer to
//! differ from.) Refused is only what leaves open how the picture is to be turned: a cut or changed chunk
//! of metadata, and text that would take too much memory.

mod exif;
mod jpeg;
mod png;
mod webp;

use std::borrow::Cow;

use image::ImageFormat;
use image::metadata::Orientation;

use crate::error::ImageError;

/// What precedes Exif data in a JPEG, and in what some programs write into other files.
const EXIF_PREFIX: &[u8] = b"Exif\0\0";

/// What a file says of its orientation: the content of the places that are asked in turn.
#[derive(Debug, Default)]
struct Places<'a> {
    /// Exif data without [`EXIF_PREFIX`].
    exif: Option<Cow<'a, [u8]>>,
    xmp: Option<Cow<'a, [u8]>>,
}

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

impl Places<'_> {
    fn stated(&self) -> Option<Orientation> {
        let stated = self.exif.as_deref().and_then(exif::in_exif);
        stated.or_else(|| self.xmp.as_deref().and_then(in_xmp))
    }
}

/// The data behind one [`EXIF_PREFIX`], where there is one.
fn without_prefix(data: &[u8]) -> &[u8] {
    data.strip_prefix(EXIF_PREFIX).unwrap_or(data)
}

/// The first `tiff:Orientation`, as an attribute or an element, that a digit follows.
fn in_xmp(packet: &[u8]) -> Option<Orientation> {
    const NAME: &[u8] = b"tiff:Orientation";
    let digit = memchr::memmem::find_iter(packet, NAME).find_map(|start| {
        let rest = &packet[start + NAME.len()..];
        let value = rest.strip_prefix(b"=\"").or_else(|| rest.strip_prefix(b">"))?;
        value.first().filter(|value| value.is_ascii_digit())
    })?;
    Orientation::from_exif(digit - b'0')
}

#[cfg(test)]
mod tests {
    use image::metadata::Orientation;

    use super::in_xmp;

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

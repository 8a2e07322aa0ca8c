//! Which way up an image is, as Pillow finds it: by its EXIF data, or else by its XMP packet.

use image::ImageDecoder;
use image::metadata::Orientation;

/// The orientation of anything but a TIFF. Metadata that cannot be read say nothing.
pub(crate) fn of(decoder: &mut impl ImageDecoder) -> Orientation {
    let exif = decoder.exif_metadata().ok().flatten();
    exif.and_then(|exif| Orientation::from_exif_chunk(&exif))
        .or_else(|| in_xmp(&decoder.xmp_metadata().ok()??))
        .unwrap_or(Orientation::NoTransforms)
}

/// The first `tiff:Orientation`, as an attribute or an element, that a digit follows.
pub(crate) fn in_xmp(packet: &[u8]) -> Option<Orientation> {
    const NAME: &[u8] = b"tiff:Orientation";
    let digit = packet.windows(NAME.len()).enumerate().find_map(|(start, found)| {
        let rest = packet[start..].strip_prefix(NAME).filter(|_| found == NAME)?;
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

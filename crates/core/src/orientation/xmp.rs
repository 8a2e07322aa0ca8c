//! The orientation in an XMP packet.

use image::metadata::Orientation;

/// The first `tiff:Orientation`, as an attribute or an element, that a digit follows.
pub(super) fn orientation(packet: &[u8]) -> Option<Orientation> {
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

    use super::orientation;

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
            assert_eq!(orientation(packet.as_bytes()), expected, "{packet}");
        }
    }
}

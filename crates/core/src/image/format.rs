//! Which format a file is of, and what its decoder's errors mean to the sender.

use std::error::Error as _;

use image::ImageFormat;

use super::limits::ImageLimits;
use crate::error::ImageError;
use crate::tiff;

/// Checks the length and finds the format by the first bytes, whatever the file's name says.
pub(super) fn recognize(bytes: &[u8], limits: &ImageLimits) -> Result<ImageFormat, ImageError> {
    if bytes.is_empty() {
        return Err(ImageError::Empty);
    }
    if bytes.len() > limits.max_bytes {
        return Err(ImageError::TooManyBytes { bytes: bytes.len(), limit: limits.max_bytes });
    }
    let Some(format) = format_of(bytes) else {
        return Err(other_kind(bytes).map_or(ImageError::NotAnImage, ImageError::unsupported));
    };
    match format {
        ImageFormat::Jpeg
        | ImageFormat::Png
        | ImageFormat::Bmp
        | ImageFormat::Tiff
        | ImageFormat::WebP => Ok(format),
        other => Err(ImageError::unsupported(name_of_other(other))),
    }
}

/// What [`file_extension`] says of images that are read here.
pub const FILE_EXTENSIONS: [&str; 5] = ["jpg", "png", "bmp", "tiff", "webp"];

/// The usual file extension of an image with these bytes, without a dot: one of
/// [`FILE_EXTENSIONS`]. `None` for what [`Decoder`](super::Decoder) takes for no image, or for one of another
/// kind.
#[must_use]
pub fn file_extension(bytes: &[u8]) -> Option<&'static str> {
    match format_of(bytes)? {
        ImageFormat::Jpeg => Some("jpg"),
        ImageFormat::Png => Some("png"),
        ImageFormat::Bmp => Some("bmp"),
        ImageFormat::Tiff => Some("tiff"),
        ImageFormat::WebP => Some("webp"),
        _ => None,
    }
}

pub(super) fn explain(error: image::ImageError, format: ImageFormat) -> ImageError {
    let format = name(format);
    match error {
        image::ImageError::Unsupported(error) => {
            let reason = for_people(&error.to_string());
            ImageError::unsupported(format!("this {format} encoding ({reason})"))
        }
        image::ImageError::Limits(_) => ImageError::TooMuchMemory { format },
        error => {
            // What the format's own decoder says, where it says something: around it stands the format's name again.
            let reason = error.source().map_or_else(|| error.to_string(), ToString::to_string);
            ImageError::damaged(format, for_people(&reason))
        }
    }
}

/// A decoder's message with the names of PNG chunks in place of what its authors see of them:
/// `ChunkType { type: IDAT, critical: true, … }`.
fn for_people(message: &str) -> String {
    const BEGIN: &str = "ChunkType { type: ";
    let mut parts = message.split(BEGIN);
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once(',').unwrap_or((part, ""));
        text += name;
        text += rest.split_once('}').map_or(rest, |(_, after)| after);
    }
    text
}

/// The format by the first bytes, of those that the crate `image` knows.
fn format_of(bytes: &[u8]) -> Option<ImageFormat> {
    image::guess_format(bytes).ok().or_else(|| tiff::is_tiff(bytes).then_some(ImageFormat::Tiff))
}

/// Where the signature of a kind of file stands, what it is, and the kind.
const OTHER_KINDS: [(usize, &[u8], &str); 15] = [
    (4, b"ftypavif", "AVIF"),
    (4, b"ftypavis", "AVIF"),
    (4, b"ftyphei", "HEIF (as phones make it)"),
    (4, b"ftyphev", "HEIF (as phones make it)"),
    (4, b"ftypmif1", "HEIF (as phones make it)"),
    (4, b"ftyp", "a video or another ISO media file"),
    (0, b"\0\0\0\x0CjP  ", "JPEG 2000"),
    (0, b"\xFF\x4F\xFF\x51", "JPEG 2000"),
    (0, b"\0\0\0\x0CJXL ", "JPEG XL"),
    (0, b"\xFF\x0A", "JPEG XL"),
    (0, b"8BPS", "a Photoshop document"),
    (128, b"DICM", "DICOM"),
    (0, b"%PDF", "PDF"),
    (0, b"SIMPLE  =", "FITS"),
    (0, b"\x89HDF\r\n\x1A\n", "HDF5"),
];

/// What a file is that is no image of the formats here, in a person's words.
fn other_kind(bytes: &[u8]) -> Option<&'static str> {
    let found = |(place, signature, _): &&(usize, &[u8], &str)| {
        bytes.get(*place..).is_some_and(|rest| rest.starts_with(signature))
    };
    let svg = || memchr::memmem::find(&bytes[..bytes.len().min(1024)], b"<svg").map(|_| "SVG");
    OTHER_KINDS.iter().find(found).map(|(.., kind)| *kind).or_else(svg)
}

/// A format that is not read here.
fn name_of_other(format: ImageFormat) -> &'static str {
    match format {
        ImageFormat::Gif => "GIF",
        ImageFormat::Pnm => "a portable anymap (PBM, PGM, PPM or PAM)",
        ImageFormat::Ico => "an icon (ICO)",
        ImageFormat::Hdr => "Radiance HDR",
        ImageFormat::OpenExr => "OpenEXR",
        ImageFormat::Dds => "DDS",
        ImageFormat::Qoi => "QOI",
        ImageFormat::Farbfeld => "farbfeld",
        ImageFormat::Avif => "AVIF",
        ImageFormat::Tga => "TGA",
        other => name(other),
    }
}

pub(super) fn name(format: ImageFormat) -> &'static str {
    match format {
        ImageFormat::Jpeg => "JPEG",
        ImageFormat::Png => "PNG",
        ImageFormat::Bmp => "BMP",
        ImageFormat::Tiff => "TIFF",
        ImageFormat::WebP => "WebP",
        _ => "image",
    }
}

#[cfg(test)]
mod tests {
    use super::for_people;

    #[test]
    fn chunks_are_called_by_their_names() {
        for (message, expected) in [
            ("it ends early", "it ends early"),
            (
                "Chunk ChunkType { type: PLTE, critical: true, private: false, reserved: false, safecopy: false } must \
                 appear at most once.",
                "Chunk PLTE must appear at most once.",
            ),
            (
                "Chunk length wrong: ChunkType { type: IHDR, critical: true }",
                "Chunk length wrong: IHDR",
            ),
            ("ChunkType { type: IHDR", "IHDR"),
        ] {
            assert_eq!(for_people(message), expected);
        }
    }
}

//! Which format a file is of, and what its decoder's errors mean to the sender.

use image::ImageFormat;
use tiff::TiffError;

use super::ImageLimits;
use crate::error::ImageError;
use crate::jpeg;

/// Checks the length and finds the format by the first bytes, whatever the file's name says.
pub(super) fn recognize(bytes: &[u8], limits: &ImageLimits) -> Result<ImageFormat, ImageError> {
    if bytes.is_empty() {
        return Err(ImageError::Empty);
    }
    if bytes.len() > limits.max_bytes {
        return Err(ImageError::TooManyBytes { bytes: bytes.len(), limit: limits.max_bytes });
    }
    let format = match image::guess_format(bytes) {
        Ok(format) => format,
        Err(_) if bytes.get(4..8) == Some(b"ftyp") => {
            return Err(ImageError::Unsupported {
                what: "an ISO media file (HEIF or video)".into(),
            });
        }
        Err(_) => return Err(ImageError::NotAnImage),
    };
    match format {
        ImageFormat::Bmp if bits_of_bmp(bytes) == Some(16) => {
            // The decoder here spreads 5 and 6 bits over 8 in another way than Pillow.
            Err(ImageError::Unsupported { what: "a BMP of 16 bits a pixel".into() })
        }
        ImageFormat::Jpeg
        | ImageFormat::Png
        | ImageFormat::Bmp
        | ImageFormat::Tiff
        | ImageFormat::WebP => Ok(format),
        other => Err(ImageError::Unsupported { what: name(other).into() }),
    }
}

/// What [`file_extension`] says of images that are read here.
pub const FILE_EXTENSIONS: [&str; 5] = ["jpg", "png", "bmp", "tiff", "webp"];

/// The usual file extension of an image with these bytes, without a dot: one of
/// [`FILE_EXTENSIONS`]. `None` for what [`Decoder`](super::Decoder) takes for no image, or for one of another
/// kind.
#[must_use]
pub fn file_extension(bytes: &[u8]) -> Option<&'static str> {
    match image::guess_format(bytes).ok()? {
        ImageFormat::Jpeg => Some("jpg"),
        ImageFormat::Png => Some("png"),
        ImageFormat::Bmp => Some("bmp"),
        ImageFormat::Tiff => Some("tiff"),
        ImageFormat::WebP => Some("webp"),
        _ => None,
    }
}

/// Bits a pixel, which stand in another place behind the oldest header.
fn bits_of_bmp(bytes: &[u8]) -> Option<u16> {
    let header_bytes = u32::from_le_bytes(*bytes.get(14..)?.first_chunk()?);
    let place = if header_bytes == 12 { 24 } else { 28 };
    Some(u16::from_le_bytes(*bytes.get(place..)?.first_chunk()?))
}

pub(super) fn explain(error: image::ImageError, format: ImageFormat) -> ImageError {
    match error {
        image::ImageError::Unsupported(error) => {
            ImageError::Unsupported { what: format!("this {} encoding ({error})", name(format)) }
        }
        image::ImageError::Limits(_) => ImageError::TooMuchMemory { format: name(format) },
        error => ImageError::Damaged { format: name(format), reason: error.to_string() },
    }
}

pub(super) fn explain_jpeg(refusal: jpeg::Refusal) -> ImageError {
    match refusal {
        jpeg::Refusal::Damaged(reason) => {
            ImageError::Damaged { format: name(ImageFormat::Jpeg), reason }
        }
        jpeg::Refusal::Unsupported(what) => ImageError::Unsupported { what },
    }
}

pub(super) fn explain_tiff(error: TiffError) -> ImageError {
    let format = name(ImageFormat::Tiff);
    match error {
        TiffError::UnsupportedError(error) => {
            ImageError::Unsupported { what: format!("this {format} encoding ({error})") }
        }
        TiffError::LimitsExceeded => ImageError::TooMuchMemory { format },
        error => ImageError::Damaged { format, reason: error.to_string() },
    }
}

pub(super) fn name(format: ImageFormat) -> &'static str {
    match format {
        ImageFormat::Jpeg => "JPEG",
        ImageFormat::Png => "PNG",
        ImageFormat::Bmp => "BMP",
        ImageFormat::Tiff => "TIFF",
        ImageFormat::WebP => "WebP",
        ImageFormat::Gif => "GIF",
        ImageFormat::Avif => "AVIF",
        other => other.extensions_str().first().copied().unwrap_or("image"),
    }
}

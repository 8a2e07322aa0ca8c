//! From the bytes of an image file to upright 8-bit pixels.
//!
//! The result is what Pillow gives for
//! `ImageOps.exif_transpose(Image.open(f)).convert("L" or "RGB")`, with 16-bit samples cut to their
//! high byte: that is how the training scripts read images. Limits are checked on the header, before
//! anything is decoded.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};
use tiff::TiffError;

use crate::error::ImageError;
use crate::spec::Color;
use crate::tiff_file::{self, TiffFile};
use crate::{jpeg, orientation, samples};

/// What an image may cost at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageLimits {
    /// Length of the encoded file, in bytes.
    pub max_bytes: usize,
    /// Width, and height, in pixels.
    pub max_side: u32,
    /// Width times height.
    pub max_pixels: u64,
}

/// What a decoder may allocate before the image's size is known: for tables and metadata.
const METADATA_BYTES: u64 = 16 << 20;

/// Scans that a progressive JPEG of the largest size may have. Encoders make about ten.
const MAX_FULL_SCANS: u64 = 16;

impl ImageLimits {
    /// Bytes a decoded sample set may take: 4 channels of 8 bits for the largest image allowed, so
    /// that a 16-bit image has half as many pixels.
    fn max_decoded_bytes(&self) -> u64 {
        self.max_pixels.saturating_mul(4)
    }
}

/// 20 MiB, 16,384 a side, 50 megapixels: today's largest phone photographs pass.
impl Default for ImageLimits {
    fn default() -> Self {
        Self { max_bytes: 20 << 20, max_side: 16_384, max_pixels: 50_000_000 }
    }
}

/// Upright pixels, 8 bits a sample, rows from the top, channels interleaved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pixels {
    /// Width after the orientation was applied.
    pub width: u32,
    /// Height after the orientation was applied.
    pub height: u32,
    /// Gray has one channel, RGB three.
    pub color: Color,
    /// `width * height * channels` bytes.
    pub data: Vec<u8>,
}

/// Decodes an image to pixels of the asked-for colour space.
///
/// # Errors
/// [`ImageError`], each variant with what was found and what is expected.
pub fn decode(bytes: &[u8], color: Color, limits: &ImageLimits) -> Result<Pixels, ImageError> {
    let format = recognize(bytes, limits)?;
    // A decoder that panics has met data that its authors did not think of: that is damage to us,
    // and must not take the worker with it. Nothing is shared with the closure but the input.
    catch_unwind(AssertUnwindSafe(|| {
        let upright = decode_upright(bytes, format, limits)?;
        convert(upright, color)
    }))
    .unwrap_or_else(|_| {
        Err(ImageError::Damaged {
            format: name(format),
            reason: "the decoder cannot make sense of it".into(),
        })
    })
}

/// Checks the length and finds the format by the first bytes, whatever the file's name says.
fn recognize(bytes: &[u8], limits: &ImageLimits) -> Result<ImageFormat, ImageError> {
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

/// The usual file extension of an image with these bytes, without a dot: `jpg`, `png`, `bmp`, `tiff`
/// or `webp`. `None` for what [`decode`] takes for no image, or for one of another kind.
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

/// How often the decoder goes over all of the image: 1 but for a JPEG of several scans.
fn scans(bytes: &[u8], format: ImageFormat) -> Result<u64, ImageError> {
    if format != ImageFormat::Jpeg {
        return Ok(1);
    }
    jpeg::count_scans(bytes).ok_or_else(|| ImageError::Damaged {
        format: name(format),
        reason: "it is truncated: the end-of-image marker is missing".into(),
    })
}

fn allocation(bytes: u64) -> Limits {
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(bytes);
    limits
}

fn decode_upright(
    bytes: &[u8],
    format: ImageFormat,
    limits: &ImageLimits,
) -> Result<DynamicImage, ImageError> {
    let scans = scans(bytes, format)?;
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(allocation(METADATA_BYTES));
    let mut decoder = reader.into_decoder().map_err(|error| explain(error, format))?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    let too_large = width.max(height) > limits.max_side
        || pixels > limits.max_pixels
        || decoder.total_bytes() > limits.max_decoded_bytes();
    if too_large {
        return Err(ImageError::TooManyPixels {
            width,
            height,
            max_side: limits.max_side,
            max_pixels: limits.max_pixels,
        });
    }
    if pixels.saturating_mul(scans) > limits.max_pixels.saturating_mul(MAX_FULL_SCANS) {
        return Err(ImageError::Damaged {
            format: name(format),
            reason: format!("it has {scans} scans, more than an encoder makes"),
        });
    }
    decoder
        .set_limits(allocation(limits.max_decoded_bytes().saturating_mul(2)))
        .map_err(|error| explain(error, format))?;
    let damaged = |reason| ImageError::Damaged { format: name(format), reason };
    let (mut decoded, orientation) = match format {
        ImageFormat::Jpeg => {
            let orientation = orientation::of(&mut decoder);
            (jpeg::decode(bytes, (width, height)).map_err(damaged)?, orientation)
        }
        ImageFormat::Tiff => {
            let max_bytes = limits.max_decoded_bytes().saturating_mul(2);
            let mut file =
                TiffFile::open(bytes, max_bytes, METADATA_BYTES).map_err(explain_tiff)?;
            let stated = file.orientation();
            let orientation = stated.or_else(|| orientation::in_xmp(&file.xmp()?));
            let decoded = file.decode(decoder).map_err(|failure| match failure {
                tiff_file::Failure::Tiff(error) => explain_tiff(error),
                tiff_file::Failure::Image(error) => explain(error, format),
                tiff_file::Failure::Unsupported(kind) => {
                    ImageError::Unsupported { what: format!("this TIFF encoding ({kind})") }
                }
            })?;
            (decoded, orientation.unwrap_or(Orientation::NoTransforms))
        }
        _ => {
            let orientation = orientation::of(&mut decoder);
            let decoded = DynamicImage::from_decoder(decoder);
            (decoded.map_err(|error| explain(error, format))?, orientation)
        }
    };
    decoded.apply_orientation(orientation);
    Ok(decoded)
}

fn convert(decoded: DynamicImage, color: Color) -> Result<Pixels, ImageError> {
    let (width, height) = (decoded.width(), decoded.height());
    let data = match color {
        Color::Gray => samples::to_gray(decoded)?,
        Color::Rgb => samples::to_rgb(decoded)?,
    };
    Ok(Pixels { width, height, color, data })
}

fn explain(error: image::ImageError, format: ImageFormat) -> ImageError {
    match error {
        image::ImageError::Unsupported(error) => {
            ImageError::Unsupported { what: format!("this {} encoding ({error})", name(format)) }
        }
        image::ImageError::Limits(_) => ImageError::TooMuchMemory { format: name(format) },
        error => ImageError::Damaged { format: name(format), reason: error.to_string() },
    }
}

fn explain_tiff(error: TiffError) -> ImageError {
    let format = name(ImageFormat::Tiff);
    match error {
        TiffError::UnsupportedError(error) => {
            ImageError::Unsupported { what: format!("this {format} encoding ({error})") }
        }
        TiffError::LimitsExceeded => ImageError::TooMuchMemory { format },
        error => ImageError::Damaged { format, reason: error.to_string() },
    }
}

fn name(format: ImageFormat) -> &'static str {
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

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use image::{DynamicImage, ImageFormat, RgbImage};

    use super::{ImageLimits, decode};
    use crate::error::ImageError;
    use crate::samples::luma;
    use crate::spec::Color;

    fn encoded(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
        let picture = RgbImage::from_fn(width, height, |x, y| {
            image::Rgb([x, y, x * y].map(|value| value.to_le_bytes()[0]))
        });
        let mut file = Cursor::new(Vec::new());
        DynamicImage::from(picture).write_to(&mut file, format).unwrap();
        file.into_inner()
    }

    const FORMATS: [ImageFormat; 5] = [
        ImageFormat::Jpeg,
        ImageFormat::Png,
        ImageFormat::Bmp,
        ImageFormat::Tiff,
        ImageFormat::WebP,
    ];

    #[test]
    fn every_format_is_decoded_to_the_asked_for_color() {
        for format in FORMATS {
            let file = encoded(13, 7, format);
            let limits = ImageLimits::default();
            let rgb = decode(&file, Color::Rgb, &limits).unwrap();
            assert_eq!((rgb.width, rgb.height, rgb.data.len()), (13, 7, 13 * 7 * 3));
            let gray = decode(&file, Color::Gray, &limits).unwrap();
            assert_eq!(gray.data.len(), 13 * 7);
            assert_eq!(gray.data[5], luma(rgb.data[15], rgb.data[16], rgb.data[17]));
        }
    }

    #[test]
    fn every_truncation_is_damage_never_a_picture() {
        for format in FORMATS {
            let file = encoded(64, 48, format);
            for percent in [20, 50, 80, 95] {
                let cut = &file[..file.len() * percent / 100];
                let result = decode(cut, Color::Gray, &ImageLimits::default());
                assert!(
                    matches!(result, Err(ImageError::Damaged { .. })),
                    "{format:?} cut to {percent} %: {result:?}"
                );
            }
        }
    }

    #[test]
    fn limits_are_checked_on_the_header() {
        let file = encoded(100, 60, ImageFormat::Png);
        let refused = |limits: ImageLimits| decode(&file, Color::Gray, &limits).unwrap_err();
        let limits = ImageLimits::default();
        assert!(matches!(
            refused(ImageLimits { max_bytes: file.len() - 1, ..limits.clone() }),
            ImageError::TooManyBytes { .. }
        ));
        assert!(matches!(
            refused(ImageLimits { max_side: 99, ..limits.clone() }),
            ImageError::TooManyPixels { width: 100, height: 60, .. }
        ));
        assert!(matches!(
            refused(ImageLimits { max_pixels: 5999, ..limits }),
            ImageError::TooManyPixels { .. }
        ));
    }

    #[test]
    fn what_is_no_image_says_so() {
        let limits = ImageLimits::default();
        let decode = |bytes: &[u8]| decode(bytes, Color::Rgb, &limits).unwrap_err();
        assert!(matches!(decode(b""), ImageError::Empty));
        assert!(matches!(decode(b"%PDF-1.7 ..."), ImageError::NotAnImage));
        assert!(matches!(decode(b"x"), ImageError::NotAnImage));
        for unsupported in [&b"GIF89a\x01\0\x01\0"[..], b"\0\0\0\x18ftypheic\0\0\0\0"] {
            assert!(matches!(decode(unsupported), ImageError::Unsupported { .. }));
        }
        assert!(matches!(decode(b"\x89PNG\r\n\x1a\n"), ImageError::Damaged { .. }));
    }
}

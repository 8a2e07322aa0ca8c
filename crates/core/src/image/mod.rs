//! From the bytes of an image file to upright 8-bit pixels.
//!
//! The result is what Pillow gives for
//! `ImageOps.exif_transpose(Image.open(f)).convert("L" or "RGB")`, with 16-bit samples cut to their
//! high byte, or to the highest bits of what the model's description states: that is how the training
//! scripts read images. Limits are checked on the header, before
//! anything is decoded.

mod decoder;
mod format;
mod limits;
mod pixels;

pub use decoder::{Decoder, is_decoding};
pub use format::{FILE_EXTENSIONS, file_extension};
pub use limits::ImageLimits;
pub use pixels::{Pixels, PixelsView};

use crate::error::ImageError;
use crate::spec::Color;

/// Decodes one image to pixels of the asked-for color space. For many, a [`Decoder`] is faster.
///
/// # Errors
/// [`ImageError`], each variant with what was found and what is expected.
pub fn decode(bytes: &[u8], color: Color, limits: &ImageLimits) -> Result<Pixels, ImageError> {
    Decoder::new(limits.clone()).decode_owned(bytes, color)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use image::{DynamicImage, ImageFormat, RgbImage};

    use super::{ImageLimits, decode};
    use crate::error::ImageError;
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
        assert!(matches!(decode(b"plain text"), ImageError::NotAnImage));
        assert!(matches!(decode(b"x"), ImageError::NotAnImage));
        for unsupported in
            [&b"GIF89a\x01\0\x01\0"[..], b"\0\0\0\x18ftypheic\0\0\0\0", b"%PDF-1.7 ..."]
        {
            assert!(matches!(decode(unsupported), ImageError::Unsupported { .. }));
        }
        assert!(matches!(decode(b"\x89PNG\r\n\x1a\n"), ImageError::Damaged { .. }));
    }
}

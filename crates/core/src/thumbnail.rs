//! Small pictures of images, for people to look at.

use image::RgbImage;
use image::codecs::jpeg::JpegEncoder;
use image::imageops::thumbnail as shrink;

use crate::error::ImageError;
use crate::image::{Decoder, ImageLimits, Pixels, decode};
use crate::spec::Color;

/// The quality of the JPEG: small, and good enough to see what is in the picture.
const QUALITY: u8 = 75;

/// A JPEG of an image, upright, no side longer than `side` pixels. Smaller images stay as they are.
///
/// # Errors
/// As [`decode`].
pub fn thumbnail(bytes: &[u8], side: u32, limits: &ImageLimits) -> Result<Vec<u8>, ImageError> {
    let pixels = decode_for_people(bytes, limits)?;
    let (width, height) = (pixels.width, pixels.height);
    let picture = RgbImage::from_raw(width, height, pixels.data)
        .ok_or_else(|| ImageError::damaged("image", "its size is not that of its pixels"))?;
    let longest = u64::from(width.max(height));
    let picture = if longest > u64::from(side) {
        let scaled = |length: u32| {
            let length = u64::from(length) * u64::from(side) / longest;
            u32::try_from(length).unwrap_or(side).max(1)
        };
        shrink(&picture, scaled(width), scaled(height))
    } else {
        picture
    };
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, QUALITY)
        .encode_image(&picture)
        .map_err(|error| ImageError::damaged("image", error.to_string()))?;
    Ok(jpeg)
}

/// What may be a picture of 12 bits is taken for one: the other would be nearly black in any case.
fn decode_for_people(bytes: &[u8], limits: &ImageLimits) -> Result<Pixels, ImageError> {
    match decode(bytes, Color::Rgb, limits) {
        Err(ImageError::AmbiguousBitDepth { .. }) => {
            Decoder::new(limits.clone()).of_bit_depth(Some(12)).decode_owned(bytes, Color::Rgb)
        }
        decoded => decoded,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use image::{ImageFormat, Rgb};

    use super::*;

    fn encoded(width: u32, height: u32) -> Vec<u8> {
        let mut file = Cursor::new(Vec::new());
        let picture = RgbImage::from_pixel(width, height, Rgb([200, 20, 20]));
        picture.write_to(&mut file, ImageFormat::Png).unwrap();
        file.into_inner()
    }

    #[test]
    fn long_sides_shrink_and_small_images_stay() {
        let limits = ImageLimits::default();
        for (size, expected) in
            [((1000, 400), (160, 64)), ((3, 5000), (1, 160)), ((40, 30), (40, 30))]
        {
            let jpeg = thumbnail(&encoded(size.0, size.1), 160, &limits).unwrap();
            let small = image::load_from_memory(&jpeg).unwrap().to_rgb8();
            assert_eq!(small.dimensions(), expected);
            let Rgb([red, green, _]) = *small.get_pixel(0, 0);
            assert!(red > 180 && green < 40, "{red} {green}");
        }
        assert!(thumbnail(b"no image", 160, &limits).is_err());
    }
}

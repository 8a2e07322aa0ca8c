//! Images of line-scan cameras: a few thousand pixels one way, tens of thousands the other.

use std::io::Cursor;

use image::{DynamicImage, GrayImage, ImageFormat};
use sdd_core::ImageError;
use sdd_core::image::{ImageLimits, decode};
use sdd_core::spec::Color;

use crate::tiny;

/// A line that repeats nowhere near.
fn sample(along: u32) -> u8 {
    (along / 257).to_le_bytes()[0]
}

fn encoded(size: (u32, u32), format: ImageFormat) -> Vec<u8> {
    let picture = GrayImage::from_fn(size.0, size.1, |x, y| image::Luma([sample(x.max(y))]));
    let mut file = Cursor::new(Vec::new());
    DynamicImage::from(picture).write_to(&mut file, format).unwrap();
    file.into_inner()
}

#[test]
fn long_images_are_read_either_way_round() {
    let mut classifier = tiny();
    for format in [ImageFormat::Png, ImageFormat::Bmp, ImageFormat::Tiff, ImageFormat::Jpeg] {
        // What libjpeg, and with it Pillow, reads of the 65,535 that a JPEG can have.
        let longest = if format == ImageFormat::Jpeg { 65_500 } else { 65_535 };
        for size in [(longest, 40), (40, longest)] {
            let file = encoded(size, format);
            let pixels = decode(&file, Color::Gray, &ImageLimits::default()).unwrap();
            assert_eq!((pixels.width, pixels.height), size, "{format:?}");
            let last = *pixels.data.last().unwrap();
            // A JPEG keeps it nearly.
            assert!(last.abs_diff(sample(longest - 1)) < 8, "{format:?}: {last}");
            classifier.classify(&file).unwrap();
        }
    }
}

#[test]
fn a_side_beyond_the_limit_is_refused_by_its_header() {
    let error =
        decode(&encoded((65_536, 1), ImageFormat::Png), Color::Gray, &ImageLimits::default());
    let error = error.unwrap_err();
    assert!(matches!(error, ImageError::TooManyPixels { width: 65_536, .. }), "{error}");
    assert!(error.to_string().contains("65535 a side"), "{error}");
}

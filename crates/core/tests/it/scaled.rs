//! Decoding JPEGs at a fraction of their size.

use std::fs;
use std::io::Cursor;

use image::{DynamicImage, ImageFormat, RgbImage};
use sdd_core::image::{Decoder, ImageLimits, PixelsView};
use sdd_core::spec::Color;
use sdd_core::{Classifier, ClassifierOptions, InputReader, ReadOptions};

use crate::{data, tiny};

/// A soft gradient, 300 x 200 pixels.
fn encoded(format: ImageFormat) -> Vec<u8> {
    let picture = RgbImage::from_fn(300, 200, |x, y| {
        image::Rgb([x / 2, y, (x + y) / 3].map(|value| value.to_le_bytes()[0]))
    });
    let mut file = Cursor::new(Vec::new());
    DynamicImage::from(picture).write_to(&mut file, format).unwrap();
    file.into_inner()
}

fn size(file: &[u8], smallest: (u32, u32)) -> (u32, u32) {
    let decoder = Decoder::new(ImageLimits::default());
    let mut decoder = decoder.scaling_down_to(smallest.0, smallest.1);
    let PixelsView { width, height, data, .. } = decoder.decode(file, Color::Gray).unwrap();
    assert_eq!(data.len(), width as usize * height as usize);
    (width, height)
}

#[test]
fn a_jpeg_is_scaled_down_as_far_as_both_sides_allow() {
    let jpeg = encoded(ImageFormat::Jpeg);
    for (smallest, expected) in [
        ((1, 1), (38, 25)),
        ((38, 25), (38, 25)),
        ((39, 25), (75, 50)),
        ((38, 26), (75, 50)),
        ((150, 100), (150, 100)),
        ((150, 101), (300, 200)),
        ((1000, 1), (300, 200)),
    ] {
        assert_eq!(size(&jpeg, smallest), expected, "at least {smallest:?}");
    }
    assert_eq!(size(&encoded(ImageFormat::Png), (1, 1)), (300, 200));
}

#[test]
fn the_smallest_size_is_that_of_the_upright_image() {
    // Stored 61 x 47, shown 47 x 61.
    let turned = fs::read(data("images/jpeg_orientation_6.jpg")).unwrap();
    let upright = size(&turned, (1000, 1000));
    assert!(upright.0 < upright.1, "{upright:?}");
    let half = (upright.0.div_ceil(2), upright.1.div_ceil(2));
    assert_eq!(size(&turned, half), half);
    assert_eq!(size(&turned, (half.1, half.0)), upright);
}

#[test]
fn it_is_off_by_default_and_changes_little_when_on() {
    let jpeg = encoded(ImageFormat::Jpeg);
    let mut tensors =
        [ReadOptions::default(), ReadOptions { scaled_jpeg: true, ..ReadOptions::default() }]
            .map(|options| {
                let mut reader = InputReader::new(tiny().spec(), &options);
                let mut tensor = vec![0.0; reader.tensor_len()];
                reader.read(&jpeg, &mut tensor).unwrap();
                tensor
            })
            .into_iter();
    let (full, scaled) = (tensors.next().unwrap(), tensors.next().unwrap());
    let largest = full.iter().zip(&scaled).map(|(f, s)| (f - s).abs()).fold(0.0, f32::max);
    assert!(largest > 0.0, "nothing was scaled");
    // One gray level is 1 / 255 / 0.23 at the most, in the units of this model's input.
    assert!(largest < 0.1, "{largest}");

    let mut by_default =
        Classifier::open(&data("tiny.onnx"), &ClassifierOptions::default()).unwrap();
    let read = ReadOptions { scaled_jpeg: true, ..ReadOptions::default() };
    let options = ClassifierOptions { read, ..ClassifierOptions::default() };
    let mut scaling = Classifier::open(&data("tiny.onnx"), &options).unwrap();
    let expected = by_default.classify(&jpeg).unwrap();
    let found = scaling.fork().unwrap().classify(&jpeg).unwrap();
    assert_eq!(scaling.classify(&jpeg).unwrap(), found);
    assert_ne!(found.probabilities, expected.probabilities);
    assert!((found.probabilities[0] - expected.probabilities[0]).abs() < 0.05);
}

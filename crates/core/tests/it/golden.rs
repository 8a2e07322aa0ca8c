//! Agreement with Pillow and ONNX Runtime in Python, on images of every kind.

use std::collections::BTreeMap;
use std::fs;

use sdd_core::ImageProperties;
use sdd_core::image::{ImageLimits, Pixels, decode};
use sdd_core::preprocess::Preprocessor;
use sdd_core::spec::{Color, Filter, Preprocessing};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::{data, tiny};

#[derive(Deserialize)]
struct Golden {
    preprocessing: Preprocessing,
    resized: Vec<Resized>,
    images: BTreeMap<String, Expected>,
}

#[derive(Deserialize)]
struct Expected {
    /// Width and height, upright.
    size: (u32, u32),
    positions: Vec<(usize, usize)>,
    gray: Samples<u8>,
    rgb: Samples<[u8; 3]>,
    tensor: Tensor,
    properties: [f32; 5],
    probability: f32,
    embedding: Vec<f32>,
}

#[derive(Deserialize)]
struct Samples<T> {
    values: Vec<T>,
}

#[derive(Deserialize)]
struct Tensor {
    indices: Vec<usize>,
    values: Vec<f32>,
}

/// Noise of one size in another.
#[derive(Debug, Deserialize)]
struct Resized {
    filter: Filter,
    color: Color,
    /// Width and height.
    source: (u32, u32),
    target: (u32, u32),
    sum: u64,
    first: Vec<u8>,
    sha256: String,
    properties: [f32; 5],
}

fn golden() -> Golden {
    serde_json::from_str(&fs::read_to_string(data("golden.json")).unwrap()).unwrap()
}

/// Largest difference at the positions that were written down.
fn largest_difference(pixels: &Pixels, positions: &[(usize, usize)], expected: &[u8]) -> u8 {
    let channels = expected.len() / positions.len();
    let found = positions.iter().flat_map(|(x, y)| {
        let at = (y * pixels.width as usize + x) * channels;
        &pixels.data[at..at + channels]
    });
    found.zip(expected).map(|(f, e)| f.abs_diff(*e)).max().unwrap()
}

#[test]
fn pixels_are_pillows() {
    let limits = ImageLimits::default();
    for (name, expected) in &golden().images {
        let file = fs::read(data("images").join(name)).unwrap();
        let gray = decode(&file, Color::Gray, &limits).unwrap_or_else(|e| panic!("{name}: {e}"));
        let rgb = decode(&file, Color::Rgb, &limits).unwrap();
        assert_eq!((gray.width, gray.height), expected.size, "{name}");
        assert_eq!((rgb.width, rgb.height), expected.size, "{name}");
        let gray = largest_difference(&gray, &expected.positions, &expected.gray.values);
        let rgb = largest_difference(&rgb, &expected.positions, expected.rgb.values.as_flattened());
        assert_eq!((gray, rgb), (0, 0), "{name}: largest difference, gray and RGB");
    }
}

#[test]
fn tensors_are_pillows() {
    let golden = golden();
    let mut preprocessor = Preprocessor::new(&golden.preprocessing);
    let mut tensor = vec![0.0; preprocessor.tensor_len()];
    for (name, expected) in &golden.images {
        let file = fs::read(data("images").join(name)).unwrap();
        let pixels = decode(&file, Color::Rgb, &ImageLimits::default()).unwrap();
        preprocessor.write(pixels.view(), &mut tensor);
        let largest = expected
            .tensor
            .indices
            .iter()
            .zip(&expected.tensor.values)
            .map(|(at, value)| (tensor[*at] - value).abs())
            .fold(0.0, f32::max);
        assert!(largest <= 1e-6, "{name}: {largest}");
    }
}

/// As `noise` in `make_golden_images.py`: the high byte of a multiplicative hash of the sample's
/// position, spread from its middle.
fn noise((width, height): (u32, u32), color: Color) -> Pixels {
    let samples = width * height * u32::try_from(color.channels()).unwrap();
    let sample = |position: u32| {
        let hash = position.wrapping_mul(2_654_435_761);
        let hash = (hash ^ (hash >> 15)).wrapping_mul(2_246_822_519);
        let spread = i64::from(hash >> 24) * 2 - 128;
        u8::try_from(spread.clamp(0, 255)).unwrap()
    };
    Pixels { width, height, color, data: (0..samples).map(sample).collect() }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "they are 0 to 255")]
fn resize(case: &Resized) -> (Vec<u8>, ImageProperties) {
    let (width, height) = case.target;
    let mut preprocessor = Preprocessor::new(&Preprocessing {
        width,
        height,
        filter: case.filter,
        color: case.color,
        scale: 1.0,
        mean: [0.0; 3],
        std: [1.0; 3],
        bit_depth: None,
    });
    let mut tensor = vec![0.0; preprocessor.tensor_len()];
    let properties = preprocessor.write(noise(case.source, case.color).view(), &mut tensor);
    let pixels = tensor.len() / 3;
    let channels = case.color.channels();
    let sample = |at: usize| tensor[at % channels * pixels + at / channels] as u8;
    ((0..pixels * channels).map(sample).collect(), properties)
}

#[test]
fn every_filter_is_pillows() {
    let cases = golden().resized;
    let mut filters = Vec::new();
    for case in &cases {
        let (found, properties) = resize(case);
        assert_eq!(found[..case.first.len()], case.first, "{case:?}");
        assert_eq!(found.iter().map(|value| u64::from(*value)).sum::<u64>(), case.sum, "{case:?}");
        assert_eq!(format!("{:x}", Sha256::digest(&found)), case.sha256, "{case:?}");
        assert_properties(properties, case.properties, &format!("{case:?}"));
        if !filters.contains(&case.filter) {
            filters.push(case.filter);
        }
    }
    // No wildcard: a new filter does not compile until it is among these, and then has to be in the file.
    let all = [Filter::Box, Filter::Bilinear, Filter::Hamming, Filter::Bicubic, Filter::Lanczos];
    for filter in all {
        match filter {
            Filter::Box
            | Filter::Bilinear
            | Filter::Hamming
            | Filter::Bicubic
            | Filter::Lanczos => assert!(filters.contains(&filter), "{filter:?}"),
        }
    }
}

#[test]
fn answers_are_those_of_onnx_runtime_in_python() {
    let mut classifier = tiny();
    for (name, expected) in &golden().images {
        let file = fs::read(data("images").join(name)).unwrap();
        let prediction = classifier.classify(&file).unwrap();
        assert_properties(prediction.properties.unwrap(), expected.properties, name);
        let probability = (prediction.probabilities[0] - expected.probability).abs();
        let differences = prediction.embedding.iter().zip(&expected.embedding).map(|(f, e)| f - e);
        let embedding = norm(differences) / norm(expected.embedding.iter().copied());
        assert!(probability <= 1e-6, "{name}: {probability}");
        assert!(embedding <= 1e-6, "{name}: {embedding}");
    }
}

/// They are calculated in double precision on both sides, and rounded to single.
fn assert_properties(found: ImageProperties, expected: [f32; 5], of: &str) {
    for ((name, found), expected) in
        ImageProperties::NAMES.iter().zip(found.to_array()).zip(expected)
    {
        assert!(
            (found - expected).abs() <= 1e-6 * expected,
            "{of}, {name}: {found}, not {expected}"
        );
    }
}

fn norm(values: impl Iterator<Item = f32>) -> f32 {
    values.map(|value| value * value).sum::<f32>().sqrt()
}

//! Agreement with Pillow and ONNX Runtime in Python, on images of every kind.

use std::collections::BTreeMap;
use std::fs;

use sdd_core::image::{ImageLimits, Pixels, decode};
use sdd_core::preprocess::Preprocessor;
use sdd_core::spec::{Color, Preprocessing};
use serde::Deserialize;

use crate::{data, tiny};

#[derive(Deserialize)]
struct Golden {
    preprocessing: Preprocessing,
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

fn golden() -> Golden {
    serde_json::from_str(&fs::read_to_string(data("golden.json")).unwrap()).unwrap()
}

/// Pillow rounds the products of CMYK, the decoders here do not: a gray level here and there.
fn is_cmyk(name: &str) -> bool {
    name.contains("cmyk")
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
        let allowed = u8::from(is_cmyk(name));
        let gray = largest_difference(&gray, &expected.positions, &expected.gray.values);
        let rgb = largest_difference(&rgb, &expected.positions, expected.rgb.values.as_flattened());
        println!("{name}: largest difference {gray} gray, {rgb} rgb");
        assert!(gray <= allowed && rgb <= allowed, "{name}: {gray} gray, {rgb} rgb");
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
        preprocessor.write(&pixels, &mut tensor);
        // One gray level is up to 1 / 255 / 0.224 = 0.0175.
        let allowed = if is_cmyk(name) { 0.018 } else { 1e-6 };
        let largest = expected
            .tensor
            .indices
            .iter()
            .zip(&expected.tensor.values)
            .map(|(at, value)| (tensor[*at] - value).abs())
            .fold(0.0, f32::max);
        println!("{name}: largest difference {largest}");
        assert!(largest <= allowed, "{name}: {largest}");
    }
}

#[test]
fn answers_are_those_of_onnx_runtime_in_python() {
    let mut classifier = tiny();
    for (name, expected) in &golden().images {
        let file = fs::read(data("images").join(name)).unwrap();
        let prediction = classifier.classify(&file).unwrap();
        let probability = (prediction.probabilities[0] - expected.probability).abs();
        let differences = prediction.embedding.iter().zip(&expected.embedding).map(|(f, e)| f - e);
        let embedding = norm(differences) / norm(expected.embedding.iter().copied());
        println!("{name}: probability {probability:.1e}, embedding {embedding:.1e}");
        // The decoders of lossy formats differ by a gray level here and there.
        let (probability_allowed, embedding_allowed) =
            if is_cmyk(name) { (1e-3, 1e-2) } else { (1e-6, 1e-6) };
        assert!(probability <= probability_allowed, "{name}: {probability}");
        assert!(embedding <= embedding_allowed, "{name}: {embedding}");
    }
}

fn norm(values: impl Iterator<Item = f32>) -> f32 {
    values.map(|value| value * value).sum::<f32>().sqrt()
}

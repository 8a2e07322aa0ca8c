//! Where the time of one image goes: decoding, gray conversion, resizing, normalizing, the model.
//!
//! Prints a table. The images are made here, gradients with noise, and encoded as JPEG. The model is
//! the one that ships with the repository; `SDD_MODEL` names another.

#![allow(clippy::print_stdout, reason = "the table is this program's result")]

use std::error::Error;
use std::hint::black_box;
use std::path::PathBuf;
use std::time::Duration;

use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, RgbImage};
use sdd_benches::DEFAULT_MODEL;
use sdd_benches::chart::duration;
use sdd_benches::machine::processor;
use sdd_benches::samples::Samples;
use sdd_core::image::{Decoder, ImageLimits, Pixels, decode};
use sdd_core::input::SCALED_OVER_INPUT;
use sdd_core::preprocess::Preprocessor;
use sdd_core::spec::{Color, Preprocessing};
use sdd_core::{Classifier, ClassifierOptions, ImageProperties, InputReader, ReadOptions};

/// Width and height.
const SIZES: [(u32, u32); 4] = [(640, 230), (500, 1256), (1920, 1080), (4000, 3000)];
const QUALITY: u8 = 95;
const MIN_ROUNDS: usize = 5;
const BUDGET: Duration = Duration::from_secs(3);

const COLUMNS: [&str; 10] =
    ["rgb", "gray", "scaled", "resize", "resize3", "tensor", "looks", "read", "read/n", "model"];

fn main() -> Result<(), Box<dyn Error>> {
    let workspace = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let model =
        std::env::var_os("SDD_MODEL").map_or_else(|| workspace.join(DEFAULT_MODEL), PathBuf::from);
    let mut classifier = Classifier::open(&model, &ClassifierOptions::default())?;
    classifier.warm_up(1)?;
    let preprocessing = classifier.spec().preprocessing.clone();
    println!("one image, one thread, medians; JPEG of quality {QUALITY}; {}", processor());
    println!(
        "model input {} x {}, {:?}",
        preprocessing.width, preprocessing.height, preprocessing.color
    );
    println!("rgb, gray, scaled: decoding to RGB, to gray, and to gray at a fraction of the size");
    println!(
        "resize, resize3: resizing, normalizing and looking at gray, and at RGB; tensor: the same without resizing, gray"
    );
    println!(
        "looks: brightness, contrast, sharpness, noise and saturation alone, of the model's input"
    );
    println!(
        "read, read/n: bytes to tensor for this model, decoding all, and scaled; model: session.run\n"
    );
    print!("{:>11} {:>8} {:>6}", "size", "KiB", "rounds");
    for column in COLUMNS {
        print!(" {column:>8}");
    }
    println!();
    for (width, height) in SIZES {
        let file = encoded(width, height)?;
        let samples = measure(&file, &mut classifier)?;
        print!(
            "{:>11} {:>8} {:>6}",
            format!("{width}x{height}"),
            file.len() / 1024,
            samples.rounds()
        );
        for column in 0..COLUMNS.len() {
            print!(" {:>8}", duration(samples.seconds(column).median));
        }
        println!();
    }
    Ok(())
}

type Way<'a> = Box<dyn FnMut(&mut [f32]) -> Result<(), sdd_core::Error> + 'a>;

/// One way a column, each with buffers of its own, as the workers of a server have.
fn measure(
    file: &[u8],
    classifier: &mut Classifier,
) -> Result<Samples<{ COLUMNS.len() }>, Box<dyn Error>> {
    let spec = classifier.spec().clone();
    let read = |scaled_jpeg| -> Way<'_> {
        let options = ReadOptions { scaled_jpeg, ..ReadOptions::default() };
        let mut reader = InputReader::new(&spec, &options);
        Box::new(move |tensor| {
            reader.read(black_box(file), tensor)?;
            Ok(())
        })
    };
    let preprocessing = &spec.preprocessing;
    let (width, height) = (preprocessing.width, preprocessing.height);
    let plane = vec![100; width as usize * height as usize];
    let resized = Pixels { width, height, color: Color::Gray, data: plane.clone() };
    let decoder = || Decoder::new(ImageLimits::default());
    let smallest = (SCALED_OVER_INPUT * width, SCALED_OVER_INPUT * height);
    let mut tensor = vec![0.0; 3 * resized.data.len()];
    read(false)(&mut tensor)?;
    let input = tensor.clone();
    let mut ways: [Way<'_>; COLUMNS.len()] = [
        decoding(file, Color::Rgb, decoder()),
        decoding(file, Color::Gray, decoder()),
        decoding(file, Color::Gray, decoder().scaling_down_to(smallest.0, smallest.1)),
        preparing(decode(file, Color::Gray, &ImageLimits::default())?, preprocessing),
        preparing(decode(file, Color::Rgb, &ImageLimits::default())?, preprocessing),
        preparing(resized, preprocessing),
        looking(plane, width as usize),
        read(false),
        read(true),
        Box::new(|_| {
            classifier.run(black_box(&input)).into_iter().try_for_each(|one| one.map(drop))
        }),
    ];
    let mut failure = None;
    let samples = Samples::measure(MIN_ROUNDS, BUDGET, |way, _| {
        if let Err(error) = ways[way](&mut tensor) {
            failure = Some(error);
        }
    });
    failure.map_or(Ok(samples), |error| Err(error.into()))
}

fn decoding(file: &[u8], color: Color, mut decoder: Decoder) -> Way<'_> {
    Box::new(move |_| {
        black_box(decoder.decode(black_box(file), color)?);
        Ok(())
    })
}

/// Resizing and normalizing, by a model that wants the color of the pixels.
fn preparing(pixels: Pixels, preprocessing: &Preprocessing) -> Way<'static> {
    let preprocessing = Preprocessing { color: pixels.color, ..preprocessing.clone() };
    let mut preprocessor = Preprocessor::new(&preprocessing);
    Box::new(move |tensor| {
        preprocessor.write(black_box(pixels.view()), tensor);
        Ok(())
    })
}

fn looking(luma: Vec<u8>, width: usize) -> Way<'static> {
    Box::new(move |_| {
        black_box(ImageProperties::of_luma(black_box(&luma), width));
        Ok(())
    })
}

/// A JPEG of soft gradients, fine texture and a little noise.
fn encoded(width: u32, height: u32) -> Result<Vec<u8>, image::ImageError> {
    let picture = RgbImage::from_fn(width, height, |x, y| {
        let hash = (x ^ (y << 16)).wrapping_mul(0x9E37_79B1);
        let noise = (hash ^ (hash >> 15)).wrapping_mul(0x85EB_CA6B) >> 28;
        let gradient = 60 + 60 * x / width + 60 * y / height + (x / 7 + y / 5) % 8;
        let sample = |offset: u32| (gradient + noise + offset).to_le_bytes()[0];
        image::Rgb([sample(20), sample(0), sample(10)])
    });
    let mut file = Vec::new();
    DynamicImage::from(picture)
        .write_with_encoder(JpegEncoder::new_with_quality(&mut file, QUALITY))?;
    Ok(file)
}

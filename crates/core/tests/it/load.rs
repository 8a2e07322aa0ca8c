//! Loading models: what is accepted, and what a person is told when it is not.

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use image::{GrayImage, ImageFormat};
use sdd_core::image::{Decoder, ImageLimits};
use sdd_core::spec::Color;
use sdd_core::{Classifier, ClassifierOptions, Device, Error, ImageError, ModelSpec};
use serde_json::{Value, json};

use crate::{data, tiny};

fn open(path: &Path) -> Result<Classifier, Error> {
    Classifier::open(path, &ClassifierOptions::default())
}

fn open_error(path: &Path) -> String {
    open(path).expect_err("should be refused").to_string()
}

/// The small model without metadata, described by `spec` in the sidecar beside it.
fn open_with_sidecar(spec: &Value) -> Result<Classifier, Error> {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("model.onnx");
    fs::copy(data("tiny_no_metadata.onnx"), &model).unwrap();
    fs::write(folder.path().join("model.json"), spec.to_string()).unwrap();
    open(&model)
}

fn tiny_spec() -> Value {
    serde_json::to_value(tiny().spec()).unwrap()
}

#[test]
fn metadata_describe_the_file() {
    let classifier = tiny();
    assert_eq!(classifier.spec().name, "sdd-tiny");
    assert_eq!(classifier.spec().embedding_dimension, 16);
    assert_eq!(classifier.sha256().len(), 64);
    assert_eq!(classifier.device(), Device::Cpu);
}

#[test]
fn a_sidecar_describes_a_file_without_metadata() {
    let message = open_error(&data("tiny_no_metadata.onnx"));
    assert!(
        message.contains("sdd_model") && message.contains("tiny_no_metadata.json"),
        "{message}"
    );
    let classifier = open_with_sidecar(&tiny_spec()).unwrap();
    let described: &ModelSpec = classifier.spec();
    assert_eq!(described, tiny().spec());
}

#[test]
fn the_description_states_the_bits_of_16_bit_samples() {
    let twelve_bits = fs::read(data("formats/png_12_in_16.png")).unwrap();
    let classify = |bit_depth: Value| {
        let mut spec = tiny_spec();
        spec["preprocessing"]["bit_depth"] = bit_depth;
        let mut classifier = open_with_sidecar(&spec).unwrap();
        classifier.classify(&twelve_bits)
    };
    let error = classify(Value::Null).unwrap_err();
    assert!(matches!(error, Error::Image(ImageError::AmbiguousBitDepth { .. })), "{error}");
    let error = classify(json!(11)).unwrap_err();
    assert!(matches!(error, Error::Image(ImageError::BeyondBitDepth { .. })), "{error}");
    // As the same picture in 8 bits.
    let limits = ImageLimits::default();
    let mut decoder = Decoder::new(limits).of_bit_depth(Some(12));
    let pixels = decoder.decode(&twelve_bits, Color::Gray).unwrap();
    let picture = GrayImage::from_raw(pixels.width, pixels.height, pixels.data.to_vec()).unwrap();
    assert!(picture.iter().any(|sample| *sample > 128));
    let mut eight_bits = Cursor::new(Vec::new());
    picture.write_to(&mut eight_bits, ImageFormat::Png).unwrap();
    let expected = tiny().classify(&eight_bits.into_inner()).unwrap();
    assert_eq!(classify(json!(12)).unwrap().embedding, expected.embedding);
    assert_ne!(classify(json!(16)).unwrap().embedding, expected.embedding);
}

#[test]
fn a_description_that_does_not_fit_the_graph_is_refused() {
    for (pointer, value, expected) in [
        ("/input", json!("pixels"), "no input is named `pixels`; found `image`"),
        ("/outputs/embedding", json!("features"), "no output is named `features`"),
        ("/preprocessing/width", json!(25), "[-1, 3, 32, 25]"),
        ("/embedding_dimension", json!(17), "[-1, 17]"),
        ("/outputs/probability", json!("embedding"), "[-1, 1]"),
    ] {
        let mut spec = tiny_spec();
        *spec.pointer_mut(pointer).unwrap() = value;
        let error = open_with_sidecar(&spec).expect_err(pointer);
        assert!(matches!(error, Error::SpecMismatch { .. }), "{error}");
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn files_that_are_no_models_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    assert!(matches!(open(&path), Err(Error::Read { .. })));
    let whole = fs::read(data("tiny.onnx")).unwrap();
    for content in [&b""[..], b"not a model", &whole[..whole.len() / 2]] {
        fs::write(&path, content).unwrap();
        let error = open(&path).expect_err("should be refused");
        let message = error.to_string();
        assert!(message.contains("model.onnx"), "{message}");
    }
}

#[test]
fn cuda_fails_loudly_and_auto_falls_back_where_there_is_none() {
    let options = |device| ClassifierOptions { device, ..ClassifierOptions::default() };
    match Classifier::open(&data("tiny.onnx"), &options(Device::Cuda(0))) {
        // On a machine with a GPU and the GPU build of ONNX Runtime this is what was asked for.
        Ok(classifier) => assert_eq!(classifier.device(), Device::Cuda(0)),
        Err(error) => {
            assert!(matches!(error, Error::Device { .. }), "{error}");
            assert!(error.to_string().contains("cuda:0"), "{error}");
            let classifier = Classifier::open(&data("tiny.onnx"), &options(Device::Auto)).unwrap();
            assert_eq!(classifier.device(), Device::Cpu);
        }
    }
}

/// The one file in a folder.
fn only_file(folder: &Path) -> PathBuf {
    let files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    let [file] = files.try_into().unwrap();
    file
}

#[test]
fn a_cached_model_answers_the_same_and_a_damaged_cache_does_no_harm() {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models");
    let models = [
        data("tiny.onnx"),
        shipped.join("sdd-efficientnet-lite0.onnx"),
        shipped.join("sdd-efficientnet-lite0-int8.onnx"),
    ];
    let image = fs::read(data("images/jpeg_rgb_420.jpg")).unwrap();
    for model in models {
        let folder = tempfile::tempdir().unwrap();
        let cache = folder.path().join("not there yet");
        let options =
            ClassifierOptions { model_cache: Some(cache.clone()), ..ClassifierOptions::default() };
        let answer = || {
            let mut classifier = Classifier::open(&model, &options).unwrap();
            let mut fork = classifier.fork().unwrap();
            let answer = classifier.classify(&image).unwrap();
            assert_eq!(fork.classify(&image).unwrap(), answer);
            (answer, classifier.sha256().to_owned())
        };
        let mut uncached = open(&model).unwrap();
        let expected = (uncached.classify(&image).unwrap(), uncached.sha256().to_owned());
        assert_eq!(answer(), expected, "writing {}", model.display());
        let file = only_file(&cache);
        let whole = fs::read(&file).unwrap();
        assert_eq!(answer(), expected, "reading {}", model.display());
        assert!(fs::read(&file).unwrap() == whole, "a sound file is not written again");
        for damage in [&b""[..], b"foreign", &whole[..whole.len() / 2]] {
            fs::write(&file, damage).unwrap();
            assert_eq!(answer(), expected, "damaged {}", model.display());
            assert_eq!(only_file(&cache), file);
            let anew = fs::read(&file).unwrap();
            assert!(anew != damage, "written anew");
            assert_eq!(answer(), expected, "written anew {}", model.display());
            assert!(fs::read(&file).unwrap() == anew, "what was written anew is sound");
        }
    }
}

#[test]
fn a_cache_that_cannot_be_written_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "no folder").unwrap();
    let options =
        ClassifierOptions { model_cache: Some(file.clone()), ..ClassifierOptions::default() };
    Classifier::open(&data("tiny.onnx"), &options).unwrap();
    // A model that is none is still the model's error, and not the cache's.
    let options = ClassifierOptions {
        model_cache: Some(folder.path().to_owned()),
        ..ClassifierOptions::default()
    };
    let error = Classifier::open(&data("golden.json"), &options).unwrap_err();
    assert!(matches!(error, Error::Load { .. }), "{error}");
    assert_eq!(only_file(folder.path()), file);
}

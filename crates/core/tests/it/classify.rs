//! Batches, forks and decisions.

use std::fs;
use std::thread;

use sdd_core::{Classifier, ClassifierOptions, Error, ImageError};

use crate::{data, tiny};

fn picture(name: &str) -> Vec<u8> {
    fs::read(data("images").join(name)).unwrap()
}

#[test]
fn a_batch_answers_each_image_as_alone_and_in_order() {
    let mut classifier = tiny();
    let mut reader = classifier.input_reader();
    let files = ["png_rgb.png", "jpeg_gray.jpg", "webp_lossy.webp"].map(picture);
    let length = reader.tensor_len();
    let mut tensors = vec![0.0; files.len() * length];
    for (file, tensor) in files.iter().zip(tensors.chunks_exact_mut(length)) {
        reader.read(file, tensor).unwrap();
    }
    let answers = classifier.run(&tensors);
    assert_eq!(answers.len(), files.len());
    for (file, batched) in files.iter().zip(answers) {
        let (alone, batched) = (classifier.classify(file).unwrap(), batched.unwrap());
        assert_eq!(batched.class_index, alone.class_index);
        assert!((batched.confidence - alone.confidence).abs() < 1e-5);
    }
    assert!(classifier.run(&[]).is_empty());
}

#[test]
fn an_image_that_cannot_be_read_is_its_own_fault() {
    let refused = tiny().classify(b"not an image");
    assert!(matches!(refused, Err(Error::Image(ImageError::NotAnImage))));
}

#[test]
fn an_input_without_an_answer_does_no_harm_to_its_batch() {
    let mut classifier = tiny();
    let length = classifier.input_reader().tensor_len();
    let mut tensors = vec![0.5; 3 * length];
    tensors[length..2 * length].fill(f32::MAX);
    let answers = classifier.run(&tensors);
    assert!(matches!(answers[1], Err(Error::Output { .. })), "{:?}", answers[1]);
    let (first, last) = (answers[0].as_ref().unwrap(), answers[2].as_ref().unwrap());
    assert_eq!(first.class_index, last.class_index);
    assert!((first.confidence - last.confidence).abs() < 1e-5);
}

#[test]
fn forks_answer_alike_on_other_threads() {
    let mut classifier = tiny();
    let file = picture("png_rgb.png");
    let expected = classifier.classify(&file).unwrap();
    thread::scope(|scope| {
        for _ in 0..3 {
            let mut fork = classifier.fork().unwrap();
            let (file, expected) = (&file, &expected);
            scope.spawn(move || {
                for _ in 0..20 {
                    assert_eq!(&fork.classify(file).unwrap(), expected);
                }
            });
        }
    });
}

#[test]
fn a_binary_model_decides_by_its_threshold() {
    let mut classifier = tiny();
    assert_eq!(classifier.spec().labels, ["defect", "non_defect"]);
    let answer = classifier.classify(&picture("png_rgb.png")).unwrap();
    assert_eq!(answer.embedding.len(), classifier.spec().embedding_dimension);
    assert!((answer.probabilities.iter().sum::<f32>() - 1.0).abs() < 1e-6);
    assert_eq!(answer.confidence, answer.probabilities[answer.class_index]);

    // The same file with a threshold just above and just below its probability.
    let defect = answer.probabilities[0];
    for (threshold, expected) in [(defect, 0), (defect + 1e-3, 1)] {
        let mut spec = serde_json::to_value(classifier.spec()).unwrap();
        spec["decision"]["threshold"] = threshold.into();
        let folder = tempfile::tempdir().unwrap();
        let sidecar = folder.path().join("spec.json");
        fs::write(&sidecar, spec.to_string()).unwrap();
        let options = ClassifierOptions { sidecar: Some(sidecar), ..ClassifierOptions::default() };
        let mut classifier = Classifier::open(&data("tiny.onnx"), &options).unwrap();
        let answer = classifier.classify(&picture("png_rgb.png")).unwrap();
        assert_eq!(answer.class_index, expected, "threshold {threshold}");
    }
}

#[test]
fn a_softmax_model_decides_by_the_largest_probability() {
    let options = ClassifierOptions::default();
    let mut classifier = Classifier::open(&data("tiny_softmax.onnx"), &options).unwrap();
    let answer = classifier.classify(&picture("png_rgb.png")).unwrap();
    assert_eq!(answer.probabilities.len(), 3);
    assert!((answer.probabilities.iter().sum::<f32>() - 1.0).abs() < 1e-5);
    let largest = answer.probabilities.iter().copied().fold(0.0, f32::max);
    assert_eq!(answer.confidence, largest);
}

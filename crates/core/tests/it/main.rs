//! The whole way through this crate, with the real ONNX Runtime, on files that
//! `scripts/train/make_tiny_model.py` and `make_golden_images.py` made.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "tests may fail loudly")]
#![allow(clippy::float_cmp, reason = "what is compared is the same number, not a computed one")]

mod classify;
mod formats;
mod golden;
mod hostile;
mod jpeg;
mod load;
mod long;
mod scaled;

use std::path::PathBuf;

use sdd_core::{Classifier, ClassifierOptions};

/// A file of `tests/data`.
pub fn data(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

/// The small RGB classifier: input 24 x 32, embedding 16.
pub fn tiny() -> Classifier {
    Classifier::open(&data("tiny.onnx"), &ClassifierOptions::default()).unwrap()
}

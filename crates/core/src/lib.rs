//! From the bytes of an image to a class, its confidence and an embedding.
//!
//! One image flows through the modules of this crate in this order:
//!
//! 1. [`image`]: bytes → 8-bit pixels, under limits that are checked before anything is decoded;
//! 2. [`preprocess`]: pixels → one normalised NCHW float tensor, as the model was trained with
//!    ([`resample`] is the part of it that has to agree with Pillow to the bit);
//! 3. [`model`]: tensor → probabilities and embedding, by ONNX Runtime;
//! 4. [`classifier`]: the three in a row, and the decision.
//!
//! What a model says of itself (labels, preprocessing, decision rule) is in [`spec`].
//!
//! ```no_run
//! use sdd_core::{Classifier, ClassifierOptions};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut classifier = Classifier::open("models/sdd.onnx".as_ref(), &ClassifierOptions::default())?;
//! let prediction = classifier.classify(&std::fs::read("part.jpg")?)?;
//! println!(
//!     "{} with confidence {:.3}; {}-d embedding",
//!     classifier.spec().labels[prediction.class_index],
//!     prediction.confidence,
//!     prediction.embedding.len(),
//! );
//! # Ok(())
//! # }
//! ```

pub mod classifier;
pub mod device;
pub mod error;
pub mod image;
pub mod jpeg;
pub mod model;
pub mod prediction;
pub mod preprocess;
pub mod resample;
pub mod runtime;
pub mod spec;

pub use classifier::{Classifier, ClassifierOptions};
pub use device::Device;
pub use error::{Error, ImageError, Result};
pub use image::ImageLimits;
pub use prediction::Prediction;
pub use spec::ModelSpec;

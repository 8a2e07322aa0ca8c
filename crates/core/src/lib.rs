//! From the bytes of an image to a class, its confidence and an embedding.
//!
//! One image flows through the modules of this crate in this order:
//!
//! 1. [`image`]: bytes → 8-bit pixels, under limits that are checked before anything is decoded;
//! 2. [`preprocess`]: pixels → one normalized NCHW float tensor, as the model was trained with
//!    (`resample` is the part of it that has to agree with Pillow to the bit), and what people see in
//!    these pixels, in [`properties`];
//! 3. `model`: tensor → probabilities and embedding, by ONNX Runtime;
//! 4. [`Classifier`]: the three in a row, and the decision.
//!
//! [`input`] is the first two in a row, for servers that read images on other threads.
//!
//! What a model says of itself (labels, preprocessing, decision rule) is in [`spec`].
//!
//! ```
//! use sdd_core::{Classifier, ClassifierOptions};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # std::env::set_current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data"))?;
//! let mut classifier = Classifier::open("tiny.onnx".as_ref(), &ClassifierOptions::default())?;
//! let prediction = classifier.classify(&std::fs::read("images/png_rgb.png")?)?;
//! assert_eq!(classifier.spec().labels[prediction.class_index], "non_defect");
//! assert!(prediction.confidence > 0.5);
//! assert_eq!(prediction.embedding.len(), 16);
//! # Ok(())
//! # }
//! ```

mod bit_depth;
mod bmp;
mod buffer;
mod classifier;
mod cmyk;
mod device;
mod error;
pub mod image;
pub mod input;
mod jpeg;
mod luma;
mod model;
mod options;
mod orientation;
mod png;
mod prediction;
pub mod preprocess;
pub mod properties;
pub mod regular_file;
mod resample;
pub mod runtime;
mod samples;
mod simd;
pub mod spec;
mod thumbnail;
mod tiff;
mod warning;
mod webp;

pub use classifier::Classifier;
pub use device::Device;
pub use error::{Error, ImageError, Result};
pub use image::ImageLimits;
pub use input::{InputReader, ReadImage, ReadOptions, ReadTimes};
pub use options::ClassifierOptions;
pub use prediction::{Prediction, Probabilities};
pub use properties::ImageProperties;
pub use spec::ModelSpec;
pub use thumbnail::thumbnail;
pub use warning::ImageWarning;

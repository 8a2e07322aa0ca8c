//! What a model says of itself: labels, preprocessing, outputs and decision rule.
//!
//! A model carries this as one JSON document under the key [`METADATA_KEY`] of the ONNX file's
//! metadata. A file without it is described by a sidecar with the same content: `model.onnx` by
//! `model.json` beside it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::bit_depth;
use crate::error::{Error, Result};

/// Key of the description in the ONNX file's metadata.
pub const METADATA_KEY: &str = "sdd_model";

/// The version of the description that this crate reads.
pub const FORMAT_VERSION: u32 = 1;

/// Largest input side that a description may ask for; it bounds the memory of one tensor.
const MAX_INPUT_SIDE: u32 = 8192;

/// Largest embedding that a description may promise, in values: as large as an index takes.
const MAX_EMBEDDING_DIMENSION: usize = 65_536;

/// The description of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ModelSpec {
    /// Version of this document's format: [`FORMAT_VERSION`].
    pub format_version: u32,
    /// Name of the model.
    pub name: String,
    /// Version of the model.
    pub version: String,
    /// A sentence for people.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub description: String,
    /// License of the weights.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub license: String,
    /// The classes. A softmax model's probabilities come in this order.
    pub labels: Vec<String>,
    /// Name of the graph's input, float32 `[N, 3, height, width]`.
    pub input: String,
    /// Names of the graph's outputs.
    pub outputs: Outputs,
    /// How an image becomes the input.
    pub preprocessing: Preprocessing,
    /// How probabilities become a class.
    pub decision: Decision,
    /// Number of values of the embedding.
    pub embedding_dimension: usize,
    /// What the model was trained on: free-form, shown to people.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub trained_on: serde_json::Value,
}

/// Names of the graph's outputs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Outputs {
    /// Probabilities: `[N, 1]` (of the positive label) or `[N, labels]`.
    pub probability: String,
    /// The penultimate average pool: `[N, D]` or `[N, D, 1, 1]`.
    pub embedding: String,
}

/// How an image becomes the input: turned upright, converted to `color`, resized to
/// `width` x `height` whatever its aspect ratio, then `(value * scale - mean) / std`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Preprocessing {
    /// Width of the input, in pixels.
    pub width: u32,
    /// Height of the input, in pixels.
    pub height: u32,
    /// Resampling filter, with Pillow's names and antialiasing.
    pub filter: Filter,
    /// Color space of the input; gray is repeated over the three channels.
    pub color: Color,
    /// Factor on the 0..=255 values.
    pub scale: f32,
    /// Subtracted after scaling, one value a channel.
    pub mean: [f32; 3],
    /// Divided by at the end, one value a channel.
    pub std: [f32; 3],
    /// Bits of a sample in 16-bit files, 9 to 16: of each sample the 8 highest of these are taken. `None`: the
    /// high byte, and a picture that may be of fewer bits is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub bit_depth: Option<u8>,
}

/// Resampling filters, by Pillow's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Filter {
    /// Average over the covered area.
    Box,
    /// Triangle.
    Bilinear,
    /// Hamming window.
    Hamming,
    /// Cubic convolution with a = -0.5.
    Bicubic,
    /// Lanczos window of size 3.
    Lanczos,
}

/// Color spaces of a model's input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Color {
    /// ITU-R 601-2 luma, repeated over three channels.
    Gray,
    /// Red, green, blue.
    Rgb,
}

/// How probabilities become a class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Decision {
    /// Two labels, one probability: `positive_label` where it is at least `threshold`.
    Binary {
        /// The label that the probability is of.
        positive_label: String,
        /// The smallest probability that decides for it, in `(0, 1]`.
        threshold: f32,
    },
    /// One probability a label: the largest decides.
    Softmax,
}

impl ModelSpec {
    /// Reads and checks a description.
    ///
    /// # Errors
    /// [`Error::InvalidSpec`] names `origin` (where `json` comes from), what was expected and found.
    pub fn from_json(json: &str, origin: &str) -> Result<Self> {
        let invalid = |reason: String| Error::InvalidSpec { origin: origin.to_owned(), reason };
        let spec: Self = serde_json::from_str(json).map_err(|error| invalid(error.to_string()))?;
        spec.check().map_err(invalid)?;
        Ok(spec)
    }

    /// Channels, height and width of the input for one image.
    pub(crate) fn input_shape(&self) -> [usize; 3] {
        [3, self.preprocessing.height as usize, self.preprocessing.width as usize]
    }

    /// Number of values in the probability output for one image.
    pub(crate) fn probability_columns(&self) -> usize {
        match self.decision {
            Decision::Binary { .. } => 1,
            Decision::Softmax => self.labels.len(),
        }
    }

    /// The class that is decided for by a threshold; none of a model that does not decide so.
    #[must_use]
    pub fn positive_label(&self) -> Option<&str> {
        match &self.decision {
            Decision::Binary { positive_label, .. } => Some(positive_label),
            Decision::Softmax => None,
        }
    }

    fn check(&self) -> Result<(), String> {
        if self.format_version != FORMAT_VERSION {
            return Err(format!(
                "`format_version` is {}, this program reads {FORMAT_VERSION}",
                self.format_version
            ));
        }
        for (field, text) in [
            ("name", &self.name),
            ("version", &self.version),
            ("input", &self.input),
            ("outputs.probability", &self.outputs.probability),
            ("outputs.embedding", &self.outputs.embedding),
        ] {
            if text.is_empty() {
                return Err(format!("`{field}` is empty"));
            }
        }
        if self.labels.len() < 2 || self.labels.iter().any(String::is_empty) {
            return Err("`labels` needs at least two non-empty labels".into());
        }
        if self.labels.iter().collect::<BTreeSet<_>>().len() != self.labels.len() {
            return Err("`labels` names a label twice".into());
        }
        // A graph whose output is of any length does not bound it, and there is memory for each image's.
        if !(1..=MAX_EMBEDDING_DIMENSION).contains(&self.embedding_dimension) {
            return Err(format!(
                "`embedding_dimension` is {}, expected 1 to {MAX_EMBEDDING_DIMENSION}",
                self.embedding_dimension
            ));
        }
        self.check_decision()?;
        self.preprocessing.check()
    }

    fn check_decision(&self) -> Result<(), String> {
        let Decision::Binary { positive_label, threshold } = &self.decision else {
            return Ok(());
        };
        if self.labels.len() != 2 {
            return Err(format!(
                "a `binary` decision needs two labels, found {}",
                self.labels.len()
            ));
        }
        if !self.labels.contains(positive_label) {
            return Err(format!(
                "`decision.positive_label` `{positive_label}` is not one of {:?}",
                self.labels
            ));
        }
        if !(*threshold > 0.0 && *threshold <= 1.0) {
            return Err(format!(
                "`decision.threshold` is {threshold}, expected a number in (0, 1]"
            ));
        }
        Ok(())
    }
}

impl Color {
    /// Samples a pixel.
    #[must_use]
    pub fn channels(self) -> usize {
        match self {
            Self::Gray => 1,
            Self::Rgb => 3,
        }
    }
}

impl Preprocessing {
    fn check(&self) -> Result<(), String> {
        for (field, side) in [("width", self.width), ("height", self.height)] {
            if side == 0 || side > MAX_INPUT_SIDE {
                return Err(format!(
                    "`preprocessing.{field}` is {side}, expected 1 to {MAX_INPUT_SIDE}"
                ));
            }
        }
        if !self.scale.is_finite() || self.mean.iter().any(|mean| !mean.is_finite()) {
            return Err("`preprocessing.scale` and `mean` must be finite".into());
        }
        if self.std.iter().any(|std| !std.is_normal() || *std < 0.0) {
            return Err("`preprocessing.std` must be positive".into());
        }
        if let Some(bits) = self.bit_depth.filter(|bits| !bit_depth::STATED.contains(bits)) {
            let (least, most) = (bit_depth::STATED.start(), bit_depth::STATED.end());
            return Err(format!(
                "`preprocessing.bit_depth` is {bits}, expected {least} to {most} (bits of a sample in 16-bit files)"
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Decision, MAX_EMBEDDING_DIMENSION, ModelSpec};

    fn valid() -> Value {
        json!({
            "format_version": 1, "name": "m", "version": "1", "labels": ["defect", "non_defect"],
            "input": "image", "outputs": {"probability": "p", "embedding": "e"},
            "preprocessing": {"width": 4, "height": 8, "filter": "bilinear", "color": "gray",
                              "scale": 0.5, "mean": [0, 0, 0], "std": [1, 1, 1]},
            "decision": {"kind": "binary", "positive_label": "defect", "threshold": 0.4},
            "embedding_dimension": 16
        })
    }

    #[test]
    fn a_valid_description_is_read() {
        let spec = ModelSpec::from_json(&valid().to_string(), "test").unwrap();
        assert_eq!(spec.probability_columns(), 1);
        assert_eq!(spec.preprocessing.height, 8);
        let mut softmax = valid();
        softmax["decision"] = json!({"kind": "softmax"});
        softmax["labels"] = json!(["a", "b", "c"]);
        let spec = ModelSpec::from_json(&softmax.to_string(), "test").unwrap();
        assert_eq!(spec.decision, Decision::Softmax);
        assert_eq!(spec.probability_columns(), 3);
    }

    #[test]
    fn every_fault_is_named() {
        for (pointer, value, expected) in [
            ("/format_version", json!(2), "format_version"),
            ("/name", json!(""), "name"),
            ("/labels", json!(["defect"]), "labels"),
            ("/labels", json!(["defect", "defect"]), "twice"),
            ("/labels", json!(["a", "b"]), "positive_label"),
            ("/decision/threshold", json!(0.0), "threshold"),
            ("/decision/threshold", json!(1.5), "threshold"),
            ("/decision/kind", json!("guess"), "guess"),
            ("/embedding_dimension", json!(0), "embedding_dimension"),
            ("/embedding_dimension", json!(MAX_EMBEDDING_DIMENSION + 1), "embedding_dimension"),
            ("/preprocessing/width", json!(0), "width"),
            ("/preprocessing/height", json!(1_000_000), "height"),
            ("/preprocessing/std", json!([1, 0, 1]), "std"),
            ("/preprocessing/filter", json!("nearest"), "nearest"),
            ("/preprocessing/mean", json!([1, 2]), "length 2"),
            ("/preprocessing/bit_depth", json!(8), "bit_depth"),
            ("/preprocessing/bit_depth", json!(17), "bit_depth"),
        ] {
            let mut spec = valid();
            spec["preprocessing"]["bit_depth"] = json!(12);
            *spec.pointer_mut(pointer).unwrap() = value;
            let error = ModelSpec::from_json(&spec.to_string(), "m.json").unwrap_err();
            let message = error.to_string();
            assert!(message.contains("m.json"), "{message}");
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn unknown_fields_are_refused() {
        let mut spec = valid();
        spec["preprocessing"]["crop"] = json!(true);
        let message = ModelSpec::from_json(&spec.to_string(), "m.json").unwrap_err().to_string();
        assert!(message.contains("crop"), "{message}");
    }
}

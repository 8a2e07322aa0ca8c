//! What the model answers for one image.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::input::ReadImage;
use crate::properties::ImageProperties;
use crate::spec::ModelSpec;
use crate::warning::ImageWarning;

/// The answer for one image.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// Position of the decided class in [`ModelSpec::labels`](crate::ModelSpec::labels).
    pub class_index: usize,
    /// Probability of the decided class, in `[0, 1]`. It can be below one half where the model's
    /// decision threshold is.
    pub confidence: f32,
    /// Probability of each class, in the order of the labels; they sum to 1 up to rounding.
    pub probabilities: Vec<f32>,
    /// The penultimate average pool, `embedding_dimension` finite values, not normalized.
    pub embedding: Vec<f32>,
    /// What is odd about the image, where it was read here.
    pub warning: Option<ImageWarning>,
    /// How it looks to the model, where it was read here.
    pub properties: Option<ImageProperties>,
}

impl Prediction {
    /// The same, with what reading the image has found.
    #[must_use]
    pub fn of_image(self, read: &ReadImage) -> Self {
        Self { warning: read.warning, properties: Some(read.properties), ..self }
    }

    /// The decided class; `spec` is that of the model which answered.
    #[must_use]
    pub fn class<'a>(&self, spec: &'a ModelSpec) -> &'a str {
        &spec.labels[self.class_index]
    }

    /// The probabilities with the labels that they are of: the model's, in their order.
    #[must_use]
    pub fn probabilities_of(&self, labels: &[String]) -> Probabilities {
        Probabilities(labels.iter().cloned().zip(self.probabilities.iter().copied()).collect())
    }
}

/// Labels and their probabilities, serialized as a map in the order of the model's labels.
#[derive(Debug, Clone, PartialEq)]
pub struct Probabilities(pub Vec<(String, f32)>);

impl Serialize for Probabilities {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (label, probability) in &self.0 {
            map.serialize_entry(label, probability)?;
        }
        map.end()
    }
}

//! What a worker answers, and which model it is from.

use sdd_core::{Classifier, Prediction};
use sdd_drift::Assessment;

/// The answer for one image.
#[derive(Debug)]
pub struct Answer {
    /// What the model says.
    pub prediction: Prediction,
    /// What the reference says; `None` without one.
    pub drift: Option<Assessment>,
}

/// The model that is served, as far as an answer names it.
#[derive(Debug, Clone)]
pub struct ServedModel {
    /// Name of the model.
    pub name: String,
    /// Version of the model.
    pub version: String,
    /// The classes, in the order of [`Prediction::probabilities`].
    pub labels: Vec<String>,
}

impl From<&Classifier> for ServedModel {
    fn from(classifier: &Classifier) -> Self {
        let spec = classifier.spec();
        Self { name: spec.name.clone(), version: spec.version.clone(), labels: spec.labels.clone() }
    }
}

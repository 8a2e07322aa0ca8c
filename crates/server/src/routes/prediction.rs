//! An answer as clients see it.

use sdd_core::Probabilities;
use serde::Serialize;
use utoipa::ToSchema;

use super::drift::Drift;
use crate::engine::{Answer, ServedModel};

/// The answer for one image.
#[derive(Debug, Serialize, ToSchema)]
pub struct Prediction {
    /// The decided class.
    pub class: String,
    /// Probability of that class, in [0, 1].
    #[schema(minimum = 0, maximum = 1)]
    pub confidence: f32,
    /// Probability of every class.
    #[schema(value_type = BTreeMap<String, f32>)]
    pub probabilities: Probabilities,
    /// How the image compares with what the model was trained on; left out without a reference.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub drift: Option<Drift>,
    /// The model that answered.
    pub model: Model,
}

/// The model that answered.
#[derive(Debug, Serialize, ToSchema)]
pub struct Model {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

impl Prediction {
    /// An answer of the model `served`.
    #[must_use]
    pub fn new(answer: Answer, served: &ServedModel) -> Self {
        let class = served.class_of(&answer).to_owned();
        let Answer { prediction, drift, .. } = answer;
        Self {
            class,
            confidence: prediction.confidence,
            probabilities: prediction.probabilities_of(&served.spec.labels),
            drift: drift.map(Drift::from),
            model: Model::from(served),
        }
    }
}

impl From<&ServedModel> for Model {
    fn from(served: &ServedModel) -> Self {
        Self { name: served.spec.name.clone(), version: served.spec.version.clone() }
    }
}

//! An answer as clients see it.

use sdd_core::{ImageWarning, Probabilities};
use sdd_drift::Assessment;
use sdd_serving::engine::{Answer, ServedModel};
use serde::Serialize;
use utoipa::ToSchema;

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
    pub drift: Option<Assessment>,
    /// The camera or line that it came from, where the client said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub stream: Option<String>,
    /// The part, tray or shift that the monitor takes it to be of: as the client said, or by the name of its file. Left out
    /// where nothing is known, and images count in blocks in their order.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub group: Option<String>,
    /// What is odd about the image, which was read all the same; left out where there is nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub warnings: Vec<Warning>,
    /// The model that answered.
    pub model: Model,
}

/// What is odd about an image that was read all the same.
#[derive(Debug, Serialize, ToSchema)]
pub struct Warning {
    /// What it is, for programs.
    #[schema(value_type = String, example = "stray_bytes")]
    pub code: &'static str,
    /// What it is, for people.
    pub message: String,
}

impl From<ImageWarning> for Warning {
    fn from(warning: ImageWarning) -> Self {
        Self { code: warning.code(), message: warning.to_string() }
    }
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
    pub fn new(answer: Answer, served: &ServedModel) -> Self {
        let class = served.class_of(&answer).to_owned();
        let Answer { prediction, drift, origin, .. } = answer;
        Self {
            class,
            confidence: prediction.confidence,
            probabilities: prediction.probabilities_of(&served.spec.labels),
            drift,
            stream: origin.stream,
            group: origin.group,
            warnings: prediction.warning.map(Warning::from).into_iter().collect(),
            model: Model::from(served),
        }
    }
}

impl From<&ServedModel> for Model {
    fn from(served: &ServedModel) -> Self {
        Self { name: served.spec.name.clone(), version: served.spec.version.clone() }
    }
}

//! The model in use, as a store remembers it.

use sdd_core::spec::Decision;
use sdd_core::{Classifier, ModelSpec, Prediction};
use sdd_index::ModelIdentity;

use crate::error::{Error, Result};
use crate::query::{ClassProbabilities, Query};
use crate::reference::Reference;
use crate::score::ScoreMethod;

/// What a store remembers of the model that made its embeddings.
#[must_use]
pub fn identity(classifier: &Classifier) -> ModelIdentity {
    ModelIdentity {
        name: classifier.spec().name.clone(),
        version: classifier.spec().version.clone(),
        sha256: classifier.sha256().to_owned(),
    }
}

impl<'a> Query<'a> {
    /// What a model answered for an image, to be compared with a reference. `spec` is that model's.
    #[must_use]
    pub fn of_prediction(prediction: &'a Prediction, spec: &'a ModelSpec) -> Self {
        let probabilities = match &spec.decision {
            Decision::Binary { positive_label, .. } => {
                let labels = spec.labels.iter().zip(&prediction.probabilities);
                let mut of_positive = labels.filter(|(label, _)| *label == positive_label);
                of_positive.next().map(|(_, positive)| ClassProbabilities::Sigmoid(*positive))
            }
            Decision::Softmax => Some(ClassProbabilities::Softmax(&prediction.probabilities)),
        };
        Self {
            embedding: &prediction.embedding,
            predicted_class: spec.labels.get(prediction.class_index).map(String::as_str),
            probabilities,
        }
    }
}

impl ScoreMethod {
    /// Checks that a model gives what the score needs.
    ///
    /// # Errors
    ///
    /// [`Error::LogitsUnavailable`] for the energy of a model that ends in a softmax.
    pub fn check_spec(self, spec: &ModelSpec) -> Result<()> {
        if self == Self::Energy && spec.decision == Decision::Softmax {
            return Err(Error::LogitsUnavailable { method: self.name() });
        }
        Ok(())
    }
}

impl Reference {
    /// Checks that embeddings of this classifier can be compared with this reference.
    ///
    /// # Errors
    ///
    /// As [`Reference::check_model`], and as [`ScoreMethod::check_spec`].
    pub fn check_classifier(&self, classifier: &Classifier) -> Result<()> {
        self.score().method().check_spec(classifier.spec())?;
        self.check_model(&identity(classifier), classifier.spec().embedding_dimension)
    }
}

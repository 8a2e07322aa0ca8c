//! The model in use, as a store remembers it.

use sdd_core::{Classifier, ModelSpec, Prediction};
use sdd_index::ModelIdentity;

use crate::error::Result;
use crate::query::Query;
use crate::reference::Reference;

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
        Self {
            embedding: &prediction.embedding,
            predicted_class: spec.labels.get(prediction.class_index).map(String::as_str),
        }
    }
}

impl Reference {
    /// Checks that embeddings of this classifier can be compared with this reference.
    ///
    /// # Errors
    ///
    /// As [`Reference::check_model`].
    pub fn check_classifier(&self, classifier: &Classifier) -> Result<()> {
        self.check_model(&identity(classifier), classifier.spec().embedding_dimension)
    }
}

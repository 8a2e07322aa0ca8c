//! Images as embeddings, with what is known of each.

use std::sync::Arc;

use ndarray::{Array2, Axis};
use sdd_core::{ModelSpec, Prediction};
use sdd_drift::{Properties, Query};
use sdd_index::Record;

/// Images that were read: one row each.
pub struct Embedded {
    pub embeddings: Array2<f32>,
    pub images: Vec<EmbeddedImage>,
    /// The model's classes, where it is known.
    pub classes: Vec<String>,
    /// Whether they came as embeddings and not as images.
    pub of_matrix: bool,
}

/// One of them.
pub struct EmbeddedImage {
    pub id: String,
    /// Its class by its folder, or by a list.
    pub label: Option<String>,
    /// What is known of it beside its row.
    pub predicted: Predicted,
    /// What it belongs together with, where that is known.
    pub group: Option<String>,
}

/// What the model said of an image.
pub enum Predicted {
    /// All, as a query has it.
    Fully { prediction: Box<Prediction>, spec: Arc<ModelSpec> },
    /// What a store remembers, which is not by what function the probabilities came about.
    Stored {
        class: Option<String>,
        probabilities: Option<Vec<f32>>,
        properties: Option<Properties>,
    },
    /// Nothing but the class, if that.
    Class(Option<String>),
}

impl Embedded {
    /// As rows of a reference.
    pub fn into_rows(self) -> (Array2<f32>, Vec<Record>) {
        let record = |image: EmbeddedImage| Record { id: image.id, label: image.label };
        (self.embeddings, self.images.into_iter().map(record).collect())
    }

    /// One a row.
    pub fn queries(&self) -> Vec<Query<'_>> {
        let rows = self.images.iter().zip(self.embeddings.outer_iter());
        rows.map(|(image, row)| image.predicted.query(row.to_slice().unwrap_or_default())).collect()
    }
}

impl EmbeddedImage {
    /// The class that the model predicted, where it is known.
    pub fn predicted_class(&self) -> Option<String> {
        self.predicted.query(&[]).predicted_class.map(str::to_owned)
    }
}

impl Predicted {
    /// What the picture is like, where it was looked at.
    pub fn properties(&self) -> Option<Properties> {
        match self {
            Self::Fully { prediction, .. } => properties_of(prediction),
            Self::Stored { properties, .. } => *properties,
            Self::Class(_) => None,
        }
    }

    pub fn query<'a>(&'a self, embedding: &'a [f32]) -> Query<'a> {
        match self {
            Self::Fully { prediction, spec } => {
                Query::new(embedding).of_class(prediction.class(spec))
            }
            Self::Stored { class, .. } | Self::Class(class) => {
                Query { predicted_class: class.as_deref(), ..Query::new(embedding) }
            }
        }
    }

    /// One for each of the model's classes, in their order.
    pub fn probabilities(&self) -> Option<Vec<f32>> {
        match self {
            Self::Fully { prediction, .. } => Some(prediction.probabilities.clone()),
            Self::Stored { probabilities, .. } => probabilities.clone(),
            Self::Class(_) => None,
        }
    }
}

/// What a picture is like, in the words of those who compare it.
pub fn properties_of(prediction: &Prediction) -> Option<Properties> {
    prediction.properties.map(|found| Properties::of_array(found.to_array().map(f64::from)))
}

/// The rows of a matrix; the matrix itself where these are all.
pub fn select(matrix: Array2<f32>, rows: &[usize]) -> Array2<f32> {
    if rows.len() == matrix.nrows() { matrix } else { matrix.select(Axis(0), rows) }
}

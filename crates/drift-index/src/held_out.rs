//! Held-out images on their way into a calibration.

use std::sync::Arc;

use anyhow::{Context, Result};
use ndarray::{Array2, Axis, concatenate};
use sdd_core::{ModelSpec, Prediction};
use sdd_drift::calibration::CalibrationSource;
use sdd_drift::{Calibration, CalibrationImages, Query};

use crate::sides::select;

/// Images for the calibration, which are not in the reference.
pub struct HeldOut {
    /// One row an image.
    pub embeddings: Array2<f32>,
    pub images: Vec<HeldOutImage>,
    /// The model's classes, where it is known.
    pub classes: Vec<String>,
    pub source: CalibrationSource,
    /// How many groups they come from, where that is known and not said by the images.
    pub groups: Option<usize>,
}

pub struct HeldOutImage {
    pub id: String,
    /// Its class by its folder or label file.
    pub label: Option<String>,
    /// What is known of it beside its row.
    pub predicted: Predicted,
    pub group: Option<String>,
}

/// What the model said of a held-out image.
pub enum Predicted {
    /// All, as a query has it.
    Fully { prediction: Box<Prediction>, spec: Arc<ModelSpec> },
    /// What a store remembers, which is not by what function the probabilities came about.
    Stored { class: Option<String>, probabilities: Option<Vec<f32>> },
    /// Nothing but the class, if that.
    Class(Option<String>),
}

impl Predicted {
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

impl HeldOut {
    /// The images that a store keeps, and what its calibration says of them.
    pub fn of_store(images: &CalibrationImages, calibration: &Calibration) -> Self {
        let image = |image: &sdd_drift::calibration_images::CalibrationImage| HeldOutImage {
            id: image.id.clone(),
            label: image.label.clone(),
            predicted: Predicted::Stored {
                class: image.predicted_class.clone(),
                probabilities: image.probabilities.clone(),
            },
            group: None,
        };
        Self {
            embeddings: images.embeddings().to_owned(),
            images: images.images().iter().map(image).collect(),
            classes: images.classes().to_vec(),
            source: calibration.source().clone(),
            groups: calibration.groups(),
        }
    }

    /// These of the images.
    pub fn select(self, rows: &[usize]) -> Self {
        let mut images: Vec<_> = self.images.into_iter().map(Some).collect();
        let images = rows.iter().filter_map(|&row| images[row].take()).collect();
        Self { embeddings: select(self.embeddings, rows), images, ..self }
    }

    /// These images and `others` behind them, which are none of them.
    pub fn followed_by(self, others: Self) -> Result<Self> {
        let groups = self.groups.zip(others.groups).map(|(ours, theirs)| ours + theirs);
        let embeddings = concatenate(Axis(0), &[self.embeddings.view(), others.embeddings.view()])
            .context("the held-out images have embeddings of different dimensions")?;
        let mut images: Vec<_> = self.images.into_iter().chain(others.images).collect();
        // Probabilities are kept of all images or of none.
        let all_known = images.iter().all(|image| image.predicted.probabilities().is_some());
        if !all_known {
            for image in &mut images {
                let class = image.predicted.query(&[]).predicted_class.map(str::to_owned);
                image.predicted = Predicted::Class(class);
            }
        }
        let classes = if self.classes.is_empty() { others.classes } else { self.classes };
        let source = self.source.joined_by(others.source);
        Ok(Self { embeddings, images, classes, source, groups })
    }
}

//! Held-out images on their way into a calibration.

use anyhow::{Context, Result};
use ndarray::{Array2, Axis, concatenate};
use sdd_drift::calibration::CalibrationSource;
use sdd_drift::calibration_images::CalibrationImage;
use sdd_drift::{Calibration, CalibrationImages};

use crate::images::embedded::{Embedded, EmbeddedImage, Predicted, select};

/// Images for the calibration, which are not in the reference.
pub struct HeldOut {
    /// One row an image.
    pub embeddings: Array2<f32>,
    pub images: Vec<EmbeddedImage>,
    /// The model's classes, where it is known.
    pub classes: Vec<String>,
    pub source: CalibrationSource,
    /// How many groups they come from, where that is known and not said by the images.
    pub groups: Option<usize>,
}

impl HeldOut {
    /// Images that were held out in this way. Of a matrix the classes are those that the model predicted.
    pub fn of_images(embedded: Embedded, source: CalibrationSource) -> Self {
        let Embedded { embeddings, mut images, classes, of_matrix } = embedded;
        if of_matrix {
            for image in &mut images {
                image.label = None;
            }
        }
        Self { embeddings, images, classes, source, groups: None }
    }

    /// Images that were named for it.
    pub fn named(embedded: Embedded) -> Self {
        let source = if embedded.of_matrix {
            CalibrationSource::Embeddings
        } else {
            CalibrationSource::Directory
        };
        Self::of_images(embedded, source)
    }

    /// The images that a store keeps, and what its calibration says of them.
    pub fn of_store(images: &CalibrationImages, calibration: &Calibration) -> Self {
        let image = |image: &CalibrationImage| EmbeddedImage {
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
                image.predicted = Predicted::Class(image.predicted_class());
            }
        }
        let classes = if self.classes.is_empty() { others.classes } else { self.classes };
        let source = self.source.joined_by(others.source);
        Ok(Self { embeddings, images, classes, source, groups })
    }
}

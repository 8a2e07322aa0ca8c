//! Held-out images on their way into a calibration.

use std::collections::HashMap;

use anyhow::{Context, Result, ensure};
use ndarray::{Array2, Axis, concatenate};
use sdd_drift::calibration::CalibrationSource;
use sdd_drift::calibration_images::CalibrationImage;
use sdd_drift::{Calibration, CalibrationImages, GroupBy};

use crate::groups::{FLAGS, Groups};
use crate::images::embedded::{Embedded, EmbeddedImage, Predicted, select};

/// Images for the calibration, which are not in the reference.
pub struct HeldOut {
    /// One row an image.
    pub embeddings: Array2<f32>,
    pub images: Vec<EmbeddedImage>,
    /// The model's classes, where it is known.
    pub classes: Vec<String>,
    pub source: CalibrationSource,
    /// How the groups of the images were told, where they have groups.
    pub group_by: Option<GroupBy>,
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
        Self { embeddings, images, classes, source, group_by: None }
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
        let groups = groups_by_id(calibration);
        let image = |image: &CalibrationImage| EmbeddedImage {
            id: image.id.clone(),
            label: image.label.clone(),
            predicted: Predicted::Stored {
                class: image.predicted_class.clone(),
                probabilities: image.probabilities.clone(),
                properties: image.properties,
            },
            group: groups.get(image.id.as_str()).map(|group| (*group).to_owned()),
        };
        Self {
            embeddings: images.embeddings().to_owned(),
            images: images.images().iter().map(image).collect(),
            classes: images.classes().to_vec(),
            source: calibration.source().clone(),
            group_by: calibration.group_by().cloned(),
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
        let group_by = self.group_by.or(others.group_by);
        Ok(Self { embeddings, images, classes, source, group_by })
    }

    /// With the group of each image, where groups are told; otherwise all have one by what stores remembered, or none
    /// has.
    pub fn in_groups(mut self, groups: &Groups) -> Result<Self> {
        if groups.by().is_none() {
            let with = self.images.iter().filter(|image| image.group.is_some()).count();
            ensure!(
                with == 0 || with == self.images.len(),
                "{with} of {} held-out images have groups, and the others have none: say how they are told ({FLAGS})",
                self.images.len(),
            );
            return Ok(self);
        }
        let images = self.images.iter().map(|image| (image.id.as_str(), image.group.as_deref()));
        let of_images = groups.assign(images).context("of the held-out images")?;
        for (image, group) in self.images.iter_mut().zip(of_images) {
            image.group = Some(group);
        }
        self.group_by = groups.by().cloned();
        Ok(self)
    }
}

/// What a calibration remembers of the groups of its images.
pub fn groups_by_id(calibration: &Calibration) -> HashMap<&str, &str> {
    let entries = calibration.entries().iter();
    entries.filter_map(|entry| Some((entry.id.as_deref()?, entry.group.as_deref()?))).collect()
}

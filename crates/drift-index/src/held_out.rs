//! Held-out images on their way into a calibration.

use std::collections::HashMap;

use anyhow::{Context, Result, ensure};
use ndarray::{Axis, concatenate};
use sdd_drift::calibration::CalibrationSource;
use sdd_drift::calibration_images::CalibrationImage;
use sdd_drift::{Calibration, CalibrationImages, GroupBy};

use crate::groups::{FLAGS, Groups};
use crate::images::embedded::{Embedded, EmbeddedImage};
use crate::images::read::read;
use crate::images::source::Source;
use crate::model::Model;
use crate::remarks::{Part, Remarks};

/// Images for the calibration, which are not in the reference.
pub struct HeldOut {
    pub embedded: Embedded,
    pub source: CalibrationSource,
    /// How the groups of the images were told, where they have groups.
    pub group_by: Option<GroupBy>,
}

impl HeldOut {
    /// Reads images, which are a `share` of others or were named, for a reference of this dimension. Of a matrix the
    /// classes are those that the model predicted.
    pub fn read(
        images: Source<'_>,
        share: Option<CalibrationSource>,
        dimension: usize,
        model: &mut Model<'_>,
        remarks: &mut Remarks,
    ) -> Result<Self> {
        let mut embedded = read(images, Some(Part::Calibration), model, remarks)?;
        let columns = embedded.embeddings.ncols();
        ensure!(
            columns == dimension,
            "the held-out embeddings have {columns} columns, and the reference has {dimension}"
        );
        let named = if embedded.of_matrix {
            embedded.images.iter_mut().for_each(|image| image.known.label = None);
            CalibrationSource::Embeddings
        } else {
            CalibrationSource::Directory
        };
        Ok(Self { embedded, source: share.unwrap_or(named), group_by: None })
    }

    /// The images that a store keeps, where there is a calibration that says more of them.
    pub fn of_store(
        images: Option<&CalibrationImages>,
        calibration: Option<&Calibration>,
    ) -> Option<Self> {
        let (images, calibration) = images.zip(calibration)?;
        let groups = groups_by_id(calibration);
        let image = |known: &CalibrationImage| EmbeddedImage {
            known: known.clone(),
            group: groups.get(known.id.as_str()).map(|group| (*group).to_owned()),
            file: None,
        };
        let embedded = Embedded {
            embeddings: images.embeddings().to_owned(),
            images: images.images().iter().map(image).collect(),
            classes: images.classes().to_vec(),
            of_matrix: false,
        };
        let (source, group_by) = (calibration.source().clone(), calibration.group_by().cloned());
        Some(Self { embedded, source, group_by })
    }

    /// These images and `others` behind them, which are none of them.
    pub fn followed_by(self, others: Self) -> Result<Self> {
        let (mut embedded, theirs) = (self.embedded, others.embedded);
        let embeddings = [embedded.embeddings.view(), theirs.embeddings.view()];
        embedded.embeddings = concatenate(Axis(0), &embeddings)
            .context("the held-out images have embeddings of different dimensions")?;
        embedded.images.extend(theirs.images);
        if embedded.classes.is_empty() {
            embedded.classes = theirs.classes;
        }
        // Probabilities are kept of all images or of none.
        if embedded.images.iter().any(|image| image.known.probabilities.is_none()) {
            embedded.images.iter_mut().for_each(|image| image.known.probabilities = None);
        }
        let source = self.source.joined_by(others.source);
        Ok(Self { embedded, source, group_by: self.group_by.or(others.group_by) })
    }

    /// With the group of each image, where groups are told; otherwise all have one by what stores remembered, or none
    /// has.
    pub fn in_groups(mut self, groups: &Groups) -> Result<Self> {
        let images = &mut self.embedded.images;
        if groups.by().is_none() {
            let with = images.iter().filter(|image| image.group.is_some()).count();
            ensure!(
                with == 0 || with == images.len(),
                "{with} of {} held-out images have groups, and the others have none: say how they are told ({FLAGS})",
                images.len(),
            );
            return Ok(self);
        }
        let known = images.iter().map(|image| (image.known.id.as_str(), image.group.as_deref()));
        let found = groups.check_told(known.clone().map(|(id, _)| id));
        let found = found.and_then(|()| groups.assign(known)).context("of the held-out images")?;
        for (image, group) in images.iter_mut().zip(found) {
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

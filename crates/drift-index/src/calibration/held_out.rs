//! The scores of held-out images.

use std::ops::Range;

use anyhow::{Context, Result};
use ndarray::{Axis, s};
use sdd_drift::calibration::CalibrationEntry;
use sdd_drift::calibration_images::CalibrationImage;
use sdd_drift::{CalibrationImages, Error, Reference, VerdictRule};

use crate::answer::Failure;
use crate::calibration::blocks::in_blocks;
use crate::calibration::calibrated::{Calibrated, finish};
use crate::held_out::HeldOut;
use crate::images::embedded::EmbeddedImage;
use crate::interrupt::Interrupt;
use crate::progress::Progress;
use crate::remarks::{Part, Remarks, Skipped};

/// Searched together, which shares the reading of the reference among them.
const IMAGES_AT_A_TIME: usize = 128;

impl HeldOut {
    pub(super) fn calibrate(
        self,
        reference: &Reference,
        rule: VerdictRule,
        remarks: &mut Remarks,
        interrupt: &Interrupt,
    ) -> Result<Calibrated> {
        let mut entries = Vec::with_capacity(self.images.len());
        let (mut rows, mut images) = (Vec::new(), Vec::new());
        let scores = self.scores(reference, interrupt)?;
        for ((row, image), score) in self.images.into_iter().enumerate().zip(scores) {
            let predicted_class = image.predicted_class();
            let probabilities = image.predicted.probabilities();
            let properties = image.predicted.properties();
            let EmbeddedImage { id, label, group, .. } = image;
            match score {
                Ok(score) => {
                    entries.push(CalibrationEntry {
                        // By which its group is found again.
                        id: group.is_some().then(|| id.clone()),
                        score,
                        predicted_class: predicted_class.clone(),
                        label: label.clone(),
                        group,
                        properties,
                    });
                    rows.push(row);
                    images.push(CalibrationImage {
                        id,
                        predicted_class,
                        label,
                        probabilities,
                        properties,
                    });
                }
                // The same image as a query would have no score either.
                Err(error @ Error::ClassWithoutReference { .. }) => {
                    let failure = Failure { code: error.code(), message: error.to_string() };
                    remarks.skipped.push(Skipped::new(Some(Part::Calibration), id, failure));
                }
                Err(error) => {
                    return Err(error)
                        .with_context(|| format!("cannot score calibration image {id}"));
                }
            }
        }
        let score = reference.score();
        let calibration = finish(score, rule, entries, self.group_by, self.source, remarks)?;
        let embeddings = self.embeddings.select(Axis(0), &rows);
        let images = Some(CalibrationImages::new(embeddings, self.classes, images)?);
        Ok(Calibrated { calibration, images })
    }

    /// One an image, in their order.
    fn scores(
        &self,
        reference: &Reference,
        interrupt: &Interrupt,
    ) -> Result<Vec<sdd_drift::Result<f64>>> {
        let total = self.images.len();
        let progress = Progress::new(total, "held-out images");
        in_blocks(total.div_ceil(IMAGES_AT_A_TIME), progress, interrupt, |block| {
            let start = block * IMAGES_AT_A_TIME;
            self.scores_of(reference, start..total.min(start + IMAGES_AT_A_TIME))
        })
    }

    fn scores_of(&self, reference: &Reference, rows: Range<usize>) -> Vec<sdd_drift::Result<f64>> {
        let embeddings = self.embeddings.slice(s![rows.clone(), ..]);
        let embeddings = embeddings.as_standard_layout();
        let images = self.images[rows].iter().zip(embeddings.outer_iter());
        let queries: Vec<_> = images
            .map(|(image, row)| image.predicted.query(row.to_slice().unwrap_or_default()))
            .collect();
        reference.scores(&queries)
    }
}

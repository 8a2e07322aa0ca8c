//! The scores of held-out images.

use anyhow::Result;
use sdd_drift::calibration::CalibrationEntry;
use sdd_drift::reference::ROWS_AT_A_TIME;
use sdd_drift::{Calibration, CalibrationImages, Reference, VerdictRule};

use super::entries::{calibration, skip};
use crate::held_out::HeldOut;
use crate::images::embedded::{Embedded, EmbeddedImage};
use crate::parallel::{in_parallel, threads};
use crate::progress::Progress;
use crate::remarks::Remarks;

impl HeldOut {
    /// The calibration, and those of the images that have a score.
    pub(super) fn calibrate(
        self,
        reference: &Reference,
        rule: VerdictRule,
        remarks: &mut Remarks,
    ) -> Result<(Calibration, CalibrationImages)> {
        let Self { embedded, source, group_by } = self;
        let scores = scores(&embedded, reference)?;
        let (mut entries, mut rows) = (Vec::new(), Vec::new());
        for (row, (image, score)) in embedded.images.iter().zip(scores).enumerate() {
            let EmbeddedImage { known, group, .. } = image;
            match score {
                Ok(score) => {
                    rows.push(row);
                    entries.push(CalibrationEntry {
                        // By which its group is found again.
                        id: group.is_some().then(|| known.id.clone()),
                        score,
                        predicted_class: known.predicted_class.clone(),
                        label: known.label.clone(),
                        group: group.clone(),
                        properties: known.properties,
                    });
                }
                Err(error) => skip(&known.id, error, remarks)?,
            }
        }
        let score = reference.score();
        let calibration = calibration(score, rule, entries, group_by, source, remarks)?;
        let Embedded { embeddings, images, classes, .. } = embedded.select(&rows);
        let images = images.into_iter().map(|image| image.known).collect();
        Ok((calibration, CalibrationImages::new(embeddings, classes, images)?))
    }
}

/// One an image, in their order.
fn scores(embedded: &Embedded, reference: &Reference) -> Result<Vec<sdd_drift::Result<f64>>> {
    let queries = embedded.queries();
    let blocks: Vec<_> = queries.chunks(ROWS_AT_A_TIME).collect();
    let progress = Progress::new(queries.len(), "held-out images");
    let workers = vec![(); threads().min(blocks.len())];
    in_parallel(workers, blocks.len(), progress, |(), block| Ok(reference.scores(blocks[block])))
}

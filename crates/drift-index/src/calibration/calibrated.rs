//! A calibration that was made.

use anyhow::{Context, Result};
use sdd_drift::calibration::{CalibrationEntry, CalibrationSource};
use sdd_drift::{Calibration, CalibrationImages, GroupBy, Score, VerdictRule};

use crate::answer::count;
use crate::remarks::{Part, Remarks};

/// A calibration, and the held-out images that it is of.
pub struct Calibrated {
    pub calibration: Calibration,
    /// None where the reference's own images calibrate.
    pub images: Option<CalibrationImages>,
}

/// The calibration, or how many images were left for it.
pub fn finish(
    score: Score,
    rule: VerdictRule,
    entries: Vec<CalibrationEntry>,
    group_by: Option<GroupBy>,
    source: CalibrationSource,
    remarks: &Remarks,
) -> Result<Calibration> {
    let images = entries.len();
    Calibration::with_rule(score, rule, entries, group_by, source).with_context(|| {
        let left_out = remarks.left_out(Part::Calibration);
        let known =
            remarks.duplicates.iter().filter(|one| one.part == Some(Part::Calibration)).count();
        let why = match known {
            0 => String::new(),
            known => format!(", {known} of them in the reference already or there twice"),
        };
        format!("{} left for the calibration, {left_out} left out{why}", count(images, "image"))
    })
}

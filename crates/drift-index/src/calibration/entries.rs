//! What becomes of images that were scored to calibrate.

use anyhow::{Context, Result};
use sdd_drift::calibration::{CalibrationEntry, CalibrationSource};
use sdd_drift::{Calibration, Error, GroupBy, Score, VerdictRule};

use crate::answer::count;
use crate::remarks::{Part, Remarks, Skipped};

/// The calibration, or how many images were left for it.
pub fn calibration(
    score: Score,
    rule: VerdictRule,
    entries: Vec<CalibrationEntry>,
    group_by: Option<GroupBy>,
    source: CalibrationSource,
    remarks: &Remarks,
) -> Result<Calibration> {
    let images = entries.len();
    Calibration::with_rule(score, rule, entries, group_by, source).with_context(|| {
        let part = Some(Part::Calibration);
        let known = remarks.duplicates.iter().filter(|one| one.part == part).count();
        let left_out = known + remarks.skipped.iter().filter(|one| one.part == part).count();
        let why = match known {
            0 => String::new(),
            known => format!(", {known} of them in the reference already or there twice"),
        };
        format!("{} left for the calibration, {left_out} left out{why}", count(images, "image"))
    })
}

/// Names an image that cannot be compared with anything, and so calibrates nothing; any other error is one.
pub fn skip(id: &str, error: Error, remarks: &mut Remarks) -> Result<()> {
    if !matches!(error, Error::ClassWithoutReference { .. } | Error::OneGroup { .. }) {
        return Err(error).with_context(|| format!("cannot score the calibration image {id}"));
    }
    let part = Some(Part::Calibration);
    remarks.skipped.push(Skipped::new(part, id.to_owned(), (&error).into()));
    Ok(())
}

//! The calibration as a document of the store.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{CALIBRATION_ATTACHMENT, Calibration, CalibrationEntry, CalibrationSource};
use crate::error::{Error, Result};
use crate::grouping::GroupBy;
use crate::score::{Score, ScoreMethod};
use sdd_stats::conformal::{PValueKind, PValueWithin, VerdictRule};

const FORMAT_VERSION: u32 = 3;

impl Calibration {
    /// As an attachment of a store, see [`CALIBRATION_ATTACHMENT`].
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let VerdictRule { alpha, p_value, within } = self.rule;
        crate::document::write(&Document {
            format_version: FORMAT_VERSION,
            method: self.score.method(),
            k: self.score.k(),
            alpha,
            p_value,
            within,
            threshold: self.threshold(),
            images: self.entries.len(),
            groups: self.groups(),
            group_by: self.group_by.clone(),
            source: self.source.clone(),
            scores: self.entries.clone(),
        })
    }

    /// The reverse of [`Calibration::to_json`], which trusts nothing it reads.
    ///
    /// # Errors
    ///
    /// [`Error::UnreadableAttachment`], [`Error::UnsupportedVersion`], what [`Calibration::with_rule`] refuses, and
    /// [`Error::InvalidCalibration`] for anything that contradicts the rest.
    pub fn from_json(json: &[u8]) -> Result<Self> {
        let document: Document =
            crate::document::read(json, CALIBRATION_ATTACHMENT, FORMAT_VERSION)?;
        let score = Score::from_parts(document.method, document.k)?;
        document.check_counts()?;
        document.check_order()?;
        let Document { alpha, p_value, within, threshold: stored, groups, .. } = document;
        let rule = VerdictRule { alpha, p_value, within };
        let Document { scores, group_by, source, .. } = document;
        let calibration = Self::with_rule(score, rule, scores, group_by, source)?;
        if calibration.groups() != groups {
            let text = |groups: Option<usize>| groups.map_or("null".into(), |n| n.to_string());
            return Err(contradiction("groups", &text(calibration.groups()), &text(groups)));
        }
        let computed = calibration.threshold();
        if computed.map(f64::to_bits) != stored.map(f64::to_bits) {
            let text = |threshold: Option<f64>| {
                threshold.map_or_else(|| "null".to_owned(), |threshold| threshold.to_string())
            };
            return Err(contradiction("threshold", &text(computed), &text(stored)));
        }
        Ok(calibration)
    }
}

#[derive(Serialize, Deserialize)]
struct Document {
    format_version: u32,
    method: ScoreMethod,
    k: Option<usize>,
    alpha: f64,
    p_value: PValueKind,
    within: PValueWithin,
    threshold: Option<f64>,
    images: usize,
    groups: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    group_by: Option<GroupBy>,
    source: CalibrationSource,
    scores: Vec<CalibrationEntry>,
}

impl Document {
    fn check_counts(&self) -> Result<()> {
        if self.images != self.scores.len() {
            return Err(contradiction("images", &self.scores.len(), &self.images));
        }
        if let Some(share) = self.source.impossible_share() {
            return Err(contradiction("source.share", &"a share strictly between 0 and 1", &share));
        }
        Ok(())
    }

    fn check_order(&self) -> Result<()> {
        let descent = self.scores.windows(2).position(|pair| pair[0].score > pair[1].score);
        descent.map_or(Ok(()), |position| {
            let field = format!("scores[{}].score", position + 1);
            let (before, found) = (self.scores[position].score, self.scores[position + 1].score);
            Err(contradiction(&field, &format!("at least {before}, as scores ascend"), &found))
        })
    }
}

fn contradiction(field: &str, expected: &dyn fmt::Display, found: &dyn fmt::Display) -> Error {
    Error::InvalidCalibration {
        field: field.into(),
        expected: expected.to_string(),
        found: found.to_string(),
    }
}

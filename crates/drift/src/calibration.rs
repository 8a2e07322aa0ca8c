//! What a reference store remembers of its calibration: the scores of held-out images.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::conformal::{CalibrationScores, check_alpha};
use crate::error::{Error, Result};
use crate::score::{Score, ScoreMethod};

/// Name of the store's attachment that holds the calibration.
pub const CALIBRATION_ATTACHMENT: &str = "calibration.json";

const FORMAT_VERSION: u32 = 1;

/// The level unless another is asked for.
pub const DEFAULT_ALPHA: f64 = 0.05;

/// The scores of images held out of the reference, and the threshold that follows from them.
///
/// A value of this type is consistent: scores finite and ascending, `0 < alpha < 1`, enough images for
/// `alpha`, and the threshold the one that scores and `alpha` give.
#[derive(Debug, Clone, PartialEq)]
pub struct Calibration {
    score: Score,
    alpha: f64,
    threshold: f64,
    groups: Option<usize>,
    source: CalibrationSource,
    entries: Vec<CalibrationEntry>,
    scores: CalibrationScores,
}

/// One calibration image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CalibrationEntry {
    /// Its score against the reference.
    pub score: f64,
    /// The class that the model predicted, where there was a model.
    pub predicted_class: Option<String>,
    /// The class that it is of by its folder or label file.
    pub label: Option<String>,
}

/// How the calibration images were chosen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum CalibrationSource {
    /// From a folder of their own.
    Directory,
    /// From a matrix of embeddings.
    Embeddings,
    /// A share of the groups of one folder; no group is on both sides.
    Split {
        /// Where the group of an image came from.
        group_by: GroupBy,
        /// The share of groups that was asked for.
        share: f64,
        /// The seed that chose them.
        seed: u64,
    },
}

/// Where the group of an image comes from, for example the physical part that it shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum GroupBy {
    /// This column of a CSV file.
    CsvColumn(String),
    /// What this regular expression finds in the image's path.
    Regex(String),
}

impl Calibration {
    /// Sorts `entries` by score and computes the threshold.
    ///
    /// `groups` is the number of groups that the images come from, where they have groups.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidAlpha`], [`Error::CalibrationTooSmall`], and [`Error::InvalidCalibration`] for a
    /// score that is not finite.
    pub fn new(
        score: Score,
        alpha: f64,
        mut entries: Vec<CalibrationEntry>,
        groups: Option<usize>,
        source: CalibrationSource,
    ) -> Result<Self> {
        let scores = CalibrationScores::new(entries.iter().map(|entry| entry.score).collect())?;
        let threshold = scores.threshold(alpha)?;
        // Stable, so that equal scores keep the order of the images.
        entries.sort_by(|a, b| a.score.total_cmp(&b.score));
        Ok(Self { score, alpha, threshold, groups, source, entries, scores })
    }

    /// The score that was calibrated.
    #[must_use]
    pub fn score(&self) -> Score {
        self.score
    }

    /// The level: the tolerated share of false alarms among good images.
    #[must_use]
    pub fn alpha(&self) -> f64 {
        self.alpha
    }

    /// Scores above it have a p-value of `alpha` at most.
    #[must_use]
    pub fn threshold(&self) -> f64 {
        self.threshold
    }

    /// The number of calibration images.
    #[must_use]
    pub fn images(&self) -> usize {
        self.entries.len()
    }

    /// The number of groups that the images come from, where they have groups.
    #[must_use]
    pub fn groups(&self) -> Option<usize> {
        self.groups
    }

    /// How the images were chosen.
    #[must_use]
    pub fn source(&self) -> &CalibrationSource {
        &self.source
    }

    /// The images' scores and classes, ascending by score.
    #[must_use]
    pub fn entries(&self) -> &[CalibrationEntry] {
        &self.entries
    }

    /// The scores alone, for p-values.
    #[must_use]
    pub fn scores(&self) -> &CalibrationScores {
        &self.scores
    }

    /// As an attachment of a store, see [`CALIBRATION_ATTACHMENT`].
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        crate::document::write(&Document {
            format_version: FORMAT_VERSION,
            method: self.score.method(),
            k: self.score.k(),
            alpha: self.alpha,
            threshold: self.threshold,
            images: self.entries.len(),
            groups: self.groups,
            source: self.source.clone(),
            scores: self.entries.clone(),
        })
    }

    /// The reverse of [`Calibration::to_json`], which trusts nothing it reads.
    ///
    /// # Errors
    ///
    /// [`Error::UnreadableAttachment`], [`Error::UnsupportedVersion`], [`Error::InvalidAlpha`],
    /// [`Error::CalibrationTooSmall`], and [`Error::InvalidCalibration`] for anything that contradicts
    /// the rest.
    pub fn from_json(json: &[u8]) -> Result<Self> {
        let document: Document =
            crate::document::read(json, CALIBRATION_ATTACHMENT, FORMAT_VERSION)?;
        let score = Score::from_parts(document.method, document.k)?;
        check_alpha(document.alpha)?;
        document.check_counts()?;
        document.check_order()?;
        let stored = document.threshold;
        let Document { alpha, scores, groups, source, .. } = document;
        let calibration = Self::new(score, alpha, scores, groups, source)?;
        if calibration.threshold.total_cmp(&stored).is_ne() {
            return Err(contradiction("threshold", &calibration.threshold, &stored));
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
    threshold: f64,
    images: usize,
    groups: Option<usize>,
    source: CalibrationSource,
    scores: Vec<CalibrationEntry>,
}

impl Document {
    fn check_counts(&self) -> Result<()> {
        if self.images != self.scores.len() {
            return Err(contradiction("images", &self.scores.len(), &self.images));
        }
        if let Some(groups) = self.groups.filter(|groups| !(1..=self.images).contains(groups)) {
            return Err(contradiction("groups", &format!("1 to {}", self.images), &groups));
        }
        if let CalibrationSource::Split { share, .. } = self.source
            && !(share > 0.0 && share < 1.0)
        {
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn calibration() -> Calibration {
        let entry = |i: u32| CalibrationEntry {
            score: 1.0 / f64::from(i),
            predicted_class: Some("good".into()),
            label: i.is_multiple_of(2).then(|| "good".into()),
        };
        let source = CalibrationSource::Split {
            group_by: GroupBy::CsvColumn("item".into()),
            share: 0.2,
            seed: 7,
        };
        let entries = (1..=20).map(entry).collect();
        Calibration::new(Score::default(), 0.1, entries, Some(5), source).unwrap()
    }

    fn reread(change: impl FnOnce(&mut Value)) -> Result<Calibration> {
        let mut json: Value = serde_json::from_slice(&calibration().to_json()).unwrap();
        change(&mut json);
        Calibration::from_json(&serde_json::to_vec(&json).unwrap())
    }

    #[test]
    fn every_bit_is_read_back() {
        assert_eq!(reread(|_| ()).unwrap(), calibration());
    }

    #[test]
    fn threshold_is_the_largest_score_inside() {
        // ⌊0.1 · 21⌋ = 2: one calibration score may lie above an out-of-distribution score.
        assert_eq!(calibration().threshold(), 0.5);
        assert_eq!(calibration().entries()[18].score, 0.5);
    }

    #[test]
    fn contradictions_are_named_by_their_field() {
        let cases: [(&str, Value, &str); 10] = [
            ("/threshold", json!(0.25), "`threshold`"),
            ("/images", json!(21), "`images`"),
            ("/groups", json!(0), "`groups`"),
            ("/groups", json!(99), "`groups`"),
            ("/source/share", json!(1.5), "`source.share`"),
            ("/alpha", json!(0.0), "alpha"),
            ("/alpha", json!(0.001), "at least 999"),
            ("/k", json!(null), "`k`"),
            ("/scores/3/score", json!(0.9), "`scores[4].score`"),
            ("/scores", json!([]), "`images`"),
        ];
        for (pointer, value, expected) in cases {
            let error = reread(|json| *json.pointer_mut(pointer).unwrap() = value).unwrap_err();
            assert!(error.to_string().contains(expected), "{pointer}: {error}");
        }
    }

    #[test]
    fn what_is_no_calibration_is_an_error_and_never_a_panic() {
        let json = calibration().to_json();
        for end in 0..json.len() - 2 {
            assert!(Calibration::from_json(&json[..end]).is_err());
        }
        for text in ["null", "[]", "{}", r#"{"format_version":"1"}"#, r#"{"format_version":-1}"#] {
            assert!(Calibration::from_json(text.as_bytes()).is_err(), "{text}");
        }
        let error = reread(|json| json["scores"][19]["score"] = json!(null)).unwrap_err();
        assert_eq!(error.code(), "unreadable_attachment");
        let newer = reread(|json| json["format_version"] = json!(2)).unwrap_err();
        assert_eq!(newer.code(), "unsupported_version");
    }
}

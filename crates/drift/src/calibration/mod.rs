//! What a reference store remembers of its calibration: the scores of held-out images.

mod classes;
mod document;
mod entry;

pub use self::classes::ClassCalibration;
use self::classes::Judges;
pub use self::entry::{CalibrationEntry, CalibrationSource, GroupBy};
use crate::error::Result;
use crate::score::Score;
use crate::verdict::{Unavailable, Verdict};
use sdd_stats::conformal::CalibrationScores;
use sdd_stats::conformal::VerdictRule;

/// Name of the store's attachment that holds the calibration.
pub const CALIBRATION_ATTACHMENT: &str = "calibration.json";

/// The level unless another is asked for.
pub const DEFAULT_ALPHA: f64 = 0.05;

/// The scores of images held out of the reference, and the threshold that follows from them.
///
/// A value of this type is consistent: scores finite and ascending, `0 < alpha < 1`, enough images for
/// `alpha` (of one class at least, where p-values are within the predicted class), and thresholds the
/// ones that scores and [`VerdictRule`] give.
#[derive(Debug, Clone, PartialEq)]
pub struct Calibration {
    score: Score,
    rule: VerdictRule,
    groups: Option<usize>,
    source: CalibrationSource,
    entries: Vec<CalibrationEntry>,
    scores: CalibrationScores,
    judges: Judges,
}

impl Calibration {
    /// A calibration for marginal p-values among all images, see [`Calibration::with_rule`].
    ///
    /// # Errors
    ///
    /// As [`Calibration::with_rule`].
    pub fn new(
        score: Score,
        alpha: f64,
        entries: Vec<CalibrationEntry>,
        groups: Option<usize>,
        source: CalibrationSource,
    ) -> Result<Self> {
        Self::with_rule(score, VerdictRule::marginal(alpha), entries, groups, source)
    }

    /// Sorts `entries` by score and computes the thresholds.
    ///
    /// `groups` is the number of groups that the images come from, where they have groups.
    ///
    /// # Errors
    ///
    /// [`sdd_stats::Error::InvalidArgument`],
    /// [`sdd_stats::Error::InvalidArgument`];
    /// [`sdd_stats::Error::CalibrationTooSmall`], or
    /// [`Error::NoClassCalibrated`](crate::Error::NoClassCalibrated), where no score could raise an
    /// alarm; [`Error::InvalidCalibration`](crate::Error::InvalidCalibration) for a score that is not
    /// finite, and for an image without predicted class where p-values are within it.
    pub fn with_rule(
        score: Score,
        rule: VerdictRule,
        mut entries: Vec<CalibrationEntry>,
        groups: Option<usize>,
        source: CalibrationSource,
    ) -> Result<Self> {
        let scores = CalibrationScores::new(entries.iter().map(|entry| entry.score).collect())?;
        // Stable, so that equal scores keep the order of the images.
        entries.sort_by(|a, b| a.score.total_cmp(&b.score));
        let judges = Judges::new(&rule, &entries)?;
        Ok(Self { score, rule, groups, source, entries, scores, judges })
    }

    /// The score that was calibrated.
    #[must_use]
    pub fn score(&self) -> Score {
        self.score
    }

    /// When a score is out of distribution.
    #[must_use]
    pub fn rule(&self) -> &VerdictRule {
        &self.rule
    }

    /// The level: the tolerated share of false alarms among good images.
    #[must_use]
    pub fn alpha(&self) -> f64 {
        self.rule.alpha
    }

    /// Scores above it have a p-value of `alpha` at most; `None` where each predicted class has a
    /// threshold of its own, see [`Calibration::classes`].
    #[must_use]
    pub fn threshold(&self) -> Option<f64> {
        match &self.judges {
            Judges::All(judge) => Some(judge.threshold),
            Judges::ByClass(_) => None,
        }
    }

    /// The images of each predicted class, in the order of the names, and whether it can be judged.
    #[must_use]
    pub fn classes(&self) -> Vec<ClassCalibration> {
        self.judges.classes(&self.entries)
    }

    /// What the calibration says of a score.
    ///
    /// `predicted_class` is looked at only where p-values are within the predicted class.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] where it can say nothing of this class.
    pub fn judge(
        &self,
        score: f64,
        predicted_class: Option<&str>,
    ) -> std::result::Result<Verdict, Unavailable> {
        self.judges.judge(&self.rule, score, predicted_class)
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

    /// The scores alone, of all classes together.
    #[must_use]
    pub fn scores(&self) -> &CalibrationScores {
        &self.scores
    }
}

#[cfg(test)]
mod tests;

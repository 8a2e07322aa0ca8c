//! What a reference store remembers of its calibration: the scores of images that are known to be fine.

mod classes;
mod document;
mod entry;

pub use self::classes::{ClassCalibration, check_rule_of_groups};
use self::classes::{Judges, groups};
pub use self::entry::{CalibrationEntry, CalibrationSource};
use crate::error::{Error, Result};
use crate::grouping::GroupBy;
use crate::score::Score;
use crate::verdict::{Unavailable, Verdict};
use sdd_stats::conformal::VerdictRule;

/// Name of the store's attachment that holds the calibration.
pub const CALIBRATION_ATTACHMENT: &str = "calibration.json";

/// The level unless another is asked for.
pub const DEFAULT_ALPHA: f64 = 0.05;

/// The scores of images held out of the reference, or of its own images by leaving their group out, and the threshold
/// that follows from them.
///
/// A value of this type is consistent: scores finite and ascending, `0 < alpha < 1`, groups of all images or of none,
/// enough images for `alpha` (of one class at least, where p-values are within the predicted class) where they have no
/// groups, and thresholds the ones that scores and [`VerdictRule`] give. With too few groups there is no threshold, and
/// every verdict is [`Unavailable`].
#[derive(Debug, Clone, PartialEq)]
pub struct Calibration {
    score: Score,
    rule: VerdictRule,
    groups: Option<usize>,
    group_by: Option<GroupBy>,
    source: CalibrationSource,
    entries: Vec<CalibrationEntry>,
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
        group_by: Option<GroupBy>,
        source: CalibrationSource,
    ) -> Result<Self> {
        Self::with_rule(score, VerdictRule::marginal(alpha), entries, group_by, source)
    }

    /// Sorts `entries` by score and computes the thresholds.
    ///
    /// `group_by` is how the groups of images were told, where they have groups, for whoever has to tell those of
    /// others.
    ///
    /// # Errors
    ///
    /// [`sdd_stats::Error::InvalidArgument`]; [`Error::CalibrationTooSmall`], or
    /// [`Error::NoClassCalibrated`], where no score could raise an alarm and images have no groups;
    /// [`Error::PValueOfGroups`]; [`Error::InvalidCalibration`] for a score that is not finite, for groups of some
    /// images alone, and for an image without predicted class where p-values are within it.
    pub fn with_rule(
        score: Score,
        rule: VerdictRule,
        mut entries: Vec<CalibrationEntry>,
        group_by: Option<GroupBy>,
        source: CalibrationSource,
    ) -> Result<Self> {
        // Whatever the order in which images came; stable, so that equal scores without ids keep it.
        entries.sort_by(|a, b| a.score.total_cmp(&b.score).then_with(|| a.id.cmp(&b.id)));
        check_groups(&entries, group_by.as_ref(), &source)?;
        let judges = Judges::new(&rule, &entries)?;
        let groups = groups(entries.iter());
        Ok(Self { score, rule, groups, group_by, source, entries, judges })
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
    /// threshold of its own, see [`Calibration::classes`], and with too few groups.
    #[must_use]
    pub fn threshold(&self) -> Option<f64> {
        match &self.judges {
            Judges::All(judge) => judge.threshold,
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

    /// How the groups of the images were told, where they have groups.
    #[must_use]
    pub fn group_by(&self) -> Option<&GroupBy> {
        self.group_by.as_ref()
    }

    /// The smallest p-value that an image can have: `1/(n + 1)` of n images or groups, if it is marginal. Above
    /// [`alpha`](Self::alpha) nothing can be out of distribution.
    #[must_use]
    pub fn smallest_p_value(&self) -> f64 {
        self.judges.smallest_p_value()
    }

    /// How the images were chosen.
    #[must_use]
    pub fn source(&self) -> &CalibrationSource {
        &self.source
    }

    /// The images' scores, classes and groups, ascending by score.
    #[must_use]
    pub fn entries(&self) -> &[CalibrationEntry] {
        &self.entries
    }
}

/// Images have all a group, or none; and a rule that told groups has told some.
fn check_groups(
    entries: &[CalibrationEntry],
    group_by: Option<&GroupBy>,
    source: &CalibrationSource,
) -> Result<()> {
    let needs_groups =
        group_by.is_some() || matches!(source, CalibrationSource::LeaveOneGroupOut { .. });
    let first = entries.first().is_some_and(|entry| entry.group.is_some());
    let is_grouped = needs_groups || first;
    match entries.iter().position(|entry| entry.group.is_some() != is_grouped) {
        Some(position) => Err(Error::InvalidCalibration {
            field: format!("scores[{position}].group"),
            expected: if is_grouped { "a group, as others have one," } else { "none" }.into(),
            found: if is_grouped { "none" } else { "a group" }.into(),
        }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;

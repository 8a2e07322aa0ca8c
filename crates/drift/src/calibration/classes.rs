//! Which scores are compared with which, all with all or class by class; and what counts, images or groups.

use std::collections::BTreeMap;

use serde::Serialize;

use super::entry::CalibrationEntry;
use crate::error::{Error, Result};
use crate::verdict::{Unavailable, Verdict};
use sdd_stats::conformal::{PValueKind, PValueWithin, PValues, VerdictRule};

/// The calibration images of one predicted class.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassCalibration {
    /// The predicted class; `None` for images of which it is not known.
    pub class: Option<String>,
    /// How many images of it there are.
    pub images: usize,
    /// Of how many groups, where images have groups.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<usize>,
    /// Scores above it are out of distribution where this class was predicted; `None` where the class
    /// has too few images, or groups, to judge by.
    pub threshold: Option<f64>,
}

/// How many images a p-value is made of, or groups where these are what counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Units {
    Images(usize),
    Groups(usize),
}

/// Scores that are compared with each other.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Judges {
    All(Judge),
    /// By predicted class.
    ByClass(BTreeMap<String, Judge>),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Judge {
    units: Units,
    p_values: PValues,
    /// None where they are too few for an alarm.
    pub threshold: Option<f64>,
}

/// Whether images that have groups can be judged by this rule.
///
/// # Errors
///
/// [`Error::PValueOfGroups`].
pub fn check_rule_of_groups(rule: &VerdictRule) -> Result<()> {
    match rule.p_value {
        PValueKind::Marginal => Ok(()),
        simes @ PValueKind::Simes { .. } => Err(Error::PValueOfGroups { p_value: simes.name() }),
    }
}

impl Judges {
    /// Too few images are refused, and too few groups are not: more come with more images, and until then no answer
    /// has a verdict.
    pub fn new(rule: &VerdictRule, entries: &[CalibrationEntry]) -> Result<Self> {
        rule.check()?;
        let is_grouped = entries.first().is_some_and(|entry| entry.group.is_some());
        if is_grouped {
            check_rule_of_groups(rule)?;
        }
        match rule.within {
            PValueWithin::All => {
                let judge = Judge::new(rule, &entries.iter().collect::<Vec<_>>())?;
                match judge.too_few_images() {
                    Some(images) => Err(Error::CalibrationTooSmall {
                        images,
                        alpha: rule.alpha,
                        p_value: rule.p_value.to_string(),
                        required: rule.required_images(),
                    }),
                    None => Ok(Self::All(judge)),
                }
            }
            PValueWithin::PredictedClass => Self::by_class(rule, entries),
        }
    }

    fn by_class(rule: &VerdictRule, entries: &[CalibrationEntry]) -> Result<Self> {
        if let Some(position) = entries.iter().position(|entry| entry.predicted_class.is_none()) {
            return Err(Error::InvalidCalibration {
                field: format!("scores[{position}].predicted_class"),
                expected: "a class, as p-values are among the images of the predicted class,"
                    .into(),
                found: "null".into(),
            });
        }
        let by_class = by_class(entries).into_iter();
        let judges = by_class.map(|(class, entries)| {
            Ok((class.unwrap_or_default().to_owned(), Judge::new(rule, &entries)?))
        });
        let judges: BTreeMap<_, _> = judges.collect::<Result<_>>()?;
        let too_few: Option<Vec<usize>> = judges.values().map(Judge::too_few_images).collect();
        match too_few {
            Some(images) => Err(Error::NoClassCalibrated {
                alpha: rule.alpha,
                p_value: rule.p_value.to_string(),
                images: images.into_iter().max().unwrap_or(0),
                required: rule.required_images(),
            }),
            None => Ok(Self::ByClass(judges)),
        }
    }

    pub fn judge(
        &self,
        rule: &VerdictRule,
        score: f64,
        class: Option<&str>,
    ) -> Result<Verdict, Unavailable> {
        let (judge, class) = match self {
            Self::All(judge) => (judge, None),
            Self::ByClass(judges) => {
                let class = class.ok_or(Unavailable::ClassNotGiven)?;
                let judge = judges.get(class).ok_or_else(|| {
                    let none = match judges.values().next().map(|judge| judge.units) {
                        Some(Units::Groups(_)) => Units::Groups(0),
                        _ => Units::Images(0),
                    };
                    unavailable(none, Some(class), rule)
                })?;
                (judge, Some(class))
            }
        };
        let threshold = judge.threshold.ok_or_else(|| unavailable(judge.units, class, rule))?;
        let p_value = judge.p_values.p_value(score);
        Ok(Verdict { p_value, threshold, out_of_distribution: p_value <= rule.alpha })
    }

    /// The calibration images of each predicted class, in the order of the names.
    pub fn classes(&self, entries: &[CalibrationEntry]) -> Vec<ClassCalibration> {
        let threshold = |class: Option<&str>| match self {
            Self::All(judge) => judge.threshold,
            Self::ByClass(judges) => judges.get(class?)?.threshold,
        };
        let class = |(class, entries): (Option<&str>, Vec<_>)| ClassCalibration {
            class: class.map(str::to_owned),
            images: entries.len(),
            groups: groups(entries.iter().copied()),
            threshold: threshold(class),
        };
        by_class(entries).into_iter().map(class).collect()
    }

    /// The smallest p-value that an image can have: of the class that has most to be compared with.
    pub fn smallest_p_value(&self) -> f64 {
        let smallest = |judge: &Judge| judge.p_values.p_value(f64::INFINITY);
        match self {
            Self::All(judge) => smallest(judge),
            Self::ByClass(judges) => judges.values().map(smallest).fold(1.0, f64::min),
        }
    }
}

impl Judge {
    fn new(rule: &VerdictRule, entries: &[&CalibrationEntry]) -> Result<Self> {
        let (units, p_values) = if let Some(groups) = scores_by_group(entries.iter().copied()) {
            (Units::Groups(groups.len()), PValues::of_groups(&groups)?)
        } else {
            let scores = entries.iter().map(|entry| entry.score).collect();
            (Units::Images(entries.len()), PValues::of_images(scores, rule.p_value)?)
        };
        Ok(Self { units, threshold: p_values.threshold(rule.alpha), p_values })
    }

    /// How many images there are, where they are too few and have no groups.
    fn too_few_images(&self) -> Option<usize> {
        match (self.units, self.threshold) {
            (Units::Images(images), None) => Some(images),
            _ => None,
        }
    }
}

/// How many groups images come from; `None` of images without groups.
pub(super) fn groups<'a>(entries: impl Iterator<Item = &'a CalibrationEntry>) -> Option<usize> {
    scores_by_group(entries).map(|groups| groups.len())
}

fn by_class(entries: &[CalibrationEntry]) -> BTreeMap<Option<&str>, Vec<&CalibrationEntry>> {
    let mut by_class = BTreeMap::<_, Vec<_>>::new();
    for entry in entries {
        by_class.entry(entry.predicted_class.as_deref()).or_default().push(entry);
    }
    by_class
}

/// `None` of images without groups.
fn scores_by_group<'a>(
    entries: impl Iterator<Item = &'a CalibrationEntry>,
) -> Option<Vec<Vec<f64>>> {
    let mut by_group = BTreeMap::<&str, Vec<f64>>::new();
    for entry in entries {
        by_group.entry(entry.group.as_deref()?).or_default().push(entry.score);
    }
    (!by_group.is_empty()).then(|| by_group.into_values().collect())
}

fn unavailable(found: Units, class: Option<&str>, rule: &VerdictRule) -> Unavailable {
    let (class, required) = (class.map(str::to_owned), rule.required_images());
    match (found, class) {
        (Units::Groups(groups), class) => {
            Unavailable::NotEnoughCalibrationGroups { class, groups, required }
        }
        (Units::Images(images), Some(class)) => {
            Unavailable::NotEnoughCalibrationImages { class, images, required }
        }
        // There is no calibration of so few.
        (Units::Images(_), None) => Unavailable::NoCalibration,
    }
}

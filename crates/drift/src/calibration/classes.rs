//! Which scores are compared with which, all with all or class by class; and what counts, images or groups.

use std::collections::BTreeMap;

use serde::Serialize;

use super::entry::CalibrationEntry;
use crate::error::{Error, Result};
use crate::verdict::{Unavailable, Verdict};
use sdd_stats::conformal::{
    CalibrationScores, GroupedScores, PValueKind, PValueWithin, PValues, VerdictRule,
};

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
pub(super) enum Units {
    Images(usize),
    Groups(usize),
}

/// Scores that are compared with each other; the number of units where they are too few for an alarm.
pub(super) type Judged = Result<Judge, Units>;

/// Scores that are compared with each other.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Judges {
    All(Judged),
    /// By predicted class.
    ByClass(BTreeMap<String, Judged>),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Judge {
    p_values: OfUnits,
    pub threshold: f64,
}

#[derive(Debug, Clone, PartialEq)]
enum OfUnits {
    Images(PValues),
    Groups(GroupedScores),
}

impl Units {
    /// Of images that have all a group, or none of them.
    pub fn of(entries: &[&CalibrationEntry]) -> Self {
        match scores_by_group(entries) {
            Some(groups) => Self::Groups(groups.len()),
            None => Self::Images(entries.len()),
        }
    }

    pub fn groups(self) -> Option<usize> {
        match self {
            Self::Images(_) => None,
            Self::Groups(groups) => Some(groups),
        }
    }

    /// The smallest p-value that so many can give.
    pub fn smallest_p_value(self, kind: PValueKind) -> f64 {
        match self {
            Self::Images(images) => kind.smallest_p_value(images),
            Self::Groups(groups) => PValueKind::Marginal.smallest_p_value(groups),
        }
    }
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
            PValueWithin::All => match Judge::new(rule, &entries.iter().collect::<Vec<_>>())? {
                Err(Units::Images(images)) => Err(too_small(rule, images)),
                judge => Ok(Self::All(judge)),
            },
            PValueWithin::PredictedClass => Self::by_class(rule, entries),
        }
    }

    fn by_class(rule: &VerdictRule, entries: &[CalibrationEntry]) -> Result<Self> {
        let mut by_class = BTreeMap::<&str, Vec<&CalibrationEntry>>::new();
        for (position, entry) in entries.iter().enumerate() {
            let class =
                entry.predicted_class.as_deref().ok_or_else(|| Error::InvalidCalibration {
                    field: format!("scores[{position}].predicted_class"),
                    expected: "a class, as p-values are among the images of the predicted class,"
                        .into(),
                    found: "null".into(),
                })?;
            by_class.entry(class).or_default().push(entry);
        }
        let most = by_class.values().map(Vec::len).max().unwrap_or(0);
        let judges = by_class
            .into_iter()
            .map(|(class, entries)| Ok((class.to_owned(), Judge::new(rule, &entries)?)));
        let judges: BTreeMap<_, _> = judges.collect::<Result<_>>()?;
        if judges.values().all(|judge| matches!(judge, Err(Units::Images(_)))) {
            return Err(Error::NoClassCalibrated {
                alpha: rule.alpha,
                p_value: rule.p_value.to_string(),
                images: most,
                required: rule.required_images(),
            });
        }
        Ok(Self::ByClass(judges))
    }

    pub fn judge(
        &self,
        rule: &VerdictRule,
        score: f64,
        class: Option<&str>,
    ) -> Result<Verdict, Unavailable> {
        let (judge, class) = match self {
            Self::All(judge) => (Some(judge), None),
            Self::ByClass(judges) => {
                let class = class.ok_or(Unavailable::ClassNotGiven)?;
                (judges.get(class), Some(class))
            }
        };
        let judge = match judge {
            Some(Ok(judge)) => judge,
            Some(Err(units)) => return Err(unavailable(*units, class, rule)),
            None => return Err(unavailable(self.none_of_a_class(), class, rule)),
        };
        let p_value = judge.p_value(score);
        Ok(Verdict {
            p_value,
            threshold: judge.threshold,
            out_of_distribution: p_value <= rule.alpha,
        })
    }

    /// What a class has that no calibration image was taken for.
    fn none_of_a_class(&self) -> Units {
        let is_of_groups = |judge: &Judged| match judge {
            Ok(judge) => matches!(judge.p_values, OfUnits::Groups(_)),
            Err(units) => units.groups().is_some(),
        };
        let first = match self {
            Self::All(judge) => Some(judge),
            Self::ByClass(judges) => judges.values().next(),
        };
        if first.is_some_and(is_of_groups) { Units::Groups(0) } else { Units::Images(0) }
    }

    /// The calibration images of each predicted class, in the order of the names.
    pub fn classes(&self, entries: &[CalibrationEntry]) -> Vec<ClassCalibration> {
        let threshold = |class: Option<&str>| {
            let judge = match self {
                Self::All(judge) => judge,
                Self::ByClass(judges) => judges.get(class?)?,
            };
            Some(judge.as_ref().ok()?.threshold)
        };
        let class = |(class, entries): (Option<&str>, Vec<_>)| ClassCalibration {
            class: class.map(str::to_owned),
            images: entries.len(),
            groups: Units::of(&entries).groups(),
            threshold: threshold(class),
        };
        by_class(entries).into_iter().map(class).collect()
    }

    /// The smallest p-value that an image can have: of the class that has most to be compared with.
    pub fn smallest_p_value(&self, rule: &VerdictRule, entries: &[CalibrationEntry]) -> f64 {
        let smallest = |entries: &[_]| Units::of(entries).smallest_p_value(rule.p_value);
        match self {
            Self::All(_) => smallest(&entries.iter().collect::<Vec<_>>()),
            Self::ByClass(_) => {
                by_class(entries).values().map(|entries| smallest(entries)).fold(1.0, f64::min)
            }
        }
    }
}

impl Judge {
    fn new(rule: &VerdictRule, entries: &[&CalibrationEntry]) -> Result<Judged> {
        if let Some(groups) = scores_by_group(entries) {
            let scores = GroupedScores::new(&groups)?;
            return Ok(match scores.threshold(rule.alpha) {
                Ok(threshold) => Ok(Self { p_values: OfUnits::Groups(scores), threshold }),
                Err(_) => Err(Units::Groups(groups.len())),
            });
        }
        let scores = CalibrationScores::new(entries.iter().map(|entry| entry.score).collect())?;
        let p_values = PValues::new(scores, rule.p_value)?;
        Ok(match p_values.threshold(rule.alpha) {
            Some(threshold) => Ok(Self { p_values: OfUnits::Images(p_values), threshold }),
            None => Err(Units::Images(entries.len())),
        })
    }

    fn p_value(&self, score: f64) -> f64 {
        match &self.p_values {
            OfUnits::Images(scores) => scores.p_value(score),
            OfUnits::Groups(scores) => scores.p_value(score),
        }
    }
}

fn by_class(entries: &[CalibrationEntry]) -> BTreeMap<Option<&str>, Vec<&CalibrationEntry>> {
    let mut by_class = BTreeMap::<_, Vec<_>>::new();
    for entry in entries {
        by_class.entry(entry.predicted_class.as_deref()).or_default().push(entry);
    }
    by_class
}

/// `None` of images without groups.
fn scores_by_group(entries: &[&CalibrationEntry]) -> Option<Vec<Vec<f64>>> {
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

fn too_small(rule: &VerdictRule, images: usize) -> Error {
    let (p_value, required) = (rule.p_value.to_string(), rule.required_images());
    sdd_stats::Error::CalibrationTooSmall { images, alpha: rule.alpha, p_value, required }.into()
}

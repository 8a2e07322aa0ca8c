//! Which scores are compared with which: all with all, or class by class.

use std::collections::BTreeMap;

use super::entry::CalibrationEntry;
use crate::error::{Error, Result};
use crate::verdict::{Unavailable, Verdict};
use sdd_stats::conformal::CalibrationScores;
use sdd_stats::conformal::{PValueWithin, PValues, VerdictRule};

/// The calibration images of one predicted class.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassCalibration {
    /// The predicted class; `None` for images of which it is not known.
    pub class: Option<String>,
    /// How many images of it there are.
    pub images: usize,
    /// Scores above it are out of distribution where this class was predicted; `None` where the class
    /// has too few images to judge by.
    pub threshold: Option<f64>,
}

/// Scores that are compared with each other.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Judges {
    All(Judge),
    /// By predicted class; `None` and the number of its images for a class that has too few.
    ByClass(BTreeMap<String, Result<Judge, usize>>),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Judge {
    p_values: PValues,
    pub threshold: f64,
}

impl Judges {
    pub fn new(rule: &VerdictRule, entries: &[CalibrationEntry]) -> Result<Self> {
        rule.check()?;
        match rule.within {
            PValueWithin::All => {
                let scores =
                    CalibrationScores::new(entries.iter().map(|entry| entry.score).collect())?;
                let images = scores.len();
                let judge = Judge::new(rule, scores)?;
                judge.map(Self::All).ok_or_else(|| too_small(rule, images))
            }
            PValueWithin::PredictedClass => Self::by_class(rule, entries),
        }
    }

    fn by_class(rule: &VerdictRule, entries: &[CalibrationEntry]) -> Result<Self> {
        let mut by_class = BTreeMap::<&str, Vec<f64>>::new();
        for (position, entry) in entries.iter().enumerate() {
            let class =
                entry.predicted_class.as_deref().ok_or_else(|| Error::InvalidCalibration {
                    field: format!("scores[{position}].predicted_class"),
                    expected: "a class, as p-values are among the images of the predicted class,"
                        .into(),
                    found: "null".into(),
                })?;
            by_class.entry(class).or_default().push(entry.score);
        }
        let most = by_class.values().map(Vec::len).max().unwrap_or(0);
        let judges = by_class.into_iter().map(|(class, scores)| {
            let images = scores.len();
            let judge = Judge::new(rule, CalibrationScores::new(scores)?)?;
            Ok((class.to_owned(), judge.ok_or(images)))
        });
        let judges: BTreeMap<_, _> = judges.collect::<Result<_>>()?;
        if judges.values().all(Result::is_err) {
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
        let judge = match self {
            Self::All(judge) => judge,
            Self::ByClass(judges) => {
                let class = class.ok_or(Unavailable::ClassNotGiven)?;
                let too_few = |images| Unavailable::NotEnoughCalibrationImages {
                    class: class.to_owned(),
                    images,
                    required: rule.required_images(),
                };
                match judges.get(class) {
                    Some(Ok(judge)) => judge,
                    Some(Err(images)) => return Err(too_few(*images)),
                    None => return Err(too_few(0)),
                }
            }
        };
        let p_value = judge.p_values.p_value(score);
        Ok(Verdict {
            p_value,
            threshold: judge.threshold,
            out_of_distribution: p_value <= rule.alpha,
        })
    }

    /// The calibration images of each predicted class, in the order of the names.
    pub fn classes(&self, entries: &[CalibrationEntry]) -> Vec<ClassCalibration> {
        let mut counts = BTreeMap::<Option<&str>, usize>::new();
        for entry in entries {
            *counts.entry(entry.predicted_class.as_deref()).or_default() += 1;
        }
        let threshold = |class: Option<&str>| match self {
            Self::All(judge) => Some(judge.threshold),
            Self::ByClass(judges) => {
                let judge = judges.get(class?)?.as_ref().ok()?;
                Some(judge.threshold)
            }
        };
        let class = |(class, images): (Option<&str>, usize)| ClassCalibration {
            class: class.map(str::to_owned),
            images,
            threshold: threshold(class),
        };
        counts.into_iter().map(class).collect()
    }
}

impl Judge {
    /// `None` where the scores are too few for an alarm.
    fn new(rule: &VerdictRule, scores: CalibrationScores) -> Result<Option<Self>> {
        let p_values = PValues::new(scores, rule.p_value)?;
        let threshold = p_values.threshold(rule.alpha);
        Ok(threshold.map(|threshold| Self { p_values, threshold }))
    }
}

fn too_small(rule: &VerdictRule, images: usize) -> Error {
    let (p_value, required) = (rule.p_value.to_string(), rule.required_images());
    sdd_stats::Error::CalibrationTooSmall { images, alpha: rule.alpha, p_value, required }.into()
}

//! Accuracy without labels: what the model's own probabilities say of images that are in distribution.
//!
//! Of an image whose class was decided with probability p the decision is right with probability p, where probabilities
//! are calibrated. So the mean of these probabilities is the expected accuracy, and of a class that is decided by a
//! threshold the same sums have expected precision and recall. Images of one group are alike: intervals are by groups
//! ([`GroupRatio`]).

use serde::{Deserialize, Serialize};

use sdd_drift::Status;
use sdd_stats::group_ratio::GroupRatio;

use crate::error::Result;
use crate::observation::Observation;
use crate::report::{EstimateReport, ExpectedAccuracyReport, NoEstimate};
use crate::terms::INTERVAL_ALPHA;
use crate::totals::Totals;

/// Groups that an estimate takes, and images in what it is a share of: the spread of fewer says little, and of next to
/// no expected defects a recall says nothing.
const GROUPS_NEEDED: u64 = 8;

/// By what part rounding may leave groups of one size short of their number.
const ROUNDING: f64 = 1e-9;

/// Sums over the images of a group that are in distribution.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct GroupAccuracy {
    images: u64,
    /// Decisions that are right, on average.
    right: f64,
    /// Images that were called positive, and how many of them are, on average.
    called: u64,
    called_right: f64,
    /// Images that are positive, on average.
    positives: f64,
}

impl GroupAccuracy {
    /// Counts an image of a model that decides by a threshold for `positive`, or of one that does not.
    pub fn count(&mut self, observation: &Observation, positive: Option<&str>) {
        let Observation { predicted_class, confidence: p, out_of_distribution, .. } = observation;
        if *out_of_distribution != Some(false) || !(0.0..=1.0).contains(p) {
            return;
        }
        self.images += 1;
        self.right += p;
        match positive {
            None => {}
            Some(positive) if positive == predicted_class => {
                self.called += 1;
                self.called_right += p;
                self.positives += p;
            }
            Some(_) => self.positives += 1.0 - p,
        }
    }

    /// Whether so many images may lead to it at most.
    pub fn is_sound(&self, most: u64) -> bool {
        let images = self.images as f64;
        let is_part = |sum: f64, of: f64| (0.0..=of + 1e-6).contains(&sum);
        self.images <= most
            && self.called <= self.images
            && is_part(self.right, images)
            && is_part(self.positives, images)
            && is_part(self.called_right, self.called as f64)
    }
}

/// The same over groups that are complete.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Accuracy {
    /// Decisions that are right.
    decisions: GroupRatio,
    precision: GroupRatio,
    recall: GroupRatio,
}

impl Accuracy {
    pub fn add(&mut self, group: &GroupAccuracy) {
        self.decisions.add(group.right, group.images as f64);
        self.precision.add(group.called_right, group.called as f64);
        self.recall.add(group.called_right, group.positives);
    }

    pub fn merge(&mut self, other: &Self) {
        self.decisions.merge(&other.decisions);
        self.precision.merge(&other.precision);
        self.recall.merge(&other.recall);
    }

    pub fn is_sound(&self) -> bool {
        [self.decisions, self.precision, self.recall].iter().all(GroupRatio::is_sound)
    }

    /// What can be said of images with this verdict, but in words.
    pub fn report(
        &self,
        verdict: Status,
        totals: Totals,
        positive: Option<&str>,
    ) -> Result<ExpectedAccuracyReport> {
        let is_stable = verdict == Status::Stable;
        let estimate = |ratio: &GroupRatio| {
            let effective_groups = ratio.effective_groups();
            let enough = GROUPS_NEEDED as f64 * (1.0 - ROUNDING);
            let is_told = is_stable && effective_groups.min(ratio.denominator()) >= enough;
            let interval = is_told.then(|| ratio.interval(INTERVAL_ALPHA)).transpose()?.flatten();
            let value = ratio.value().filter(|_| is_told);
            Ok::<_, crate::Error>(EstimateReport { value, interval, effective_groups })
        };
        let of_positive = |ratio| positive.map(|_| estimate(ratio)).transpose();
        let accuracy = estimate(&self.decisions)?;
        let unavailable = match verdict {
            Status::Drifting => Some(NoEstimate::Drifting),
            Status::InsufficientData => Some(NoEstimate::NoVerdict),
            Status::Stable if accuracy.value.is_none() => Some(NoEstimate::NotEnoughGroups),
            Status::Stable => None,
        };
        let in_distribution = totals.judged - totals.out_of_distribution;
        let share = (totals.images > 0).then(|| in_distribution as f64 / totals.images as f64);
        Ok(ExpectedAccuracyReport {
            accuracy,
            positive_class: positive.map(str::to_owned),
            precision: of_positive(&self.precision)?,
            recall: of_positive(&self.recall)?,
            images: images(self.decisions.denominator()),
            groups_needed: GROUPS_NEEDED,
            share_in_distribution: share,
            unjudged: totals.images - totals.judged,
            unavailable,
            message: String::new(),
        })
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a sum of counts")]
fn images(sum: f64) -> u64 {
    sum as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_of_one_size_count_in_full_whatever_rounding_makes_of_them() {
        // From 10 on 8 groups have 8 expected positives.
        for images in 10..500_u32 {
            let right = 0.9 * f64::from(images);
            let (images, positives) = (u64::from(images), 0.1 * f64::from(images));
            let group =
                GroupAccuracy { images, right, called: images, called_right: positives, positives };
            let mut accuracy = Accuracy::default();
            let mut report = || {
                accuracy.add(&group);
                accuracy.report(Status::Stable, Totals::default(), Some("defect")).unwrap()
            };
            let few = (1..GROUPS_NEEDED).map(|_| report()).last().unwrap();
            assert_eq!(few.unavailable, Some(NoEstimate::NotEnoughGroups));
            assert!((few.accuracy.effective_groups - 7.0).abs() < 1e-6, "{few:?}");
            let enough = report();
            let estimates = [enough.accuracy, enough.precision.unwrap(), enough.recall.unwrap()];
            assert!(estimates.iter().all(|one| one.interval.is_some()), "{images}: {estimates:?}");
        }
    }
}

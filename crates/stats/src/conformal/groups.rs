//! P-values that count whole groups.
//!
//! Images of one part, tray or shift are alike: many of them say little more about the next part than one does. What is
//! exchangeable is the group, so each group weighs one, however many images it has. With the scores `s_gi` of the images
//! of `G` calibration groups, `n_g` of group g, the p-value of the score `s` of an image of a new group is
//!
//! ```text
//! p = (1 + Σ_g (1/n_g) · #{i : s_gi ≥ s}) / (G + 1)
//! ```
//!
//! `P(p ≤ α) ≤ α` on average over calibrations and over the images of a new group that is exchangeable with those of the
//! calibration. The smallest p is `1/(G + 1)`: at 5 % it takes 19 groups.
//!
//! Sources: Lee, Barber, Willett, “Distribution-free inference with hierarchical data”, 2023; Dunn, Wasserman, Ramdas,
//! “Distribution-free prediction sets for two-layer hierarchical models”, JASA 2022.

use super::scores::required_calibration_images;
use crate::error::{Error, Result, check_open_unit};

/// The scores of calibration images, which weigh one a group together.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupedScores {
    /// Ascending.
    scores: Vec<f64>,
    /// `at_least[i]` is the weight of `scores[i..]`; one more element than there are scores, 0 at the end.
    at_least: Vec<f64>,
    groups: usize,
}

impl GroupedScores {
    /// Of the scores of each group's images.
    ///
    /// # Errors
    ///
    /// [`Error::NotFinite`] for a score that is NaN or infinite, [`Error::InvalidArgument`] for a group without any.
    pub fn new<S: AsRef<[f64]>>(groups: &[S]) -> Result<Self> {
        let mut weighed = Vec::new();
        for (number, group) in groups.iter().enumerate() {
            let scores = group.as_ref();
            if scores.is_empty() {
                let found = format!("none in group {number}");
                return Err(Error::invalid_argument("groups", "a score at least in each", found));
            }
            if let Some(position) = scores.iter().position(|score| !score.is_finite()) {
                let (vector, value) = (format!("group {number}"), scores[position]);
                return Err(Error::NotFinite { vector, position, value });
            }
            weighed.extend(scores.iter().map(|score| (*score, 1.0 / scores.len() as f64)));
        }
        weighed.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut at_least = vec![0.0; weighed.len() + 1];
        for (i, (_, weight)) in weighed.iter().enumerate().rev() {
            at_least[i] = at_least[i + 1] + weight;
        }
        let scores = weighed.into_iter().map(|(score, _)| score).collect();
        Ok(Self { scores, at_least, groups: groups.len() })
    }

    /// The number `G` of groups.
    #[must_use]
    pub fn groups(&self) -> usize {
        self.groups
    }

    /// The p-value of an image of a new group, in (0, 1]. NaN counts as stranger than everything.
    #[must_use]
    pub fn p_value(&self, score: f64) -> f64 {
        let below = self.scores.partition_point(|known| *known < score);
        let first = if score.is_nan() { self.scores.len() } else { below };
        self.of_weight(self.at_least[first])
    }

    /// `1/(G + 1)`.
    #[must_use]
    pub fn smallest_p_value(&self) -> f64 {
        self.of_weight(0.0)
    }

    /// The largest score that is still inside the distribution: `p ≤ alpha` holds for exactly those that are **greater**.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] unless `0 < alpha < 1`; [`Error::CalibrationTooSmall`] with too few groups for any alarm.
    pub fn threshold(&self, alpha: f64) -> Result<f64> {
        check_open_unit("alpha", alpha)?;
        // The weight above a score falls with the score, and so does its p-value.
        let is_inside = |above: &f64| self.of_weight(*above) > alpha;
        let first = self.at_least.get(1..).unwrap_or_default().partition_point(is_inside);
        self.scores.get(first).copied().ok_or_else(|| Error::CalibrationTooSmall {
            images: self.groups,
            alpha,
            p_value: "group-weighted".into(),
            required: required_calibration_images(alpha),
        })
    }

    fn of_weight(&self, weight: f64) -> f64 {
        // A whole group's weights may add up to a little more than 1.
        ((1.0 + weight) / (self.groups + 1) as f64).min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_of_many_images_weighs_no_more_than_one_of_few() {
        let scores = GroupedScores::new(&[vec![1.0; 100], vec![3.0]]).unwrap();
        assert_eq!(scores.p_value(2.0), 2.0 / 3.0);
        assert_eq!(scores.p_value(4.0), 1.0 / 3.0);
        assert_eq!(scores.p_value(f64::NAN), scores.smallest_p_value());
        assert!((scores.p_value(0.0) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn above_the_threshold_is_where_p_is_at_most_alpha() {
        let group = |g: u32| (0..=g % 4).map(|i| f64::from((7 * g + 3 * i) % 23)).collect();
        let scores = GroupedScores::new(&(0..40).map(group).collect::<Vec<Vec<f64>>>()).unwrap();
        for alpha in [0.03, 0.05, 0.2, 0.9] {
            let threshold = scores.threshold(alpha).unwrap();
            assert!(scores.p_value(threshold) > alpha, "{alpha}");
            assert!(scores.p_value(threshold.next_up()) <= alpha, "{alpha}");
        }
    }

    #[test]
    fn eight_groups_can_never_alarm_at_five_percent() {
        let eight = GroupedScores::new(&vec![vec![0.0; 8]; 8]).unwrap();
        let error = eight.threshold(0.05).unwrap_err();
        assert!(matches!(error, Error::CalibrationTooSmall { images: 8, required: 19, .. }));
        assert!(GroupedScores::new(&vec![vec![0.0]; 19]).unwrap().threshold(0.05).is_ok());
        assert!(GroupedScores::new(&Vec::<Vec<f64>>::new()).unwrap().threshold(0.05).is_err());
    }

    #[test]
    fn groups_without_scores_and_scores_without_numbers_are_refused() {
        assert!(GroupedScores::new(&[vec![1.0], vec![]]).is_err());
        assert!(GroupedScores::new(&[vec![1.0], vec![f64::NAN]]).is_err());
    }
}

//! The scores of a calibration, and the p-value that each rank among them gives.

use super::rule::PValueKind;
use crate::error::{Error, Result};

/// The scores of a calibration with the p-values that they give.
#[derive(Debug, Clone, PartialEq)]
pub struct PValues {
    /// Ascending.
    scores: Vec<f64>,
    /// `p_values[i]` is that of a score which i of the calibration's are below: one more than there are scores,
    /// descending.
    p_values: Vec<f64>,
}

impl PValues {
    /// Of the scores of single images, in any order.
    ///
    /// # Errors
    ///
    /// [`Error::NotFinite`] for a score that is NaN or infinite; [`Error::InvalidArgument`] for a delta that is no
    /// probability.
    pub fn of_images(mut scores: Vec<f64>, kind: PValueKind) -> Result<Self> {
        kind.check()?;
        check_finite(&scores, || "the calibration's scores".into())?;
        scores.sort_unstable_by(f64::total_cmp);
        let p_values = match kind {
            PValueKind::Marginal => {
                marginal((0..=scores.len()).rev().map(|n| n as f64), scores.len())
            }
            PValueKind::Simes { delta } => simes(scores.len(), delta),
        };
        Ok(Self { scores, p_values })
    }

    /// Of the scores of each group's images, which weigh one a group together.
    ///
    /// # Errors
    ///
    /// [`Error::NotFinite`] for a score that is NaN or infinite, [`Error::InvalidArgument`] for a group without any.
    pub fn of_groups<S: AsRef<[f64]>>(groups: &[S]) -> Result<Self> {
        let mut weighed = Vec::new();
        for (number, group) in groups.iter().enumerate() {
            let scores = group.as_ref();
            if scores.is_empty() {
                let found = format!("none in group {number}");
                return Err(Error::invalid_argument("groups", "a score at least in each", found));
            }
            check_finite(scores, || format!("group {number}"))?;
            weighed.extend(scores.iter().map(|score| (*score, 1.0 / scores.len() as f64)));
        }
        weighed.sort_by(|a, b| a.0.total_cmp(&b.0));
        // Summed from the greatest score on, as what is at or above a score counts.
        let mut at_least = vec![0.0; weighed.len() + 1];
        for (i, (_, weight)) in weighed.iter().enumerate().rev() {
            at_least[i] = at_least[i + 1] + weight;
        }
        let scores = weighed.into_iter().map(|(score, _)| score).collect();
        Ok(Self { scores, p_values: marginal(at_least.into_iter(), groups.len()) })
    }

    /// The p-value of a score, in (0, 1]. NaN counts as stranger than everything.
    #[must_use]
    pub fn p_value(&self, score: f64) -> f64 {
        let below = self.scores.partition_point(|known| *known < score);
        self.p_values[if score.is_nan() { self.scores.len() } else { below }]
    }

    /// The largest score that is still inside the distribution at level `alpha`: `p ≤ alpha` holds for
    /// exactly those scores that are **greater**. `None` where no score could raise an alarm.
    ///
    /// (Among real numbers there is no smallest score with `p ≤ alpha`: that set is open. Its infimum, a calibration
    /// score, is what this returns.)
    #[must_use]
    pub fn threshold(&self, alpha: f64) -> Option<f64> {
        let first = self.p_values[1..].partition_point(|p_value| *p_value > alpha);
        self.scores.get(first).copied()
    }
}

fn check_finite(scores: &[f64], vector: impl FnOnce() -> String) -> Result<()> {
    match scores.iter().position(|score| !score.is_finite()) {
        Some(position) => {
            Err(Error::NotFinite { vector: vector(), position, value: scores[position] })
        }
        None => Ok(()),
    }
}

/// `(1 + what is at least as strange) / (units + 1)`.
fn marginal(at_least: impl Iterator<Item = f64>, units: usize) -> Vec<f64> {
    // A whole group's weights may add up to a little more than 1.
    at_least.map(|at_least| ((1.0 + at_least) / (units + 1) as f64).min(1.0)).collect()
}

/// `1 − a_j` for j = 0 … n, see [the module](super).
fn simes(images: usize, delta: f64) -> Vec<f64> {
    let k = images / 2;
    let mut log_factorial = vec![0.0];
    for m in 1..=images {
        log_factorial.push(log_factorial[m - 1] + (m as f64).ln());
    }
    let last = log_factorial[images] - log_factorial[images - k];
    let p_value = |j: usize| {
        if j < k.max(1) || k == 0 {
            return 1.0;
        }
        let product = log_factorial[j] - log_factorial[j - k];
        // Without the digits that the difference would lose where a_j is near 1: never 0.
        -((delta.ln() + (product - last)) / k as f64).exp_m1()
    };
    (0..=images).map(p_value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marginal_of(values: impl IntoIterator<Item = u32>) -> PValues {
        let scores = values.into_iter().map(f64::from).collect();
        PValues::of_images(scores, PValueKind::Marginal).unwrap()
    }

    #[test]
    fn p_value_counts_ties_as_at_least_as_strange() {
        let calibration = marginal_of([1, 2, 2, 3]);
        assert_eq!(calibration.p_value(0.0), 1.0);
        assert_eq!(calibration.p_value(2.0), 4.0 / 5.0);
        assert_eq!(calibration.p_value(2.5), 2.0 / 5.0);
        assert_eq!(calibration.p_value(9.0), 1.0 / 5.0);
        for strangest in [f64::INFINITY, f64::NAN] {
            assert_eq!(calibration.p_value(strangest), 0.2);
        }
        assert_eq!(calibration.p_value(f64::NEG_INFINITY), 1.0);
        assert_eq!(marginal_of([]).p_value(1e9), 1.0);
    }

    #[test]
    fn threshold_separates_exactly_where_p_reaches_alpha() {
        // 99 scores and 29 %: 0.29 · 100 is 28.999… in floating point, yet p = 29/100 ≤ 0.29 holds.
        assert_eq!(marginal_of(1..=99).threshold(0.29), Some(71.0));
        assert_eq!(marginal_of(1..=18).threshold(0.05), None);
        let tied = marginal_of([5; 30]);
        assert_eq!((tied.threshold(0.5), tied.p_value(5.0)), (Some(5.0), 1.0));
    }

    #[test]
    fn a_group_of_many_images_weighs_no_more_than_one_of_few() {
        let scores = PValues::of_groups(&[vec![1.0; 100], vec![3.0]]).unwrap();
        assert_eq!(scores.p_value(2.0), 2.0 / 3.0);
        assert_eq!(scores.p_value(4.0), 1.0 / 3.0);
        assert_eq!(scores.p_value(f64::NAN), 1.0 / 3.0);
        assert!((scores.p_value(0.0) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn above_the_threshold_of_groups_is_where_p_is_at_most_alpha() {
        let group = |g: u32| (0..=g % 4).map(|i| f64::from((7 * g + 3 * i) % 23)).collect();
        let scores = PValues::of_groups(&(0..40).map(group).collect::<Vec<Vec<f64>>>()).unwrap();
        for alpha in [0.03, 0.05, 0.2, 0.9] {
            let threshold = scores.threshold(alpha).unwrap();
            assert!(scores.p_value(threshold) > alpha, "{alpha}");
            assert!(scores.p_value(threshold.next_up()) <= alpha, "{alpha}");
        }
    }

    #[test]
    fn eight_groups_can_never_alarm_at_five_percent() {
        let of = |groups| PValues::of_groups(&vec![vec![0.0; 8]; groups]).unwrap().threshold(0.05);
        assert_eq!((of(0), of(8), of(18), of(19)), (None, None, None, Some(0.0)));
    }

    #[test]
    fn what_gives_no_p_values_is_refused() {
        for bad in [f64::NAN, f64::INFINITY] {
            let error = PValues::of_images(vec![1.0, bad], PValueKind::Marginal).unwrap_err();
            assert!(matches!(error, Error::NotFinite { position: 1, .. }), "{error}");
        }
        assert!(PValues::of_images(vec![1.0], PValueKind::Simes { delta: 0.0 }).is_err());
        assert!(PValues::of_groups(&[vec![1.0], vec![]]).is_err());
        assert!(PValues::of_groups(&[vec![1.0], vec![f64::NAN]]).is_err());
    }
}

//! The scores of a calibration, and what is read off them.

use crate::error::{Error, Result, check_open_unit};

/// The scores of the calibration images: finite, ascending.
#[derive(Debug, Clone, PartialEq)]
pub struct CalibrationScores(Vec<f64>);

impl CalibrationScores {
    /// Sorts `scores`.
    ///
    /// # Errors
    ///
    /// [`Error::NotFinite`] if one of them is NaN or infinite.
    pub fn new(mut scores: Vec<f64>) -> Result<Self> {
        if let Some(position) = scores.iter().position(|score| !score.is_finite()) {
            let vector = "the calibration's scores".into();
            return Err(Error::NotFinite { vector, position, value: scores[position] });
        }
        scores.sort_unstable_by(f64::total_cmp);
        Ok(Self(scores))
    }

    /// The scores, ascending.
    #[must_use]
    pub fn as_slice(&self) -> &[f64] {
        &self.0
    }

    /// The number `n` of calibration images.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no calibration image at all; every p-value is then 1.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `#{i : s_i ≥ score}`, by binary search. NaN counts as stranger than everything.
    #[must_use]
    pub fn count_at_least(&self, score: f64) -> usize {
        if score.is_nan() {
            return 0;
        }
        self.0.len() - self.0.partition_point(|calibration| *calibration < score)
    }

    /// The marginal conformal p-value `(1 + #{s_i ≥ score}) / (n + 1)`, in (0, 1].
    #[must_use]
    pub fn p_value(&self, score: f64) -> f64 {
        marginal(self.count_at_least(score), self.0.len())
    }

    /// The largest score that is still inside the distribution at level `alpha`: `p ≤ alpha` holds
    /// for exactly those scores that are **greater** than the threshold.
    ///
    /// (Among real numbers there is no smallest score with `p ≤ alpha`: that set is open. Its
    /// infimum, a calibration score, is what this returns.)
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`], or [`Error::CalibrationTooSmall`] when `1/(n + 1) > alpha`,
    /// where no score at all could raise an alarm.
    pub fn threshold(&self, alpha: f64) -> Result<f64> {
        check_open_unit("alpha", alpha)?;
        let images = self.0.len();
        self.threshold_of(alpha, |count| marginal(count, images)).ok_or_else(|| {
            Error::CalibrationTooSmall {
                images,
                alpha,
                p_value: "marginal".into(),
                required: required_calibration_images(alpha),
            }
        })
    }

    /// The same for a p-value that grows with the count of scores at or above; `None` where no score at
    /// all could raise an alarm.
    pub(super) fn threshold_of(&self, alpha: f64, p_value: impl Fn(usize) -> f64) -> Option<f64> {
        let images = self.0.len();
        if images == 0 || p_value(0) > alpha {
            return None;
        }
        // The largest count of calibration scores at or above an out-of-distribution score, found with
        // the very numbers that the p-value itself is, so that rounding decides alike in both.
        let (mut low, mut high) = (0, images - 1);
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            if p_value(middle) <= alpha { low = middle } else { high = middle - 1 }
        }
        Some(self.0[images - 1 - low])
    }
}

pub(crate) fn marginal(count_at_least: usize, images: usize) -> f64 {
    (1 + count_at_least) as f64 / (images + 1) as f64
}

/// The smallest number of calibration images with which an alarm at level `alpha` is possible:
/// the smallest `n` with `1/(n + 1) ≤ alpha`; 19 at 5 %, 99 at 1 %.
#[must_use]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "at least 1, and a number past usize is cut to its largest"
)]
pub fn required_calibration_images(alpha: f64) -> usize {
    let mut images = (1.0 / alpha - 1.0).floor().max(1.0) as usize;
    while images < usize::MAX - 1 && marginal(0, images) > alpha {
        images += 1;
    }
    images
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(values: impl IntoIterator<Item = u32>) -> CalibrationScores {
        CalibrationScores::new(values.into_iter().map(f64::from).collect()).unwrap()
    }

    #[test]
    fn p_value_counts_ties_as_at_least_as_strange() {
        let calibration = scores([1, 2, 2, 3]);
        assert_eq!(calibration.p_value(0.0), 1.0);
        assert_eq!(calibration.p_value(2.0), 4.0 / 5.0);
        assert_eq!(calibration.p_value(2.5), 2.0 / 5.0);
        assert_eq!(calibration.p_value(9.0), 1.0 / 5.0);
    }

    #[test]
    fn infinite_and_nan_scores_are_the_strangest() {
        let calibration = scores(1..=4);
        assert_eq!(calibration.p_value(f64::INFINITY), 0.2);
        assert_eq!(calibration.p_value(f64::NAN), 0.2);
        assert_eq!(calibration.p_value(f64::NEG_INFINITY), 1.0);
    }

    #[test]
    fn no_calibration_gives_p_of_one() {
        assert_eq!(scores([]).p_value(1e9), 1.0);
    }

    #[test]
    fn threshold_separates_exactly_where_p_reaches_alpha() {
        // 99 scores and 29 %: 0.29 · 100 is 28.999… in floating point, yet p = 29/100 ≤ 0.29 holds.
        for (images, alpha) in
            [(19, 0.05), (99, 0.01), (99, 0.29), (99, 0.07), (40, 0.5), (7, 0.999)]
        {
            let calibration = scores(1..=images);
            let threshold = calibration.threshold(alpha).unwrap();
            assert!(calibration.p_value(threshold) > alpha, "n {images} alpha {alpha}");
            assert!(calibration.p_value(threshold.next_up()) <= alpha, "n {images} alpha {alpha}");
        }
        assert_eq!(scores(1..=99).threshold(0.29).unwrap(), 71.0);
    }

    #[test]
    fn threshold_of_tied_scores_alarms_above_all_of_them() {
        let calibration = scores([5; 30]);
        assert_eq!(calibration.threshold(0.5).unwrap(), 5.0);
        assert_eq!(calibration.p_value(5.0), 1.0);
    }

    #[test]
    fn a_calibration_too_small_for_alpha_says_how_many_it_takes() {
        let error = scores(1..=18).threshold(0.05).unwrap_err();
        assert!(matches!(error, Error::CalibrationTooSmall { images: 18, required: 19, .. }));
        assert!(error.to_string().contains("at least 19"), "{error}");
        assert!(matches!(scores([]).threshold(0.05), Err(Error::CalibrationTooSmall { .. })));
    }

    #[test]
    fn required_images_is_the_smallest_sufficient_number() {
        assert_eq!(required_calibration_images(0.05), 19);
        assert_eq!(required_calibration_images(0.01), 99);
        for alpha in [0.9, 0.5, 0.3, 0.1, 0.07, 0.003, 1e-4] {
            let images = required_calibration_images(alpha);
            assert!(marginal(0, images) <= alpha);
            assert!(images == 1 || marginal(0, images - 1) > alpha, "alpha {alpha}: {images}");
        }
        assert!(required_calibration_images(f64::MIN_POSITIVE) > 1_000_000);
    }

    #[test]
    fn alpha_outside_the_open_unit_interval_is_refused() {
        for alpha in [0.0, 1.0, -0.1, 2.0, f64::NAN, f64::INFINITY] {
            assert!(matches!(scores(1..=99).threshold(alpha), Err(Error::InvalidArgument { .. })));
        }
    }

    #[test]
    fn scores_that_are_not_finite_are_refused() {
        for bad in [f64::NAN, f64::INFINITY] {
            let error = CalibrationScores::new(vec![1.0, bad]).unwrap_err();
            assert!(matches!(error, Error::NotFinite { position: 1, .. }), "{error}");
        }
    }
}

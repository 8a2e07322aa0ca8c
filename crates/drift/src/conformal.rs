//! Conformal p-values: how strange is a score among the scores of images that are known to be fine?
//!
//! Let `s_1 … s_n` be the scores of `n` calibration images that were held out of the reference, a
//! larger score being stranger. The p-value of a new score `s` is
//!
//! ```text
//! p = (1 + #{i : s_i ≥ s}) / (n + 1)
//! ```
//!
//! If the new image is exchangeable with the calibration images, then `P(p ≤ α) ≤ α`, on average
//! over calibration sets: calling an image out of distribution when `p ≤ α` raises a false alarm
//! on a share α of good images at most. `p` is never 0 and never above 1.
//!
//! Given *one* calibration set the false-alarm rate is itself random, with the distribution
//! `Beta(a, n + 1 − a)`, `a = ⌊α(n + 1)⌋`. [`SimesCorrection`] and [`dkwm_p_value`] enlarge `p` so
//! that the guarantee holds for the calibration at hand with probability `1 − δ`. Which of them a store
//! uses is a [`PValueKind`].
//!
//! Source: Bates, Candès, Lei, Romano, Sesia, “Testing for outliers with conformal p-values”,
//! Annals of Statistics 51(1), 2023.

use crate::error::{Error, Result};
use crate::p_value::PValueKind;

/// The scores of the calibration images: finite, ascending.
#[derive(Debug, Clone, PartialEq)]
pub struct CalibrationScores(Vec<f64>);

impl CalibrationScores {
    /// Sorts `scores`.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidCalibration`] if one of them is NaN or infinite.
    pub fn new(mut scores: Vec<f64>) -> Result<Self> {
        if let Some(position) = scores.iter().position(|score| !score.is_finite()) {
            return Err(Error::InvalidCalibration {
                field: format!("scores[{position}].score"),
                expected: "a finite number".into(),
                found: scores[position].to_string(),
            });
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
    /// [`Error::InvalidAlpha`], or [`Error::CalibrationTooSmall`] when `1/(n + 1) > alpha`,
    /// where no score at all could raise an alarm.
    pub fn threshold(&self, alpha: f64) -> Result<f64> {
        check_alpha(alpha)?;
        let images = self.0.len();
        self.threshold_of(alpha, |count| marginal(count, images)).ok_or_else(|| {
            Error::CalibrationTooSmall {
                images,
                alpha,
                p_value: PValueKind::Marginal,
                required: required_calibration_images(alpha),
            }
        })
    }

    /// The same for a p-value that grows with the count of scores at or above; `None` where no score at
    /// all could raise an alarm.
    pub(crate) fn threshold_of(&self, alpha: f64, p_value: impl Fn(usize) -> f64) -> Option<f64> {
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

/// # Errors
///
/// [`Error::InvalidAlpha`] unless `0 < alpha < 1`.
pub fn check_alpha(alpha: f64) -> Result<()> {
    if alpha > 0.0 && alpha < 1.0 { Ok(()) } else { Err(Error::InvalidAlpha { found: alpha }) }
}

/// The calibration-conditional p-value by the generalised Simes inequality.
///
/// With probability `1 − δ` over the calibration set, `P(p′ ≤ t | calibration) ≤ t` for all `t`:
///
/// ```text
/// k   = ⌊n/2⌋
/// a_i = 0                                                         for i < k
/// a_i = δ^{1/k} · (∏_{m=i−k+1..i} m / ∏_{m=n−k+1..n} m)^{1/k}     for i ≥ k
/// p′  = 1 − a_j,   j = max(1, n − #{s_i ≥ s})
/// ```
///
/// The source writes `j = max(1, ⌊(n + 1)(1 − p)⌋)`, which is the same number in exact arithmetic;
/// in floating point the floor falls one short at many ranks, so `j` is computed from the count.
#[derive(Debug, Clone, PartialEq)]
pub struct SimesCorrection {
    bounds: Vec<f64>,
    /// `1 − a_i`, without the digits that the difference loses where `a_i` is near 1: never 0.
    p_values: Vec<f64>,
}

impl SimesCorrection {
    /// Prepares the bounds `a_1 … a_n` for `images` = n calibration images.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidDelta`] unless `0 < delta < 1`; [`Error::TooFewForSimes`] for fewer
    /// than two images.
    pub fn new(images: usize, delta: f64) -> Result<Self> {
        check_delta(delta)?;
        let k = images / 2;
        if k == 0 {
            return Err(Error::TooFewForSimes { images });
        }
        let mut log_factorial = Vec::with_capacity(images + 1);
        log_factorial.push(0.0);
        for m in 1..=images {
            log_factorial.push(log_factorial[m - 1] + (m as f64).ln());
        }
        let last = log_factorial[images] - log_factorial[images - k];
        let log_bound = |i: usize| {
            if i < k {
                return f64::NEG_INFINITY;
            }
            let product = log_factorial[i] - log_factorial[i - k];
            (delta.ln() + (product - last)) / k as f64
        };
        let log_bounds = (1..=images).map(log_bound);
        Ok(Self {
            bounds: log_bounds.clone().map(f64::exp).collect(),
            p_values: log_bounds.map(|log_bound| -log_bound.exp_m1()).collect(),
        })
    }

    /// `a_1 … a_n`; the first element is `a_1`.
    #[must_use]
    pub fn bounds(&self) -> &[f64] {
        &self.bounds
    }

    /// `p′` of a score that `count_at_least` calibration scores reach or exceed.
    #[must_use]
    pub fn p_value(&self, count_at_least: usize) -> f64 {
        let rank = self.p_values.len().saturating_sub(count_at_least).max(1);
        self.p_values[rank - 1]
    }

    /// The smallest p-value that this correction can give, `1 − δ^{1/k}`: at δ = 0.01 it is 0.090
    /// for n = 99 and 0.045 for n = 200. A level below it never raises an alarm.
    #[must_use]
    pub fn smallest_p_value(&self) -> f64 {
        self.p_value(0)
    }
}

/// `ε = √(ln(2/δ) / 2n)`, the half width of the Dvoretzky–Kiefer–Wolfowitz–Massart band.
///
/// # Errors
///
/// [`Error::InvalidDelta`] unless `0 < delta < 1`.
pub fn dkwm_epsilon(images: usize, delta: f64) -> Result<f64> {
    check_delta(delta)?;
    Ok(((2.0 / delta).ln() / (2.0 * images as f64)).sqrt())
}

/// The calibration-conditional p-value `min(1, p + ε)` with `ε` from [`dkwm_epsilon`].
#[must_use]
pub fn dkwm_p_value(marginal_p_value: f64, epsilon: f64) -> f64 {
    (marginal_p_value + epsilon).min(1.0)
}

pub(crate) fn check_delta(delta: f64) -> Result<()> {
    if delta > 0.0 && delta < 1.0 { Ok(()) } else { Err(Error::InvalidDelta { found: delta }) }
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
            assert!(matches!(scores(1..=99).threshold(alpha), Err(Error::InvalidAlpha { .. })));
        }
    }

    #[test]
    fn scores_that_are_not_finite_are_refused() {
        for bad in [f64::NAN, f64::INFINITY] {
            let error = CalibrationScores::new(vec![1.0, bad]).unwrap_err();
            assert!(error.to_string().contains("scores[1]"), "{error}");
        }
    }

    #[test]
    fn simes_cannot_reach_five_percent_with_99_images() {
        let smallest = |n| SimesCorrection::new(n, 0.01).unwrap().smallest_p_value();
        assert!((smallest(99) - 0.0897).abs() < 1e-4);
        assert!((smallest(200) - 0.0450).abs() < 1e-4);
        assert!(SimesCorrection::new(1, 0.01).is_err());
        assert!(SimesCorrection::new(10, 0.0).is_err());
    }
}

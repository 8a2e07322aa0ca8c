//! The false-alarm rate of one calibration.
//!
//! An image is called out of distribution when its conformal p-value is at most α, that is, when its score exceeds
//! the `a`-th largest of `n` calibration scores, `a = ⌊α(n + 1)⌋`. Over calibrations this happens to a good image
//! with probability `a/(n + 1) ≤ α`; with one calibration it happens at a rate that was drawn once, from
//!
//! ```text
//! Beta(a, n + 1 − a)
//! ```
//!
//! where scores do not tie, and from a distribution below that one where they do. Whoever counts alarms over time
//! counts with this rate, not with α: at n = 360 and α = 5 % one calibration in forty has a rate above 7.4 %.
//!
//! Source: Bates, Candès, Lei, Romano, Sesia, “Testing for outliers with conformal p-values”, Annals of Statistics
//! 51(1), 2023, section 2.2; the Beta law goes back to Vovk, “Conditional validity of inductive conformal
//! predictors”, 2012.

use serde::Serialize;

use super::p_value::PValueKind;
use super::scores::required_calibration_images;
use crate::distributions::{BetaBinomial, beta_upper_quantile};
use crate::error::{Error, Result, check_open_unit};

/// The distribution of the false-alarm rate over calibrations, Beta(a, n + 1 − a).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ConditionalRate {
    a: usize,
    b: usize,
}

impl ConditionalRate {
    /// Of `n_cal` calibration images and alarms at `p ≤ alpha`.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`]; [`Error::CalibrationTooSmall`] where no score could raise an alarm.
    pub fn new(n_cal: usize, alpha: f64) -> Result<Self> {
        check_open_unit("alpha", alpha)?;
        // The division which the p-value itself does, so that ⌊α(n + 1)⌋ is right where the product is rounded.
        let reaches = |a: usize| a as f64 / (n_cal + 1) as f64 <= alpha;
        let (mut low, mut high) = (0, n_cal);
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            if reaches(middle) { low = middle } else { high = middle - 1 }
        }
        if low == 0 {
            let required = required_calibration_images(alpha);
            let p_value = PValueKind::Marginal.to_string();
            return Err(Error::CalibrationTooSmall { images: n_cal, alpha, p_value, required });
        }
        Ok(Self { a: low, b: n_cal + 1 - low })
    }

    /// `a = ⌊α(n + 1)⌋`.
    #[must_use]
    pub fn a(&self) -> usize {
        self.a
    }

    /// `n + 1 − a`.
    #[must_use]
    pub fn b(&self) -> usize {
        self.b
    }

    /// The mean `a/(n + 1)`: at most α, and below it where `α(n + 1)` is not whole.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.a as f64 / (self.a + self.b) as f64
    }

    /// The rate that a calibration exceeds with probability `delta` at most: the `1 − delta` quantile.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] unless `0 < delta < 1`.
    pub fn upper_bound(&self, delta: f64) -> Result<f64> {
        check_open_unit("delta", delta)?;
        beta_upper_quantile(self.a as f64, self.b as f64, delta)
    }

    /// How many of `window` good images are called out of distribution.
    ///
    /// # Errors
    ///
    /// None: both shapes are at least 1. (The type of [`BetaBinomial::new`] is kept.)
    pub fn count_in_window(&self, window: usize) -> Result<BetaBinomial> {
        BetaBinomial::new(window, self.a, self.b)
    }
}

/// The false-alarm rate that a calibration of `n_cal` images exceeds with probability `delta_calibration` at most:
/// the `1 − delta_calibration` quantile of Beta(a, n + 1 − a), `a = ⌊alpha·(n + 1)⌋`.
///
/// # Errors
///
/// As [`ConditionalRate::new`] and [`ConditionalRate::upper_bound`].
pub fn conditional_rate_bound(n_cal: usize, alpha: f64, delta_calibration: f64) -> Result<f64> {
    ConditionalRate::new(n_cal, alpha)?.upper_bound(delta_calibration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_is_the_floor_in_exact_arithmetic() {
        for (n_cal, alpha, a) in
            [(19, 0.05, 1), (99, 0.29, 29), (99, 0.07, 7), (360, 0.05, 18), (5000, 0.01, 50)]
        {
            let rate = ConditionalRate::new(n_cal, alpha).unwrap();
            assert_eq!((rate.a(), rate.a() + rate.b()), (a, n_cal + 1), "{n_cal} {alpha}");
        }
    }

    #[test]
    fn a_calibration_that_cannot_alarm_is_refused() {
        let error = ConditionalRate::new(18, 0.05).unwrap_err();
        assert!(matches!(error, Error::CalibrationTooSmall { required: 19, .. }));
        assert!(matches!(ConditionalRate::new(0, 0.5), Err(Error::CalibrationTooSmall { .. })));
        assert!(matches!(ConditionalRate::new(99, 1.0), Err(Error::InvalidArgument { .. })));
    }

    #[test]
    fn the_bound_is_above_the_mean_and_nears_it() {
        let bound = |n_cal| conditional_rate_bound(n_cal, 0.05, 0.025).unwrap();
        assert!((bound(360) - 0.0745324620251499).abs() < 1e-9);
        assert!(bound(99) > bound(360) && bound(360) > bound(5000) && bound(5000) > 0.05);
        assert!(conditional_rate_bound(99, 0.05, 0.0).is_err());
    }
}

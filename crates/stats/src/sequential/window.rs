//! The share of out-of-distribution images in a window, and whether chance explains it.
//!
//! Without drift the number K of images called out of distribution among `W` is beta-binomial,
//!
//! ```text
//! K ~ BetaBinomial(W, a, n + 1 − a),   a = ⌊α(n + 1)⌋
//! ```
//!
//! since all of them are compared with the same `n` calibration scores. It spreads further than the binomial
//! distribution with the rate α: a binomial test of size 1 % alarms 5.8 % of the time at n = 360, W = 500, and
//! 16.7 % at W = 2000.
//!
//! The test is for a window that was chosen beforehand. Windows that overlap are repeated tests of the same images.

use serde::Serialize;

use crate::conformal::ConditionalRate;
use crate::distributions::{BetaBinomial, beta_quantile, beta_upper_quantile};
use crate::error::check_open_unit;
use crate::error::{Error, Result};

/// An interval of shares, both ends within [0, 1].
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// The exact interval of Clopper and Pearson (1934) for the probability behind `count` successes among `n`
/// independent trials, which contains it with probability `1 − alpha` at least:
///
/// ```text
/// low  = the alpha/2 quantile of Beta(count, n − count + 1),        0 where count = 0
/// high = the 1 − alpha/2 quantile of Beta(count + 1, n − count),    1 where count = n
/// ```
///
/// # Errors
///
/// [`Error::InvalidArgument`] where `count` exceeds `n`, or unless `0 < alpha < 1`.
pub fn clopper_pearson(count: usize, n: usize, alpha: f64) -> Result<Interval> {
    check_open_unit("alpha", alpha)?;
    if count > n {
        return Err(Error::invalid_argument("count", "no more than the number of trials", count));
    }
    let (successes, failures) = (count as f64, (n - count) as f64);
    let low = match count {
        0 => 0.0,
        _ => beta_quantile(successes, failures + 1.0, alpha / 2.0)?,
    };
    let high = match n - count {
        0 => 1.0,
        _ => beta_upper_quantile(successes + 1.0, failures, alpha / 2.0)?,
    };
    Ok(Interval { low, high })
}

/// The test of a window of fixed size against a calibration.
#[derive(Debug, Clone, PartialEq)]
pub struct WindowTest {
    count: BetaBinomial,
}

impl WindowTest {
    /// Of `window` images, each called out of distribution at `p ≤ alpha` by `n_cal` calibration images. Takes
    /// O(window) time once.
    ///
    /// # Errors
    ///
    /// As [`ConditionalRate::new`].
    pub fn new(n_cal: usize, alpha: f64, window: usize) -> Result<Self> {
        let count = ConditionalRate::new(n_cal, alpha)?.count_in_window(window)?;
        Ok(Self { count })
    }

    /// The number of images of the window.
    #[must_use]
    pub fn window(&self) -> usize {
        self.count.trials()
    }

    /// `P(K ≥ count)` without drift.
    #[must_use]
    pub fn upper_tail(&self, count: usize) -> f64 {
        self.count.upper_tail(count)
    }

    /// The smallest count that raises the alarm in a test of this size; `window + 1` where none does.
    #[must_use]
    pub fn cutoff(&self, size: f64) -> usize {
        self.count.cutoff(size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_full_of_strange_images_alarms_and_its_p_value_is_not_zero() {
        let test = WindowTest::new(5000, 0.05, 2000).unwrap();
        let p_value = test.upper_tail(2000);
        assert!(p_value > 0.0 && p_value < 1e-300 && test.cutoff(0.01) <= 2000);
        assert_eq!(clopper_pearson(2000, 2000, 0.05).unwrap().high, 1.0);
        assert_eq!(test.upper_tail(0), 1.0);
    }

    #[test]
    fn an_empty_window_says_nothing() {
        let test = WindowTest::new(99, 0.05, 0).unwrap();
        assert_eq!((test.window(), test.upper_tail(0), test.cutoff(0.01)), (0, 1.0, 1));
        assert_eq!(clopper_pearson(0, 0, 0.05).unwrap(), Interval { low: 0.0, high: 1.0 });
    }

    #[test]
    fn a_wider_confidence_gives_a_wider_interval() {
        let [usual, wide] = [0.05, 0.001].map(|alpha| clopper_pearson(12, 100, alpha).unwrap());
        assert!(wide.low < usual.low && usual.high < wide.high);
    }

    #[test]
    fn impossible_counts_and_levels_are_refused() {
        let code = |count, alpha| clopper_pearson(count, 100, alpha).unwrap_err().to_string();
        assert!(code(101, 0.05).contains("`count`"));
        assert!(code(5, 0.0).contains("`alpha`") && code(5, 1.5).contains("`alpha`"));
    }
}

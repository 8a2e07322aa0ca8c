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

use super::check_open_unit;
use super::conditional_rate::ConditionalRate;
use super::distributions::{BetaBinomial, beta_quantile, beta_upper_quantile};
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
    confidence_alpha: f64,
}

/// What a [`WindowTest`] says of one window.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct WindowVerdict {
    /// Images in the window that are out of distribution.
    pub count: usize,
    /// Images in the window.
    pub window: usize,
    /// `count / window`; 0 for an empty window.
    pub share: f64,
    /// Clopper–Pearson interval of the share.
    pub interval: Interval,
    /// `P(K ≥ count)` without drift, in (0, 1].
    pub p_value: f64,
    /// The smallest count that raises the alarm; `window + 1` where none does.
    pub cutoff: usize,
    /// Whether `p_value` is at most the size of the test, that is, `count` at least `cutoff`.
    pub alarm: bool,
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
        Ok(Self { count, confidence_alpha: 0.05 })
    }

    /// With intervals of another confidence, `1 − alpha`, than 95 %.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] unless `0 < alpha < 1`.
    pub fn with_interval(self, alpha: f64) -> Result<Self> {
        check_open_unit("alpha", alpha)?;
        Ok(Self { confidence_alpha: alpha, ..self })
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

    /// Tests a window that has `count` images out of distribution; `size` is the probability of a false alarm.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] where `count` exceeds the window, or unless `0 < size < 1`.
    pub fn test(&self, count: usize, size: f64) -> Result<WindowVerdict> {
        check_open_unit("size", size)?;
        let window = self.window();
        let interval = clopper_pearson(count, window, self.confidence_alpha)?;
        let (p_value, cutoff) = (self.upper_tail(count), self.cutoff(size));
        let share = if window == 0 { 0.0 } else { count as f64 / window as f64 };
        Ok(WindowVerdict {
            count,
            window,
            share,
            interval,
            p_value,
            cutoff,
            alarm: count >= cutoff,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_full_of_strange_images_alarms_and_its_p_value_is_not_zero() {
        let test = WindowTest::new(5000, 0.05, 2000).unwrap();
        let verdict = test.test(2000, 0.01).unwrap();
        assert!(verdict.alarm && verdict.p_value > 0.0 && verdict.p_value < 1e-300);
        assert_eq!((verdict.share, verdict.interval.high), (1.0, 1.0));
        assert_eq!(test.test(0, 0.01).unwrap().p_value, 1.0);
    }

    #[test]
    fn an_empty_window_says_nothing() {
        let verdict = WindowTest::new(99, 0.05, 0).unwrap().test(0, 0.01).unwrap();
        assert!(!verdict.alarm);
        assert_eq!(verdict.interval, Interval { low: 0.0, high: 1.0 });
        assert_eq!((verdict.share, verdict.p_value, verdict.cutoff), (0.0, 1.0, 1));
    }

    #[test]
    fn a_wider_confidence_gives_a_wider_interval() {
        let test = WindowTest::new(360, 0.05, 100).unwrap();
        let usual = test.test(12, 0.01).unwrap().interval;
        let wide = test.with_interval(0.001).unwrap().test(12, 0.01).unwrap().interval;
        assert!(wide.low < usual.low && usual.high < wide.high);
    }

    #[test]
    fn impossible_counts_and_sizes_are_refused() {
        let test = WindowTest::new(360, 0.05, 100).unwrap();
        assert!(matches!(test.test(101, 0.01), Err(Error::InvalidArgument { name: "count", .. })));
        assert!(test.test(5, 1.0).is_err());
        assert!(clopper_pearson(1, 2, 0.0).is_err());
        assert!(test.with_interval(1.5).is_err());
    }
}

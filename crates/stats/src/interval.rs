//! The interval of a share.
//!
//! The incomplete beta function is that of the crate `statrs`, which agrees with Boost's to about 1e-11 relative.
//! Quantiles are found by bisection on it: it cannot fail to converge, and ends at neighboring floating-point numbers.

use serde::Serialize;
use statrs::function::beta::beta_reg;

use crate::error::{Error, Result, check_open_unit};

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
        _ => beta_quantile(successes, failures + 1.0, alpha / 2.0),
    };
    let high = match n - count {
        0 => 1.0,
        _ => beta_upper_quantile(successes + 1.0, failures, alpha / 2.0),
    };
    Ok(Interval { low, high })
}

/// The number that a Beta(a, b) variable stays below with the given probability, both shapes being positive.
pub(crate) fn beta_quantile(a: f64, b: f64, probability: f64) -> f64 {
    first_where(|x| beta_reg(a, b, x) >= probability)
}

/// The number that a Beta(a, b) variable exceeds with the given probability: [`beta_quantile`] of `1 − tail` without
/// that difference, whose rounding matters where `tail` is small.
fn beta_upper_quantile(a: f64, b: f64, tail: f64) -> f64 {
    first_where(|x| beta_reg(b, a, 1.0 - x) <= tail)
}

/// The smallest number in [0, 1] from which on `reached` holds.
fn first_where(reached: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    loop {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high {
            return high;
        }
        if reached(middle) { high = middle } else { low = middle }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_scipy() {
        for (a, b, probability, expected) in [
            (18.0, 343.0, 0.975, 0.0745324620251499),
            (250.0, 4751.0, 0.005, 0.04239266298231206),
            (5e4, 9.5e5, 0.999, 0.05067606474055843),
            (2.0, 98.0, 0.5, 0.01689504857789742),
            (1e5, 3.0, 0.975, 0.9999938133597748),
        ] {
            let found = beta_quantile(a, b, probability);
            assert!((found / expected - 1.0_f64).abs() < 1e-9, "{found} {expected}");
            let upper = beta_upper_quantile(a, b, 1.0 - probability);
            assert!((upper / expected - 1.0_f64).abs() < 1e-9, "{upper} {expected}");
        }
        // P(X > x) = (1 − x)³ for Beta(1, 3).
        let rare = beta_upper_quantile(1.0, 3.0, 1e-30);
        assert!((1.0 - rare - 1e-10_f64).abs() < 1e-15);
    }

    #[test]
    fn what_has_no_interval_is_refused() {
        assert!(clopper_pearson(3, 2, 0.05).is_err());
        assert!(clopper_pearson(1, 2, 1.0).is_err());
    }
}

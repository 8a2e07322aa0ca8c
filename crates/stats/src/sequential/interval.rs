//! The interval of a share.

use serde::Serialize;

use crate::distributions::{beta_quantile, beta_upper_quantile};
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
        _ => beta_quantile(successes, failures + 1.0, alpha / 2.0)?,
    };
    let high = match n - count {
        0 => 1.0,
        _ => beta_upper_quantile(successes + 1.0, failures, alpha / 2.0)?,
    };
    Ok(Interval { low, high })
}

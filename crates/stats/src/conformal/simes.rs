//! The generalized Simes correction.

use crate::error::{Error, Result, check_open_unit};

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
    /// [`Error::InvalidArgument`] unless `0 < delta < 1`, or for fewer than two images.
    pub fn new(images: usize, delta: f64) -> Result<Self> {
        check_open_unit("delta", delta)?;
        let k = images / 2;
        if k == 0 {
            return Err(Error::invalid_argument("images", "at least 2", images));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn simes_cannot_reach_five_percent_with_99_images() {
        let smallest = |n| SimesCorrection::new(n, 0.01).unwrap().smallest_p_value();
        assert!((smallest(99) - 0.0897).abs() < 1e-4);
        assert!((smallest(200) - 0.0450).abs() < 1e-4);
        assert!(SimesCorrection::new(1, 0.01).is_err());
        assert!(SimesCorrection::new(10, 0.0).is_err());
    }
}

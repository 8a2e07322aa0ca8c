//! The distributions that the statistics need: beta, chi-square and beta-binomial.
//!
//! The incomplete beta and gamma functions are those of the crate `statrs`, which agree with Boost's to about
//! 1e-11 relative. Quantiles are found by bisection on them: it cannot fail to converge, and ends at neighboring
//! floating-point numbers.

use statrs::function::{beta::beta_reg, gamma::gamma_ur};

use crate::error::{Error, Result, check_open_unit};

/// The distribution function of Beta(a, b) at `x`: the regularized incomplete beta function `I_x(a, b)`.
///
/// # Errors
///
/// [`Error::InvalidArgument`] unless `a` and `b` are positive and finite and `0 ≤ x ≤ 1`.
pub fn beta_cdf(a: f64, b: f64, x: f64) -> Result<f64> {
    check_shape("a", a)?;
    check_shape("b", b)?;
    if !(0.0..=1.0).contains(&x) {
        return Err(Error::invalid_argument("x", "a number from 0 to 1", x));
    }
    Ok(beta_reg(a, b, x))
}

/// The number that a Beta(a, b) variable stays below with the given probability.
///
/// # Errors
///
/// [`Error::InvalidArgument`] unless `a` and `b` are positive and finite and `0 < probability < 1`.
pub fn beta_quantile(a: f64, b: f64, probability: f64) -> Result<f64> {
    check_shape("a", a)?;
    check_shape("b", b)?;
    check_open_unit("probability", probability)?;
    Ok(first_where(|x| beta_reg(a, b, x) >= probability))
}

/// The number that a Beta(a, b) variable exceeds with the given probability: [`beta_quantile`] of `1 − tail` without
/// that difference, whose rounding matters where `tail` is small.
///
/// # Errors
///
/// As [`beta_quantile`].
pub fn beta_upper_quantile(a: f64, b: f64, tail: f64) -> Result<f64> {
    check_shape("a", a)?;
    check_shape("b", b)?;
    check_open_unit("tail", tail)?;
    Ok(first_where(|x| beta_reg(b, a, 1.0 - x) <= tail))
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

fn check_shape(name: &'static str, value: f64) -> Result<()> {
    if value > 0.0 && value.is_finite() {
        Ok(())
    } else {
        Err(Error::invalid_argument(name, "a positive number", value))
    }
}

/// `P(X ≥ statistic)` of a chi-square variable; 1 where it has no degrees of freedom.
///
/// # Errors
///
/// [`Error::InvalidArgument`] unless `statistic ≥ 0` and finite.
pub fn chi_square_upper_tail(statistic: f64, degrees_of_freedom: usize) -> Result<f64> {
    if !(statistic >= 0.0 && statistic.is_finite()) {
        let expected = "a number of at least 0";
        return Err(Error::invalid_argument("statistic", expected, statistic));
    }
    if degrees_of_freedom == 0 || statistic == 0.0 {
        return Ok(1.0);
    }
    Ok(gamma_ur(degrees_of_freedom as f64 / 2.0, statistic / 2.0).clamp(f64::MIN_POSITIVE, 1.0))
}

/// The beta-binomial distribution: the number of successes in `trials` whose common probability was drawn from
/// Beta(a, b), with whole `a` and `b`.
///
/// ```text
/// P(K = k) = C(trials, k) · B(k + a, trials − k + b) / B(a, b)
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct BetaBinomial {
    /// `P(K ≥ k)` for k = 0 … trials.
    upper_tails: Vec<f64>,
}

impl BetaBinomial {
    /// Tabulates the distribution: O(trials) time and memory.
    ///
    /// Neighboring probabilities have a rational ratio, so that the table needs no logarithm and is exact to about
    /// `trials · 1e-16` relative.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] where `a` or `b` is 0.
    pub fn new(trials: usize, a: usize, b: usize) -> Result<Self> {
        for (name, shape) in [("a", a), ("b", b)] {
            if shape == 0 {
                return Err(Error::invalid_argument(name, "a whole number of at least 1", shape));
            }
        }
        let [n, a, b] = [trials, a, b].map(|count| count as f64);
        // P(K = k + 1) / P(K = k): falls with k, since a and b are at least 1.
        let ratio = |k: f64| (n - k) * (k + a) / ((k + 1.0) * (n - k - 1.0 + b));
        let mode = (0..trials).position(|k| ratio(k as f64) <= 1.0).unwrap_or(trials);
        // In units of the largest, so that nothing overflows; what underflows is below 1e-308.
        let mut tails = vec![1.0_f64; trials + 1];
        for k in mode..trials {
            tails[k + 1] = tails[k] * ratio(k as f64);
        }
        for k in (0..mode).rev() {
            tails[k] = tails[k + 1] / ratio(k as f64);
        }
        // From the rare end, so that small numbers are summed first.
        for k in (0..trials).rev() {
            tails[k] += tails[k + 1];
        }
        let total = tails[0];
        for tail in &mut tails {
            // Every number of successes is possible, so no tail is 0.
            *tail = (*tail / total).max(f64::MIN_POSITIVE);
        }
        Ok(Self { upper_tails: tails })
    }

    /// The number of trials.
    #[must_use]
    pub fn trials(&self) -> usize {
        self.upper_tails.len() - 1
    }

    /// `P(K ≥ successes)`: in (0, 1] up to the number of trials (a probability below 2.2e-308 is given as that),
    /// 0 above.
    #[must_use]
    pub fn upper_tail(&self, successes: usize) -> f64 {
        self.upper_tails.get(successes).copied().unwrap_or(0.0)
    }

    /// The smallest number `c` of successes with `P(K ≥ c) ≤ size`; `trials + 1` where all of them are likelier.
    #[must_use]
    pub fn cutoff(&self, size: f64) -> usize {
        self.upper_tails.partition_point(|tail| *tail > size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beta_of_small_shapes_is_a_polynomial() {
        // I_x(2, 3) = 6x² − 8x³ + 3x⁴.
        for x in [0.0, 1e-6, 0.2, 0.5, 0.9, 1.0_f64] {
            let expected = 6.0 * x.powi(2) - 8.0 * x.powi(3) + 3.0 * x.powi(4);
            assert!((beta_cdf(2.0, 3.0, x).unwrap() - expected).abs() < 1e-13);
        }
    }

    #[test]
    fn quantiles_are_those_of_scipy() {
        for (a, b, probability, expected) in [
            (18.0, 343.0, 0.975, 0.0745324620251499),
            (250.0, 4751.0, 0.005, 0.04239266298231206),
            (5e4, 9.5e5, 0.999, 0.05067606474055843),
            (2.0, 98.0, 0.5, 0.01689504857789742),
            (1e5, 3.0, 0.975, 0.9999938133597748),
        ] {
            let found = beta_quantile(a, b, probability).unwrap();
            assert!((found / expected - 1.0_f64).abs() < 1e-9, "{found} {expected}");
            let upper = beta_upper_quantile(a, b, 1.0 - probability).unwrap();
            assert!((upper / expected - 1.0_f64).abs() < 1e-9, "{upper} {expected}");
        }
        // P(X > x) = (1 − x)³ for Beta(1, 3).
        let rare = beta_upper_quantile(1.0, 3.0, 1e-30).unwrap();
        assert!((1.0 - rare - 1e-10_f64).abs() < 1e-15);
    }

    #[test]
    fn chi_square_tails_are_those_of_scipy() {
        for (statistic, degrees, expected) in [
            (3.84, 1, 0.05004352124870519),
            (50.0, 2, 1.3887943864964e-11),
            (700.0, 7, 6.896512574090415e-147),
            (1100.0, 999, 0.013818467525532353),
        ] {
            let found = chi_square_upper_tail(statistic, degrees).unwrap();
            assert!((found / expected - 1.0_f64).abs() < 1e-9, "{found} {expected}");
        }
        assert_eq!(chi_square_upper_tail(0.0, 3).unwrap(), 1.0);
        assert_eq!(chi_square_upper_tail(5.0, 0).unwrap(), 1.0);
        assert!(chi_square_upper_tail(1e6, 3).unwrap() > 0.0);
    }

    #[test]
    fn uniform_shapes_make_all_counts_equally_likely() {
        let distribution = BetaBinomial::new(4, 1, 1).unwrap();
        for k in 0..=4 {
            assert!((distribution.upper_tail(k) - (5 - k) as f64 / 5.0).abs() < 1e-15);
        }
        assert_eq!(distribution.upper_tail(5), 0.0);
        assert_eq!(distribution.cutoff(0.5), 3);
        assert_eq!(distribution.cutoff(0.1), 5);
        assert_eq!(distribution.cutoff(1.0), 0);
    }

    #[test]
    fn no_trials_and_absurd_counts_are_sound() {
        assert_eq!(BetaBinomial::new(0, 5, 95).unwrap().upper_tail(0), 1.0);
        let extreme = BetaBinomial::new(2000, 250, 4751).unwrap();
        assert!(extreme.upper_tail(2000) > 0.0);
        assert!(BetaBinomial::new(3, 0, 5).is_err());
    }

    #[test]
    fn what_is_no_distribution_is_refused() {
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(beta_quantile(bad, 1.0, 0.5).is_err());
            assert!(beta_cdf(1.0, bad, 0.5).is_err());
        }
        assert!(beta_cdf(1.0, 1.0, 1.1).is_err());
        assert!(beta_quantile(1.0, 1.0, 1.0).is_err());
        assert!(chi_square_upper_tail(f64::NAN, 1).is_err());
    }
}

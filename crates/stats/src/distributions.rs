//! The distributions that the statistics need: beta, chi-square and Student's t.
//!
//! The incomplete beta and gamma functions are those of the crate `statrs`, which agree with Boost's to about
//! 1e-11 relative. Quantiles are found by bisection on them: it cannot fail to converge, and ends at neighboring
//! floating-point numbers.

use statrs::function::{beta::beta_reg, gamma::gamma_ur};

use crate::error::{Error, Result, check_open_unit};

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

/// The number that a variable of Student's t distribution stays below with the given probability.
///
/// # Errors
///
/// [`Error::InvalidArgument`] unless `degrees_of_freedom` is positive and finite and `0 < probability < 1`.
pub fn student_t_quantile(degrees_of_freedom: f64, probability: f64) -> Result<f64> {
    check_open_unit("probability", probability)?;
    // T² / (ν + T²) is Beta(1/2, ν/2), and its complement is what is small where T is large.
    let both_tails = 2.0 * probability.min(1.0 - probability);
    check_shape("degrees_of_freedom", degrees_of_freedom)?;
    if both_tails >= 1.0 {
        return Ok(0.0);
    }
    let rest = beta_quantile(degrees_of_freedom / 2.0, 0.5, both_tails)?;
    let distance = (degrees_of_freedom * (1.0 - rest) / rest).sqrt();
    Ok(if probability < 0.5 { -distance } else { distance })
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
    fn student_t_quantiles_are_those_of_scipy() {
        for (degrees_of_freedom, probability, expected) in [
            (1.0, 0.975, 12.706204736174694),
            (7.0, 0.975, 2.364624251592784),
            (2.5, 0.9, 1.7302509288071766),
            (39.0, 0.995, 2.707913183517662),
            (10000.0, 0.975, 1.960201239890626),
            (12.0, 0.6, 0.25903274567688733),
        ] {
            let found = student_t_quantile(degrees_of_freedom, probability).unwrap();
            assert!((found - expected).abs() < 1e-9 * f64::abs(expected), "{found} {expected}");
            let mirrored = student_t_quantile(degrees_of_freedom, 1.0 - probability).unwrap();
            assert!((found + mirrored).abs() < 1e-9 * f64::abs(expected), "{found} {mirrored}");
        }
        assert_eq!(student_t_quantile(5.0, 0.5).unwrap(), 0.0);
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
    fn what_is_no_distribution_is_refused() {
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(beta_quantile(bad, 1.0, 0.5).is_err());
            assert!(beta_quantile(1.0, bad, 0.5).is_err());
        }
        assert!(beta_quantile(1.0, 1.0, 1.0).is_err());
        assert!(student_t_quantile(0.0, 0.5).is_err() && student_t_quantile(3.0, 1.0).is_err());
        assert!(chi_square_upper_tail(f64::NAN, 1).is_err());
    }
}

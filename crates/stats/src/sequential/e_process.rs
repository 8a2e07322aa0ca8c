//! Betting e-processes: evidence against "the mean is at most `a`" that may be looked at after every image.
//!
//! A bettor starts with 1 and bets a share `λ_t` on outcome `x_t ∈ [0, 1]` being large:
//!
//! ```text
//! E_t = ∏_{s ≤ t} (1 + λ_s (x_s − a)),   0 ≤ λ_s ≤ 1/a,   λ_s decided before x_s is seen
//! ```
//!
//! While the conditional mean of every `x_s` is at most `a`, no strategy makes money on average: E is a
//! nonnegative supermartingale from 1, and by Ville's inequality `P(E ever reaches 1/δ) ≤ δ`. The largest value so
//! far gives a p-value that is valid at any time, `min(1, 1/max E)`.
//!
//! Source: Waudby-Smith and Ramdas, “Estimating means of bounded random variables by betting”, JRSS B 86(1), 2024;
//! Ville, “Étude critique de la notion de collectif”, 1939.

use crate::error::{Error, Result};

/// The path of an e-process for given bets, kept as logarithms; −∞ is ruin.
#[derive(Debug, Clone, PartialEq)]
pub struct EProcessPath {
    log_wealth: Vec<f64>,
}

impl EProcessPath {
    /// Bets `bets[t]` against the mean `level` on `outcomes[t]`.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] unless `0 < level < 1`, the lengths are equal, each bet is in [0, 1/level] and
    /// each outcome in [0, 1].
    pub fn new(level: f64, bets: &[f64], outcomes: &[f64]) -> Result<Self> {
        crate::error::check_open_unit("level", level)?;
        if bets.len() != outcomes.len() {
            let expected = "as many bets as outcomes";
            return Err(Error::invalid_argument("bets", expected, bets.len()));
        }
        let mut sum = 0.0_f64;
        let step = |(bet, outcome): (&f64, &f64)| {
            sum += log_factor(level, *bet, *outcome)?;
            Ok(sum)
        };
        let log_wealth = bets.iter().zip(outcomes).map(step).collect::<Result<_>>()?;
        Ok(Self { log_wealth })
    }

    /// `ln E_t` after each outcome.
    #[must_use]
    pub fn log_wealth(&self) -> &[f64] {
        &self.log_wealth
    }

    /// `E_t` after each outcome.
    pub fn wealth(&self) -> impl Iterator<Item = f64> + '_ {
        self.log_wealth.iter().map(|log| log.exp())
    }

    /// The largest value so far, after each outcome. The 1 that it starts with is not counted.
    pub fn running_max(&self) -> impl Iterator<Item = f64> + '_ {
        let mut largest = f64::NEG_INFINITY;
        self.log_wealth.iter().map(move |log| {
            largest = largest.max(*log);
            largest.exp()
        })
    }

    /// The p-value that is valid at any time, `min(1, 1 / max E)`, after each outcome.
    pub fn anytime_p_values(&self) -> impl Iterator<Item = f64> + '_ {
        self.running_max().map(anytime_p_value)
    }

    /// The position of the first outcome after which `E_t ≥ threshold`.
    #[must_use]
    pub fn first_crossing(&self, threshold: f64) -> Option<usize> {
        self.log_wealth.iter().position(|log| *log >= threshold.ln())
    }
}

/// `min(1, 1/largest)`, never 0.
#[must_use]
pub fn anytime_p_value(largest: f64) -> f64 {
    largest.recip().clamp(f64::MIN_POSITIVE, 1.0)
}

/// `ln(1 + bet·(outcome − level))`.
fn log_factor(level: f64, bet: f64, outcome: f64) -> Result<f64> {
    // 1/level is rounded, and so may be the caller's.
    if !(bet >= 0.0 && bet * level <= 1.0 + 4.0 * f64::EPSILON) {
        return Err(Error::invalid_argument("bets", "numbers from 0 to 1/level", bet));
    }
    if !(0.0..=1.0).contains(&outcome) {
        return Err(Error::invalid_argument("outcomes", "numbers from 0 to 1", outcome));
    }
    Ok((bet * (outcome - level)).max(-1.0).ln_1p())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bettor_who_risks_all_is_ruined_for_good() {
        let path = EProcessPath::new(0.1, &[10.0; 4], &[1.0, 0.0, 1.0, 1.0]).unwrap();
        let wealth: Vec<f64> = path.wealth().collect();
        assert!((wealth[0] - 10.0).abs() < 1e-12);
        assert_eq!(wealth[1..], [0.0; 3]);
        assert!(path.running_max().all(|largest| (largest - 10.0).abs() < 1e-12));
        assert_eq!(path.first_crossing(9.0), Some(0));
        assert_eq!(path.first_crossing(11.0), None);
    }

    #[test]
    fn every_level_allows_its_largest_bet() {
        for level in (1..1000).map(|i| f64::from(i) / 1000.0) {
            let path = EProcessPath::new(level, &[1.0 / level; 2], &[0.0, 1.0]).unwrap();
            assert!(path.wealth().all(|wealth| wealth < 1e-12), "{level}");
        }
    }

    #[test]
    fn bets_and_outcomes_out_of_range_are_refused() {
        for (level, bet, outcome) in [
            (0.0, 1.0, 0.0),
            (1.0, 1.0, 0.0),
            (0.1, -0.1, 0.0),
            (0.1, 10.01, 0.0),
            (0.1, f64::NAN, 0.0),
            (0.1, 1.0, 1.1),
            (0.1, 1.0, f64::NAN),
        ] {
            assert!(EProcessPath::new(level, &[bet], &[outcome]).is_err());
        }
        assert!(EProcessPath::new(0.1, &[1.0], &[]).is_err());
    }

    #[test]
    fn p_values_stay_above_zero() {
        let path = EProcessPath::new(0.5, &[2.0; 2000], &[1.0; 2000]).unwrap();
        assert!(path.anytime_p_values().all(|p| p > 0.0 && p <= 0.5));
    }
}

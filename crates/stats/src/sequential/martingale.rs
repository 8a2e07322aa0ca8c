//! A test over time for things that are exchangeable, as groups are where single images are not.
//!
//! A new score is ranked among the bag of the calibration's scores and of all earlier ones of the stream. Its smoothed
//! p-value, with u uniform and drawn once for it,
//!
//! ```text
//! p = (#{bag > s} + u · (#{bag = s} + 1)) / (n + 1)
//! ```
//!
//! is uniform and independent of the past as long as calibration and stream are exchangeable, however few there are:
//! nothing is estimated, and nothing is paid for that. Bets `κ p^(κ−1)` on small p are fair then, for each κ in (0, 1), and
//! so is their mixture, a martingale `M` that reaches `1/δ` ever with a probability of δ at most. Their Shiryaev–Roberts
//! sums `R ← (1 + R) · κ p^(κ−1)`, mixed over κ, find a change whenever it comes: alarmed at `A`, there are `A` steps
//! between false alarms on average at least.
//!
//! Sources: Vovk, Gammerman, Shafer, “Algorithmic learning in a random world”, 2005; Volkhonskiy et al., “Inductive
//! conformal martingales for change-point detection”, 2017; Shin, Ramdas, Rinaldo, “E-detectors: a nonparametric framework
//! for sequential change detection”, 2022.

use serde::{Deserialize, Serialize};

use super::bag::Bag;
use crate::error::{Error, Result};

/// The bets: κ = 1/200, 3/200, … 199/200.
const BETS: usize = 100;

/// The bag, and what has been won of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConformalMartingale {
    bag: Bag,
    /// The logarithm of each bet's product.
    wealth: Vec<f64>,
    /// The logarithm of each bet's Shiryaev–Roberts sum; −∞ is stored as null before the first step.
    sums: Vec<Option<f64>>,
}

impl ConformalMartingale {
    /// Before the stream begins; `calibration` has the scores of the calibration's groups.
    ///
    /// # Errors
    ///
    /// [`Error::NotFinite`].
    pub fn new(mut bag: Bag, calibration: &[f64]) -> Result<Self> {
        for (position, &score) in calibration.iter().enumerate() {
            check_finite("the calibration", position, score)?;
            bag.insert(score);
        }
        Ok(Self { bag, wealth: vec![0.0; BETS], sums: vec![None; BETS] })
    }

    /// Takes the next score of the stream, and gives its p-value. `tie_breaker` is uniform in [0, 1): drawn once for this
    /// score and kept with it, so that who takes the stream again comes to the same.
    ///
    /// # Errors
    ///
    /// [`Error::NotFinite`], [`Error::InvalidArgument`]; nothing has changed then.
    pub fn observe(&mut self, score: f64, tie_breaker: f64) -> Result<f64> {
        check_finite("the stream", 0, score)?;
        if !(0.0..1.0).contains(&tie_breaker) {
            let expected = "a number of 0 or more, below 1";
            return Err(Error::invalid_argument("tie_breaker", expected, tie_breaker));
        }
        let p_value = self.bag.smoothed_p_value(score, tie_breaker);
        let log_p = p_value.ln();
        for (i, (wealth, sum)) in self.wealth.iter_mut().zip(&mut self.sums).enumerate() {
            let kappa = (2 * i + 1) as f64 / (2 * BETS) as f64;
            let won = kappa.ln() + (kappa - 1.0) * log_p;
            *wealth += won;
            // ln(1 + R) of the logarithm of R.
            *sum = Some(won + sum.map_or(0.0, |sum| sum.max(0.0) + (-sum.abs()).exp().ln_1p()));
        }
        self.bag.insert(score);
        Ok(p_value)
    }

    /// The logarithm of `M`, the mean of the bets' products: 0 before the stream begins.
    #[must_use]
    pub fn log_martingale(&self) -> f64 {
        log_mean(self.wealth.iter().copied())
    }

    /// The logarithm of `R`, the mean of the bets' Shiryaev–Roberts sums; −∞ before the stream begins.
    #[must_use]
    pub fn log_shiryaev_roberts(&self) -> f64 {
        log_mean(self.sums.iter().map(|sum| sum.unwrap_or(f64::NEG_INFINITY)))
    }
}

fn log_mean(logarithms: impl Iterator<Item = f64> + Clone) -> f64 {
    let largest = logarithms.clone().fold(f64::NEG_INFINITY, f64::max);
    if largest == f64::NEG_INFINITY {
        return largest;
    }
    let sum: f64 = logarithms.map(|logarithm| (logarithm - largest).exp()).sum();
    largest + (sum / BETS as f64).ln()
}

fn check_finite(vector: &str, position: usize, value: f64) -> Result<()> {
    if value.is_finite() {
        Ok(())
    } else {
        Err(Error::NotFinite { vector: vector.to_owned(), position, value })
    }
}

#[cfg(test)]
mod tests {
    use fastrand::Rng;

    use super::*;

    fn grid() -> Bag {
        Bag::new((0..1000).map(|edge| f64::from(edge) / 1000.0).collect()).unwrap()
    }

    /// Steps until `R` reaches `alarm_at`, `most` at most, of a stream that shifts after `quiet` steps.
    fn run(random: &mut Rng, alarm_at: f64, quiet: usize, most: usize) -> usize {
        let calibration: Vec<f64> = (0..30).map(|_| random.f64()).collect();
        let mut test = ConformalMartingale::new(grid(), &calibration).unwrap();
        for step in 1..=most {
            let score = random.f64();
            let shifted = if step > quiet { 1.0 - 0.3 * score } else { score };
            test.observe(shifted, random.f64()).unwrap();
            if test.log_shiryaev_roberts() >= alarm_at.ln() {
                return step;
            }
        }
        most
    }

    #[test]
    fn false_alarms_are_as_far_apart_as_stated_and_a_change_is_found() {
        let mut random = Rng::with_seed(5);
        let streams = 300;
        let quiet: usize = (0..streams).map(|_| run(&mut random, 100.0, usize::MAX, 2000)).sum();
        assert!(quiet as f64 / f64::from(streams) >= 100.0, "{quiet} steps in {streams} streams");
        let mut delays: Vec<usize> =
            (0..streams).map(|_| run(&mut random, 1000.0, 100, 2000)).collect();
        delays.sort_unstable();
        let median = delays[delays.len() / 2];
        assert!((101..130).contains(&median), "{median}");
    }

    #[test]
    fn a_state_that_was_stored_goes_on_as_if_it_had_not_been() {
        let mut random = Rng::with_seed(6);
        let mut kept = ConformalMartingale::new(grid(), &[0.1, 0.5, 0.5, 0.9]).unwrap();
        assert_eq!((kept.log_martingale(), kept.log_shiryaev_roberts()), (0.0, f64::NEG_INFINITY));
        for step in 0..40 {
            let json = serde_json::to_string(&kept).unwrap();
            let mut read: ConformalMartingale = serde_json::from_str(&json).unwrap();
            let (score, tie_breaker) = (random.f64(), random.f64());
            let p_values = [&mut kept, &mut read].map(|test| test.observe(score, tie_breaker));
            let [kept_p, read_p] = p_values.map(Result::unwrap);
            assert_eq!(kept_p, read_p, "step {step}");
        }
        assert!(kept.observe(f64::NAN, 0.5).is_err() && kept.observe(0.5, 1.0).is_err());
    }
}

//! What is won by betting against "nothing has changed".
//!
//! Whoever bets at fair odds wins nothing on average, so much won is evidence. Several bettors bet with a stake of their
//! own each, and two accounts are kept of each: `M`, all that was made of one unit since the beginning, and the
//! Shiryaev–Roberts sum `R ← (1 + R) · e`, all that was made of one unit staked anew before each step. The means over the
//! bettors promise, as long as nothing has changed:
//!
//! - `M` reaches `1/δ` ever with a probability of δ at most;
//! - `R` grows by 1 a step on average, so that alarms at `R ≥ A` are `A` steps apart on average at least. It finds a change
//!   whenever it comes.

use serde::{Deserialize, Serialize};

/// The accounts of several bettors, as logarithms.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// ln M.
    wealth: Vec<f64>,
    /// ln R; −∞ is stored as null before the first step.
    sums: Vec<Option<f64>>,
}

impl Evidence {
    /// Of so many bettors, before the first step.
    #[must_use]
    pub fn new(bettors: usize) -> Self {
        Self { wealth: vec![0.0; bettors], sums: vec![None; bettors] }
    }

    /// How many bettors there are.
    #[must_use]
    pub fn bettors(&self) -> usize {
        self.wealth.len()
    }

    /// Whether all accounts are ones that bets may lead to.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let is_number = |account: &f64| account.is_finite();
        self.wealth.len() == self.sums.len()
            && self.wealth.iter().all(is_number)
            && self.sums.iter().flatten().all(is_number)
    }

    /// Bets `κ p^(κ−1)` on a p-value that is uniform where nothing has changed: bettor i of n with κ = (2i + 1)/2n.
    pub fn bet_on_p_value(&mut self, p_value: f64) {
        let (bettors, log_p) = (self.bettors() as f64, p_value.ln());
        self.take(|i| {
            let kappa = (2.0 * i + 1.0) / (2.0 * bettors);
            kappa.ln() + (kappa - 1.0) * log_p
        });
    }

    /// Bets `1 + λ(x − m)` on a number x of [0, 1] whose mean is m, strictly between 0 and 1, where nothing has changed,
    /// whatever came before: one half of the bettors that it is more, the other that it is less, with λ evenly spaced up
    /// to those that could be ruined.
    pub fn bet_on_mean(&mut self, value: f64, mean: f64) {
        let half = self.bettors().div_ceil(2) as f64;
        self.take(|i| {
            let lambda = if i < half {
                (i + 0.5) / half / mean
            } else {
                -(i - half + 0.5) / half / (1.0 - mean)
            };
            (lambda * (value.clamp(0.0, 1.0) - mean)).ln_1p()
        });
    }

    /// Of bets on a mean: whether more has been won by those that it is more.
    #[must_use]
    pub fn favors_more(&self) -> bool {
        let (more, less) = self.sums.split_at(self.bettors().div_ceil(2));
        let log = |half: &[Option<f64>]| {
            log_mean(half.iter().map(|sum| sum.unwrap_or(f64::NEG_INFINITY)))
        };
        log(more) >= log(less)
    }

    /// One step: what each bettor has won, as a logarithm.
    fn take(&mut self, log_won: impl Fn(f64) -> f64) {
        for (i, (wealth, sum)) in self.wealth.iter_mut().zip(&mut self.sums).enumerate() {
            let won = log_won(i as f64);
            *wealth += won;
            // ln(1 + R) of the logarithm of R.
            *sum = Some(won + sum.map_or(0.0, |sum| sum.max(0.0) + (-sum.abs()).exp().ln_1p()));
        }
    }

    /// The logarithm of `M`: 0 before the first step.
    #[must_use]
    pub fn log_martingale(&self) -> f64 {
        log_mean(self.wealth.iter().copied())
    }

    /// The logarithm of `R`: −∞ before the first step.
    #[must_use]
    pub fn log_shiryaev_roberts(&self) -> f64 {
        log_mean(self.sums.iter().map(|sum| sum.unwrap_or(f64::NEG_INFINITY)))
    }
}

/// The logarithm of the mean of what these are the logarithms of; −∞ of none.
fn log_mean(logarithms: impl ExactSizeIterator<Item = f64> + Clone) -> f64 {
    let count = logarithms.len().max(1) as f64;
    log_sum(logarithms.map(|logarithm| (logarithm, 1.0))) - count.ln()
}

/// The logarithm of a weighted sum of what these are the logarithms of, each with its weight; −∞ of none.
#[must_use]
pub fn log_sum(weighted: impl Iterator<Item = (f64, f64)> + Clone) -> f64 {
    let largest = weighted.clone().map(|(log, _)| log).fold(f64::NEG_INFINITY, f64::max);
    if largest == f64::NEG_INFINITY {
        return largest;
    }
    let sum: f64 = weighted.map(|(log, weight)| weight * (log - largest).exp()).sum();
    largest + sum.ln()
}

#[cfg(test)]
mod tests {
    use fastrand::Rng;

    use super::*;
    use crate::sequential::Bag;

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1000")]
    fn cell(score: f64) -> usize {
        (1000.0 * score) as usize
    }

    /// Steps until `R` reaches `alarm_at`, `most` at most, of a stream that shifts after `quiet` steps.
    fn run(random: &mut Rng, alarm_at: f64, quiet: usize, most: usize) -> usize {
        let (mut bag, mut evidence) = (Bag::default(), Evidence::new(20));
        (0..30).for_each(|_| bag.insert(cell(random.f64())));
        for step in 1..=most {
            let score = random.f64();
            let shifted = cell(if step > quiet { 1.0 - 0.3 * score } else { score });
            evidence.bet_on_p_value(bag.p_value_of_greater(shifted, random.f64()));
            bag.insert(shifted);
            if evidence.log_shiryaev_roberts() >= alarm_at.ln() {
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
    fn bets_on_a_mean_are_fair_and_win_where_it_has_changed() {
        for mean in [0.02, 0.3, 0.9] {
            let after = |value| {
                let mut evidence = Evidence::new(20);
                evidence.bet_on_mean(value, mean);
                evidence.log_martingale().exp()
            };
            let expected = mean * after(1.0) + (1.0 - mean) * after(0.0);
            assert!((expected - 1.0).abs() < 1e-12, "{mean}: {expected}");
        }
        let mut evidence = Evidence::new(20);
        for step in 0..60 {
            evidence.bet_on_mean(if step % 2 == 0 { 0.4 } else { 0.2 }, 0.1);
        }
        assert!(evidence.log_martingale() > 1e4_f64.ln(), "{}", evidence.log_martingale());
        assert!(evidence.is_sound());
    }

    #[test]
    fn a_state_that_was_stored_goes_on_as_if_it_had_not_been() {
        let mut random = Rng::with_seed(6);
        let mut kept = Evidence::new(20);
        assert_eq!((kept.log_martingale(), kept.log_shiryaev_roberts()), (0.0, f64::NEG_INFINITY));
        for step in 0..40 {
            let json = serde_json::to_string(&kept).unwrap();
            let mut read: Evidence = serde_json::from_str(&json).unwrap();
            let p_value = 1.0 - random.f64();
            kept.bet_on_p_value(p_value);
            read.bet_on_p_value(p_value);
            assert_eq!(kept, read, "step {step}");
        }
        assert_eq!(log_mean(std::iter::empty()), f64::NEG_INFINITY);
    }
}

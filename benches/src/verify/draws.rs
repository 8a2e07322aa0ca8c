//! What the simulations draw: calibrations and streams.

use fastrand::Rng;
use sdd_stats::conformal::ConditionalRate;

/// The `rank`-th largest of `count` scores that are uniform on (0, 1), without drawing all of them: the largest is
/// `U^(1/count)`, the next one is uniform below it among `count − 1`, and so on.
pub fn order_statistic(random: &mut Rng, count: usize, rank: usize) -> f64 {
    let logarithms = (0..rank).map(|i| (1.0 - random.f64()).ln() / (count - i) as f64);
    logarithms.sum::<f64>().exp()
}

/// The false-alarm rate of a new calibration: a good image's score is uniform, and above the `a`-th largest of the
/// calibration's with this probability.
pub fn rate_of_calibration(random: &mut Rng, rate: &ConditionalRate) -> f64 {
    1.0 - order_statistic(random, rate.a() + rate.b() - 1, rate.a())
}

/// Whether the next image is out of distribution.
pub fn image(random: &mut Rng, rate: f64) -> bool {
    random.f64() < rate
}

/// How many of `window` images are.
pub fn count(random: &mut Rng, window: usize, rate: f64) -> usize {
    (0..window).filter(|_| image(random, rate)).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::parallel::{Estimate, simulate};

    #[test]
    fn rates_have_the_mean_and_the_spread_of_their_beta_distribution() {
        let rate = ConditionalRate::new(99, 0.05).unwrap();
        let rates = simulate(1, 20_000, |random| rate_of_calibration(random, &rate));
        let drawn = Estimate::of(rates.iter().copied());
        assert!((drawn.mean - 0.05).abs() < 4.0 * drawn.standard_error);
        let deviation = (0.05_f64 * 0.95 / 101.0).sqrt();
        assert!((drawn.standard_error * 20_000_f64.sqrt() / deviation - 1.0).abs() < 0.03);
        let above = rates.iter().filter(|r| **r > rate.upper_bound(0.1).unwrap()).count() as f64;
        assert!((above / 20_000.0 - 0.1).abs() < 0.01);
    }
}

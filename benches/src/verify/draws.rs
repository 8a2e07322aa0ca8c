//! What the simulations draw: groups of images that are alike.

use fastrand::Rng;

/// A number of the standard normal distribution, by the method of Box and Muller.
pub fn normal(random: &mut Rng) -> f64 {
    (-2.0 * (1.0 - random.f64()).ln()).sqrt() * (std::f64::consts::TAU * random.f64()).cos()
}

/// The scores of a group's images, which are standard normal; any two of them have this correlation.
pub fn group(random: &mut Rng, images: usize, correlation: f64) -> Vec<f64> {
    let of_group = correlation.sqrt() * normal(random);
    (0..images).map(|_| of_group + (1.0 - correlation).sqrt() * normal(random)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_of_a_group_have_the_stated_correlation() {
        let mut random = Rng::with_seed(1);
        let pairs: Vec<Vec<f64>> = (0..40_000).map(|_| group(&mut random, 2, 0.3)).collect();
        let mean = |of: &dyn Fn(&Vec<f64>) -> f64| pairs.iter().map(of).sum::<f64>() / 40_000.0;
        assert!((mean(&|pair| pair[0] * pair[0]) - 1.0).abs() < 0.03);
        assert!((mean(&|pair| pair[0] * pair[1]) - 0.3).abs() < 0.03);
    }
}

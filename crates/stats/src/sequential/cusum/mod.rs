//! The Bernoulli CUSUM: the fastest way to notice that a rate has risen, at a stated number of images between
//! false alarms.
//!
//! ```text
//! S_0 = 0,   S_t = max(0, S_{t−1} + l_t),   alarm when S_t ≥ h
//! l_t = ln(p1/p0) for an image out of distribution, ln((1 − p1)/(1 − p0)) for another
//! ```
//!
//! `p0` is the rate without drift and `p1` the rate to be noticed. The run length is the mean number of images
//! until the alarm; it is exact here, not simulated. A path from 0 back to 0 or up to `h` is a cycle, and cycles
//! are independent, so that
//!
//! ```text
//! run length = E[length of a cycle] / P(a cycle ends at h)
//! ```
//!
//! Within a cycle the value is `i·ln(p1/p0) − j·ln((1 − p0)/(1 − p1))` after `i` images of one kind and `j` of the
//! other, and both only grow: both factors are sums over this lattice, taken image by image.
//!
//! **The calibration's share in it.** With `n` calibration images the rate without drift is not α: it is drawn once,
//! from Beta(a, n + 1 − a) (see [`conditional_rate`](crate::conformal::ConditionalRate)), and the run length falls steeply as
//! it rises. Give as `p0` a bound such as
//! [`conditional_rate_bound`](crate::conformal::conditional_rate_bound) to have at least the stated run length
//! with that bound's confidence.
//!
//! Sources: Page, “Continuous inspection schemes”, Biometrika 41, 1954; Reynolds and Stoumbos, “A CUSUM chart for
//! monitoring a proportion when inspecting continuously”, Journal of Quality Technology 31, 1999.

mod design;
mod run_length;

pub use self::design::CusumDesign;
pub use self::run_length::{run_length, threshold_for_run_length};

use crate::error::{Error, Result, check_open_unit};

/// The state of a CUSUM.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cusum {
    step_one: f64,
    step_zero: f64,
    threshold: f64,
    value: f64,
}

impl Cusum {
    /// At 0, for a rise from `p0` to `p1`, alarming at `threshold` = h.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] unless `0 < p0 < p1 < 1` and `threshold > 0` is finite.
    pub fn new(p0: f64, p1: f64, threshold: f64) -> Result<Self> {
        check_rates(p0, p1)?;
        check_threshold(threshold)?;
        let (step_one, step_zero) = ((p1 / p0).ln(), ((1.0 - p1) / (1.0 - p0)).ln());
        Ok(Self { step_one, step_zero, threshold, value: 0.0 })
    }

    /// The same at a value that was stored.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidArgument`] unless `value ≥ 0` is finite.
    pub fn resume(self, value: f64) -> Result<Self> {
        if value >= 0.0 && value.is_finite() {
            Ok(Self { value, ..self })
        } else {
            Err(Error::invalid_argument("value", "a number of at least 0", value))
        }
    }

    /// `ln(p1/p0)`, what an out-of-distribution image adds.
    #[must_use]
    pub fn step_one(&self) -> f64 {
        self.step_one
    }

    /// `ln((1 − p1)/(1 − p0))`, what another image adds; negative.
    #[must_use]
    pub fn step_zero(&self) -> f64 {
        self.step_zero
    }

    /// `S_t`.
    #[must_use]
    pub fn value(&self) -> f64 {
        self.value
    }

    /// `h`.
    #[must_use]
    pub fn threshold(&self) -> f64 {
        self.threshold
    }

    /// Takes one image, and says whether `S_t ≥ h`. The value is not reset by an alarm.
    pub fn observe(&mut self, out_of_distribution: bool) -> bool {
        let step = if out_of_distribution { self.step_one } else { self.step_zero };
        self.value = (self.value + step).max(0.0);
        self.value >= self.threshold
    }

    /// Begins anew from 0, as after an alarm that someone has seen to.
    pub fn reset(&mut self) {
        self.value = 0.0;
    }

    /// `S_t` after each image, from 0.
    #[must_use]
    pub fn path(&self, out_of_distribution: impl IntoIterator<Item = bool>) -> Vec<f64> {
        let mut cusum = Self { value: 0.0, ..*self };
        let step = |image| {
            cusum.observe(image);
            cusum.value
        };
        out_of_distribution.into_iter().map(step).collect()
    }
}

fn check_rates(p0: f64, p1: f64) -> Result<()> {
    check_open_unit("p0", p0)?;
    check_open_unit("p1", p1)?;
    if p0 < p1 { Ok(()) } else { Err(Error::invalid_argument("p1", "a rate above p0", p1)) }
}

fn check_threshold(threshold: f64) -> Result<()> {
    if threshold > 0.0 && threshold.is_finite() {
        Ok(())
    } else {
        Err(Error::invalid_argument("threshold", "a positive number", threshold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mean and standard error of the images until the alarm.
    fn simulated(design: &CusumDesign, rate: f64, trials: u32, seed: u64) -> (f64, f64) {
        let mut random = fastrand::Rng::with_seed(seed);
        let lengths = (0..trials).map(|_| {
            let mut cusum = design.start().unwrap();
            let mut images = 1.0;
            while !cusum.observe(random.f64() < rate) {
                images += 1.0;
            }
            images
        });
        let lengths: Vec<f64> = lengths.collect();
        let n = f64::from(trials);
        let mean = lengths.iter().sum::<f64>() / n;
        let variance = lengths.iter().map(|l| (l - mean).powi(2)).sum::<f64>() / (n - 1.0);
        (mean, (variance / n).sqrt())
    }

    #[test]
    fn run_lengths_are_those_of_simulation() {
        for (p0, p1, stated) in [
            (0.05, 0.15, 1000.0),
            (0.01, 0.05, 2000.0),
            (0.1, 0.3, 500.0),
            (0.075, 0.15, 1000.0),
            (0.05, 0.5, 1000.0),
        ] {
            let design = CusumDesign::for_run_length(p0, p1, stated).unwrap();
            assert!(design.run_length >= stated && design.run_length < 1.05 * stated, "{design:?}");
            let between = f64::midpoint(p0, p1);
            let exact = design.run_length_at(between).unwrap();
            for (rate, exact) in
                [(p0, design.run_length), (between, exact), (p1, design.mean_delay)]
            {
                let (mean, error) = simulated(&design, rate, 4000, 7);
                assert!((mean - exact).abs() < 4.0 * error, "{design:?} {rate}: {mean} ± {error}");
            }
        }
    }

    #[test]
    fn a_run_length_is_hit_where_few_images_decide() {
        for (p0, p1, stated) in [(0.05, 0.5, 30_000.0), (0.0745, 0.745, 3000.0), (0.1, 0.8, 1e4)] {
            let design = CusumDesign::for_run_length(p0, p1, stated).unwrap();
            assert!(
                design.run_length >= stated && design.run_length <= 1.05 * stated,
                "{design:?}"
            );
            assert!(design.tuned_p1 < p1, "{design:?}");
            let untuned = threshold_for_run_length(p0, p1, stated).unwrap();
            let untuned = CusumDesign::of_threshold(p0, p1, untuned).unwrap();
            assert!(untuned.run_length > 1.1 * stated, "{untuned:?}");
            assert!(design.mean_delay < 1.1 * untuned.mean_delay, "{design:?} {untuned:?}");
        }
    }

    #[test]
    fn one_image_suffices_for_a_threshold_within_one_step() {
        let (p0, p1) = (0.05, 0.15);
        let length = run_length(p0, p1, 1.0, 0.05).unwrap();
        assert!((length - 20.0).abs() < 1e-9, "{length}");
    }

    #[test]
    fn run_length_grows_with_the_threshold_and_falls_with_the_rate() {
        let length = |h, rate| run_length(0.05, 0.15, h, rate).unwrap();
        assert!(length(4.0, 0.05) < length(5.0, 0.05));
        assert!(length(5.0, 0.05) > length(5.0, 0.1) && length(5.0, 0.1) > length(5.0, 0.15));
        // As the literature has it for h = 6.9.
        assert!((length(6.9, 0.05) - 31e3).abs() < 1e3, "{}", length(6.9, 0.05));
        assert!((length(6.9, 0.15) - 90.0).abs() < 2.0, "{}", length(6.9, 0.15));
    }

    #[test]
    fn rates_that_are_hard_to_tell_apart_are_computed_or_refused_soon() {
        for (p0, p1) in [(0.05, 0.0525), (1e-4, 2e-4), (0.98, 0.99), (0.3, 0.3 + 1e-7)] {
            match CusumDesign::for_run_length(p0, p1, 100_000.0) {
                Ok(design) => assert!(design.run_length >= 1e5, "{design:?}"),
                Err(error) => assert!(matches!(error, Error::RatesTooClose { .. }), "{error}"),
            }
        }
        assert!(run_length(0.05, 0.15, 1e4, 0.05).is_ok_and(|length| length > 1e300));
    }

    #[test]
    fn what_is_no_rise_is_refused() {
        assert!(Cusum::new(0.15, 0.05, 5.0).is_err());
        assert!(Cusum::new(0.05, 0.05, 5.0).is_err());
        assert!(Cusum::new(0.0, 0.05, 5.0).is_err());
        assert!(Cusum::new(0.05, 0.15, 0.0).is_err());
        assert!(CusumDesign::for_run_length(0.05, 0.15, 20.0).is_err());
        assert!(CusumDesign::for_run_length(0.05, 0.15, f64::INFINITY).is_err());
        assert!(run_length(0.05, 0.15, 5.0, 1.0).is_err());
        let cusum = Cusum::new(0.05, 0.15, 5.0).unwrap();
        assert_eq!(cusum.resume(2.5).unwrap().value(), 2.5);
        assert!(cusum.resume(-1.0).is_err() && cusum.resume(f64::NAN).is_err());
    }
}

//! Independent trials on all cores, with the same results on any number of them.

use std::sync::atomic::{AtomicU64, Ordering};

use fastrand::Rng;

/// Runs `trial` once for each of `trials` seeds, and returns the results in the seeds' order.
///
/// A trial has a generator of its own, seeded by `seed` and the trial's number, so that neither the number
/// of cores nor the order of work changes a result.
///
/// # Panics
/// When a trial panics.
pub fn simulate<T: Send>(seed: u64, trials: u64, trial: impl Fn(&mut Rng) -> T + Sync) -> Vec<T> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicU64::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= trials {
                return done;
            }
            done.push((number, trial(&mut Rng::with_seed(mixed(seed, number)))));
        }
    };
    let mut results = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, Vec<(u64, T)>>| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        threads.into_iter().flat_map(join).collect::<Vec<_>>()
    });
    results.sort_unstable_by_key(|(number, _)| *number);
    results.into_iter().map(|(_, result)| result).collect()
}

/// Far apart for neighboring trials and seeds (the finalizer of `SplitMix64`).
fn mixed(seed: u64, number: u64) -> u64 {
    let mut z = seed.wrapping_mul(0xd1b5_4a32_d192_ed03).wrapping_add(number);
    z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The mean of some numbers and its standard error.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The mean.
    pub mean: f64,
    /// The standard deviation of the mean, from the numbers' own spread.
    pub standard_error: f64,
}

impl Estimate {
    /// Of at least two numbers; the standard error of fewer is NaN.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let values: Vec<f64> = values.into_iter().collect();
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
        Self { mean, standard_error: (variance / n).sqrt() }
    }

    /// Of the share of trials in which something happened.
    pub fn of_share(happened: impl IntoIterator<Item = bool>) -> Self {
        Self::of(happened.into_iter().map(f64::from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trials_are_in_order_repeatable_and_different() {
        let draw = |seed| simulate(seed, 100, |random| random.u64(..));
        assert_eq!(draw(1), draw(1));
        let mut all = [draw(1), draw(2)].concat();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 200);
    }

    #[test]
    fn an_estimate_has_the_mean_and_its_error() {
        let estimate = Estimate::of_share([true, false, false, true]);
        assert!((estimate.mean - 0.5).abs() < 1e-12);
        assert!((estimate.standard_error - (1.0_f64 / 12.0).sqrt()).abs() < 1e-12);
    }
}

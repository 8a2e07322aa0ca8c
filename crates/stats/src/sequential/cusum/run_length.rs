//! How many images it takes until a CUSUM alarms.

use super::{check_rates, check_threshold};
use crate::error::check_open_unit;
use crate::error::{Error, Result};

/// The smallest threshold of a CUSUM for exactly `p0` and `p1` whose run length is at least the one given. The run
/// length that it brings is longer: by less than 5 % for `p1 ≤ 3·p0` and `run_length ≥ 1000`, by more where a few
/// images decide. [`CusumDesign::for_run_length`](super::CusumDesign::for_run_length) avoids that.
///
/// # Errors
///
/// As there.
pub fn threshold_for_run_length(p0: f64, p1: f64, run_length: f64) -> Result<f64> {
    check_rates(p0, p1)?;
    if !(run_length > 1.0 / p0 && run_length.is_finite()) {
        let expected =
            "a finite number above 1/p0, the images between two that are out of distribution";
        return Err(Error::invalid_argument("run_length", expected, run_length));
    }
    // A cycle crosses with probability exp(−h) at most, and has a length of at least 1.
    let (mut low, mut high) = (0.0, run_length.ln());
    while high - low > 1e-7 * high {
        let middle = f64::midpoint(low, high);
        let shorter = self::run_length(p0, p1, middle, p0)? < run_length;
        if shorter { low = middle } else { high = middle }
    }
    // Away from the reachable value just below, which summing images one by one rounds differently.
    Ok(high * (1.0 + 1e-9))
}

/// The mean number of images until a CUSUM for `p0` and `p1` reaches `threshold` from 0, where images are out of
/// distribution independently at the given rate; infinite where it is too large to be computed.
///
/// # Errors
///
/// [`Error::InvalidArgument`] unless `0 < p0 < p1 < 1`, `threshold > 0` is finite and `0 < rate < 1`;
/// [`Error::RatesTooClose`] where steps are so small against the threshold that it would take long.
pub fn run_length(p0: f64, p1: f64, threshold: f64, rate: f64) -> Result<f64> {
    check_rates(p0, p1)?;
    check_threshold(threshold)?;
    check_open_unit("rate", rate)?;
    let (up, down) = ((p1 / p0).ln(), ((1.0 - p0) / (1.0 - p1)).ln());
    let cycle = Cycle::from_zero(up, down, threshold, rate);
    cycle.ok_or(Error::RatesTooClose { p0, p1 }).map(|cycle| cycle.length / cycle.crossing)
}

/// A path from 0 to the next 0, or to the threshold.
struct Cycle {
    /// Its mean number of images.
    length: f64,
    /// The probability that it ends at the threshold.
    crossing: f64,
}

/// Points of the lattice that one run length may visit: a fraction of a second.
const MOST_POINTS: u64 = 50_000_000;

/// A probability without influence on a run length that can be told from infinity.
const NEGLIGIBLE: f64 = 1e-300;

impl Cycle {
    /// `None` where it would take too long.
    fn from_zero(up: f64, down: f64, threshold: f64, rate: f64) -> Option<Self> {
        let mut cycle = Self { length: 0.0, crossing: 0.0 };
        // After `images` images: alive[k] is the probability that first + k of them were out of distribution and
        // the cycle has not ended.
        let (mut images, mut first, mut alive) = (0_u64, 0_u64, vec![1.0_f64]);
        let mut points = 0;
        loop {
            let mass: f64 = alive.iter().sum();
            cycle.length += mass;
            if mass <= 1e-13 * cycle.crossing || mass < NEGLIGIBLE {
                return Some(cycle);
            }
            points += alive.len() as u64;
            if points > MOST_POINTS {
                return None;
            }
            images += 1;
            alive.push(0.0);
            for k in (0..alive.len()).rev() {
                let below = if k == 0 { 0.0 } else { alive[k - 1] };
                alive[k] = alive[k] * (1.0 - rate) + below * rate;
            }
            let value = |ones: u64| ones as f64 * up - (images - ones) as f64 * down;
            while alive.last().is_some() && value(first + alive.len() as u64 - 1) >= threshold {
                cycle.crossing += alive.pop().unwrap_or_default();
            }
            // What is left at the rare end of a far threshold.
            while alive.last().is_some_and(|probability| *probability < NEGLIGIBLE) {
                alive.pop();
            }
            let ended = (first..).take(alive.len()).take_while(|ones| value(*ones) <= 0.0).count();
            alive.drain(..ended);
            first += ended as u64;
        }
    }
}

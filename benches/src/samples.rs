//! Several ways of doing the same thing, measured in turn within one process.

use std::time::{Duration, Instant};

/// How long one measurement lasts at least: far above the clock's own cost, and short enough that a
/// round of all ways sees the same state of a shared machine.
const MIN_MEASUREMENT: Duration = Duration::from_millis(2);

/// Seconds a call, one entry a round, for each of the ways that were measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Samples<const WAYS: usize> {
    rounds: Vec<[f64; WAYS]>,
}

impl<const WAYS: usize> Samples<WAYS> {
    /// Measures all ways in every round, beginning with another one each time, until `budget` is
    /// used up and at least `min_rounds` are done.
    ///
    /// `call(way, i)` does the thing once; `i` counts the calls of a way, so that it can take
    /// another input each time. Fast ways are called several times for one measurement. One round
    /// before the first is not counted.
    pub fn measure(
        min_rounds: usize,
        budget: Duration,
        mut call: impl FnMut(usize, usize),
    ) -> Self {
        let mut calls = [0; WAYS];
        let mut repeats = [1_u32; WAYS];
        let mut measure = |way: usize, repeats: u32| {
            let start = Instant::now();
            for _ in 0..repeats {
                call(way, calls[way]);
                calls[way] += 1;
            }
            start.elapsed()
        };
        for (way, repeats) in repeats.iter_mut().enumerate() {
            measure(way, 1);
            while measure(way, *repeats) < MIN_MEASUREMENT {
                *repeats *= 2;
            }
        }
        let mut rounds = Vec::new();
        let start = Instant::now();
        while rounds.len() < min_rounds || start.elapsed() < budget {
            let mut round = [0.0; WAYS];
            for turn in 0..WAYS {
                let way = (rounds.len() + turn) % WAYS;
                round[way] = measure(way, repeats[way]).as_secs_f64() / f64::from(repeats[way]);
            }
            rounds.push(round);
        }
        Self { rounds }
    }

    /// How many rounds were measured.
    pub fn rounds(&self) -> usize {
        self.rounds.len()
    }

    /// The quartiles of one way's seconds a call.
    pub fn seconds(&self, way: usize) -> Quartiles {
        Quartiles::of(self.rounds.iter().map(|round| round[way]).collect())
    }

    /// The quartiles of how many times longer `way` takes than `other`, within one round each.
    pub fn ratio(&self, way: usize, other: usize) -> Quartiles {
        Quartiles::of(self.rounds.iter().map(|round| round[way] / round[other]).collect())
    }
}

/// The quartiles of a sample, by linear interpolation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quartiles {
    /// A quarter of the values lie below.
    pub lower: f64,
    /// Half of them lie below.
    pub median: f64,
    /// A quarter of them lie above.
    pub upper: f64,
}

impl Quartiles {
    /// The quartiles of `values`; NaN where there are none.
    pub fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |quarter: usize| {
            let position = values.len().saturating_sub(1) * quarter;
            let (below, part) = (position / 4, (position % 4) as f64 / 4.0);
            match (values.get(below), values.get(below + 1)) {
                (Some(low), Some(high)) => low + part * (high - low),
                (Some(low), None) => *low,
                _ => f64::NAN,
            }
        };
        Self { lower: at(1), median: at(2), upper: at(3) }
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these numbers have no rounding")]
mod tests {
    use super::*;

    #[test]
    fn quartiles_interpolate() {
        let of = |values: &[f64]| {
            let q = Quartiles::of(values.to_vec());
            [q.lower, q.median, q.upper]
        };
        assert_eq!(of(&[3.0, 1.0, 2.0, 5.0, 4.0]), [2.0, 3.0, 4.0]);
        assert_eq!(of(&[1.0, 2.0, 3.0, 4.0]), [1.75, 2.5, 3.25]);
        assert_eq!(of(&[7.0]), [7.0, 7.0, 7.0]);
        assert!(of(&[])[1].is_nan());
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        // The machine halves its speed in the second round; the ratio stays.
        let samples = Samples { rounds: vec![[4.0, 2.0], [8.0, 4.0]] };
        assert_eq!(samples.seconds(0).median, 6.0);
        assert_eq!(samples.ratio(0, 1), Quartiles { lower: 2.0, median: 2.0, upper: 2.0 });
    }

    #[test]
    fn every_way_is_called_with_its_own_count() {
        let mut seen = [Vec::new(), Vec::new()];
        let samples = Samples::<2>::measure(3, Duration::ZERO, |way, i| {
            seen[way].push(i);
            std::thread::sleep(MIN_MEASUREMENT / 4);
        });
        assert_eq!(samples.rounds(), 3);
        for calls in seen {
            assert_eq!(calls, (0..calls.len()).collect::<Vec<_>>());
        }
        assert!(samples.seconds(0).median >= MIN_MEASUREMENT.as_secs_f64() / 4.0);
    }
}

//! ADWIN: a window that drops its old part when its means differ.

use std::collections::VecDeque;

/// Buckets of one size at most, before the two oldest are merged: river's default.
const MOST_BUCKETS: usize = 5;

/// An adaptive window over values, in buckets of exponentially growing size.
///
/// Every `clock` values, each division of the window into an old part of `n0` and a new part of `n1` values is
/// examined: when their means differ by more than
///
/// ```text
/// eps = √(2·M·v·D) + ⅔·D·M,   D = ln(2·ln(W)/delta),   M = 1/(n0 − min + 1) + 1/(n1 − min + 1)
/// ```
///
/// with `v` the window's variance and `min` the minimal length of a part, the oldest bucket is dropped and the
/// detector signals. After a signal the next value begins a fresh window.
///
/// Source: Bifet and Gavaldà, “Learning from time-changing data with adaptive windowing”, SDM 2007; as in river
/// 0.23, `drift.ADWIN`.
#[derive(Debug, Clone, PartialEq)]
pub struct Adwin {
    delta: f64,
    clock: u64,
    min_window_length: u64,
    grace_period: u64,
    most_buckets: usize,
    window: Window,
    ticks: u64,
    signaled: bool,
}

/// A run of values: their sum, and their sum of squared deviations from their mean.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Bucket {
    total: f64,
    variance: f64,
}

#[derive(Debug, Clone, Default, PartialEq)]
struct Window {
    /// Row r holds buckets of 2^r values, the oldest first.
    rows: Vec<VecDeque<Bucket>>,
    width: u64,
    total: f64,
    variance: f64,
}

impl Default for Adwin {
    /// River's defaults.
    fn default() -> Self {
        Self::new(0.002, 32, 5, 10)
    }
}

impl Adwin {
    /// With these parameters, before the first value. `clock` is taken as at least 1.
    #[must_use]
    pub fn new(delta: f64, clock: u64, min_window_length: u64, grace_period: u64) -> Self {
        Self {
            delta,
            clock: clock.max(1),
            min_window_length,
            grace_period,
            most_buckets: MOST_BUCKETS,
            window: Window::default(),
            ticks: 0,
            signaled: false,
        }
    }

    /// With another number of buckets of one size, at least 1, before the two oldest are merged.
    #[must_use]
    pub fn with_most_buckets(self, most_buckets: usize) -> Self {
        Self { most_buckets: most_buckets.max(1), ..self }
    }

    /// The number of values in the window.
    #[must_use]
    pub fn width(&self) -> u64 {
        self.window.width
    }

    /// The sum of the values in the window.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.window.total
    }

    /// The sum of squared deviations from the window's mean, as ADWIN approximates it.
    #[must_use]
    pub fn variance(&self) -> f64 {
        self.window.variance
    }

    /// Takes a value, and says whether it signals.
    pub fn observe(&mut self, value: f64) -> bool {
        if self.signaled {
            self.window = Window::default();
            self.ticks = 0;
        }
        self.window.insert(value);
        self.window.compress(self.most_buckets);
        self.ticks += 1;
        self.signaled = false;
        if self.ticks.is_multiple_of(self.clock) && self.width() > self.grace_period {
            while self.finds_cut() {
                self.signaled = true;
                self.window.drop_oldest();
            }
        }
        self.signaled
    }

    /// Whether some division has means too far apart.
    fn finds_cut(&self) -> bool {
        let window = &self.window;
        let confidence = (2.0 * (window.width as f64).ln() / self.delta).ln();
        let spread = window.variance / window.width as f64;
        let (mut old, mut new) = ((0_u64, 0.0), (window.width, window.total));
        for (row, buckets) in window.rows.iter().enumerate().rev() {
            for (place, bucket) in buckets.iter().enumerate() {
                if row == 0 && place + 1 == buckets.len() {
                    return false;
                }
                old = (old.0 + (1 << row), old.1 + bucket.total);
                new = (new.0 - (1 << row), new.1 - bucket.total);
                let least = self.min_window_length;
                if old.0 < least || new.0 < least {
                    continue;
                }
                let part = |count: u64| 1.0 / (count - least + 1) as f64;
                let m = part(old.0) + part(new.0);
                let eps = (2.0 * m * spread * confidence).sqrt() + 2.0 / 3.0 * confidence * m;
                if (old.1 / old.0 as f64 - new.1 / new.0 as f64).abs() > eps {
                    return true;
                }
            }
        }
        false
    }
}

impl Window {
    fn insert(&mut self, value: f64) {
        if self.rows.is_empty() {
            self.rows.push(VecDeque::new());
        }
        self.rows[0].push_back(Bucket { total: value, variance: 0.0 });
        self.width += 1;
        if self.width > 1 {
            let others = (self.width - 1) as f64;
            let difference = value - self.total / others;
            self.variance += others * difference * difference / self.width as f64;
        }
        self.total += value;
    }

    fn compress(&mut self, most_buckets: usize) {
        let mut row = 0;
        while self.rows[row].len() > most_buckets {
            let (Some(first), Some(second)) =
                (self.rows[row].pop_front(), self.rows[row].pop_front())
            else {
                return;
            };
            let size = (1_u64 << row) as f64;
            let difference = first.total / size - second.total / size;
            let merged = Bucket {
                total: first.total + second.total,
                variance: first.variance + second.variance + size * difference * difference / 2.0,
            };
            row += 1;
            if row == self.rows.len() {
                self.rows.push(VecDeque::new());
            }
            self.rows[row].push_back(merged);
        }
    }

    fn drop_oldest(&mut self) {
        let row = self.rows.len() - 1;
        let Some(bucket) = self.rows[row].pop_front() else { return };
        let size = 1_u64 << row;
        self.width -= size;
        self.total -= bucket.total;
        let (size, left) = (size as f64, self.width as f64);
        let difference = bucket.total / size - self.total / left;
        self.variance -= bucket.variance + size * left * difference * difference / (size + left);
        if self.rows[row].is_empty() {
            self.rows.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_shrinks_after_a_jump_and_grows_without_one() {
        let mut adwin = Adwin::default();
        assert!((0..500).all(|_| !adwin.observe(0.0)));
        assert_eq!(adwin.width(), 500);
        let signal = (0..100).position(|_| adwin.observe(1.0)).unwrap();
        assert!(signal < 64 && adwin.width() < 500);
        adwin.observe(1.0);
        assert_eq!(adwin.width(), 1);
    }

    #[test]
    fn sums_are_those_of_the_values() {
        let mut adwin = Adwin::new(1e-9, 32, 5, 10);
        let values: Vec<f64> = (0..200).map(|i| f64::from(i % 7)).collect();
        for value in &values {
            assert!(!adwin.observe(*value));
        }
        let mean = values.iter().sum::<f64>() / 200.0;
        let variance: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        assert!((adwin.total() / 200.0 - mean).abs() < 1e-12);
        assert!((adwin.variance() - variance).abs() < 1e-9);
    }
}

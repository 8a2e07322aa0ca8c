//! How fast images go through the engine, by those of late.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How much a new measurement counts in a running mean: 1 in 8.
const SMOOTHING: u64 = 8;

/// The threads that share the work.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Lanes {
    /// Each does all of an image's work.
    Whole {
        /// How many.
        threads: usize,
    },
    /// Some read images, others run the model on them.
    Stages {
        /// How many read.
        readers: usize,
        /// How many run the model.
        runners: usize,
    },
}

impl Lanes {
    /// The time between one image and the next when all threads are busy, where reading takes `read`
    /// and the model and the comparison take `run` of one thread. Of two stages the slower one counts.
    fn interval(self, read: Duration, run: Duration) -> Duration {
        let shared = |time: Duration, threads: usize| {
            time / u32::try_from(threads.max(1)).unwrap_or(u32::MAX)
        };
        match self {
            Self::Whole { threads } => shared(read + run, threads),
            Self::Stages { readers, runners } => shared(read, readers).max(shared(run, runners)),
        }
    }
}

/// Running means of what an image takes. Two threads at once may lose one measurement of many.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    image: Mean,
    interval: Mean,
}

impl Pace {
    /// Takes note of an image that took `read` and `run` of the threads in `lanes`.
    pub fn note(&self, lanes: Lanes, read: Duration, run: Duration) {
        self.image.add(read + run);
        self.interval.add(lanes.interval(read, run));
    }

    /// The time until the last of `count` images is done, if none other comes.
    pub fn expected_wait(&self, count: usize) -> Duration {
        let others = u32::try_from(count.saturating_sub(1)).unwrap_or(u32::MAX);
        self.image.get().saturating_add(self.interval.get().saturating_mul(others))
    }
}

/// In microseconds; 0 before the first.
#[derive(Debug, Default)]
struct Mean(AtomicU64);

impl Mean {
    fn add(&self, time: Duration) {
        let time = u64::try_from(time.as_micros()).unwrap_or(u64::MAX / SMOOTHING);
        let old = self.0.load(Ordering::Relaxed);
        let new = if old == 0 { time } else { (old * (SMOOTHING - 1) + time) / SMOOTHING };
        self.0.store(new, Ordering::Relaxed);
    }

    fn get(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Lanes, Pace};

    fn wait(lanes: Lanes, [read, run]: [u64; 2], count: usize) -> Duration {
        let pace = Pace::default();
        pace.note(lanes, Duration::from_millis(read), Duration::from_millis(run));
        pace.expected_wait(count)
    }

    #[test]
    fn threads_that_do_all_of_it_share_the_images() {
        let lanes = Lanes::Whole { threads: 4 };
        assert_eq!(wait(lanes, [20, 60], 1), Duration::from_millis(80));
        assert_eq!(wait(lanes, [20, 60], 5), Duration::from_millis(80 + 4 * 20));
    }

    #[test]
    fn of_two_stages_the_slower_one_counts() {
        let lanes = Lanes::Stages { readers: 16, runners: 1 };
        assert_eq!(wait(lanes, [16, 5], 11), Duration::from_millis(21 + 10 * 5));
        assert_eq!(wait(lanes, [160, 5], 11), Duration::from_millis(165 + 10 * 10));
    }
}

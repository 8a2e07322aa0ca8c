//! How many images may be waiting or in work: beyond that a request is refused at once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::pace::{Lanes, Pace};
use crate::error::{ApiError, Shortage};

/// The part of an expected wait that it may take longer: one half. Under a load that never ends the
/// queue is as long as it may be, and without a margin every image that takes longer than the mean
/// would make another one late that was accepted.
const MARGIN: u32 = 2;

/// The limit on images waiting or in work, for all models that are served at a time.
#[derive(Debug)]
pub struct Admission {
    permits: Arc<Semaphore>,
    limit: usize,
    pace: Pace,
}

/// Room for one image, given back when dropped.
#[derive(Debug)]
pub struct Permit {
    _permit: OwnedSemaphorePermit,
}

impl Admission {
    /// `workers` images in work and `queue` waiting.
    #[must_use]
    pub fn new(workers: usize, queue: usize) -> Self {
        let limit = workers + queue;
        Self { permits: Arc::new(Semaphore::new(limit)), limit, pace: Pace::default() }
    }

    /// Room for `count` images, all or none.
    ///
    /// # Errors
    /// [`ApiError::Overloaded`] when there is not that much room, or when so many are before them
    /// that `deadline` would pass.
    pub fn admit(&self, count: usize, deadline: Instant) -> Result<Vec<Permit>, ApiError> {
        let overloaded = |shortage| ApiError::Overloaded {
            shortage,
            retry_after: self.pace.expected_wait(self.limit),
        };
        let before = self.occupied();
        // Where nothing waits there is nothing to wait for; and only what is admitted tells whether
        // images have become faster again.
        let likely = self.pace.expected_wait(before + count);
        let time_left = deadline.saturating_duration_since(Instant::now());
        if before > 0 && likely.saturating_add(likely / MARGIN) > time_left {
            return Err(overloaded(Shortage::Time));
        }
        let full = || overloaded(Shortage::Room);
        let count = u32::try_from(count).map_err(|_| full())?;
        let mut all =
            Arc::clone(&self.permits).try_acquire_many_owned(count).map_err(|_| full())?;
        let mut permits = Vec::new();
        while let Some(one) = all.split(1) {
            permits.push(Permit { _permit: one });
        }
        Ok(permits)
    }

    /// Whether there is room for one more at this moment.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.permits.available_permits() > 0
    }

    /// Images waiting or in work at most.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Images waiting or in work.
    #[must_use]
    pub fn occupied(&self) -> usize {
        self.limit - self.permits.available_permits().min(self.limit)
    }

    /// Takes note of an image that took `read` and `run` of the threads in `lanes`.
    pub(super) fn note_times(&self, lanes: Lanes, read: Duration, run: Duration) {
        self.pace.note(lanes, read, run);
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Admission, Lanes};
    use crate::error::ApiError;

    fn in_s(seconds: u64) -> Instant {
        Instant::now() + Duration::from_secs(seconds)
    }

    #[test]
    fn there_is_room_for_workers_and_queue_and_it_comes_back() {
        let admission = Admission::new(2, 3);
        let permits = admission.admit(4, in_s(60)).unwrap();
        assert_eq!((permits.len(), admission.occupied()), (4, 4));
        assert!(matches!(admission.admit(2, in_s(60)), Err(ApiError::Overloaded { .. })));
        assert_eq!(admission.occupied(), 4, "all or none");
        let last = admission.admit(1, in_s(60)).unwrap();
        assert!(!admission.has_room());
        drop((permits, last));
        assert_eq!(admission.occupied(), 0);
    }

    #[test]
    fn what_cannot_be_done_in_time_is_refused_at_once() {
        let admission = Admission::new(2, 100);
        let note = |run| admission.note_times(Lanes::Whole { threads: 2 }, Duration::ZERO, run);
        note(Duration::from_secs(1));
        let waiting = admission.admit(20, in_s(60)).unwrap();
        assert!(admission.admit(1, in_s(5)).is_err(), "a wait of 11 s");
        assert!(admission.admit(1, in_s(20)).is_ok());
        drop(waiting);
        assert!(admission.admit(1, in_s(5)).is_ok());
        note(Duration::from_mins(10));
        assert!(admission.admit(1, in_s(5)).is_ok(), "nothing is before it");
    }
}

//! How many images may be waiting or in work: beyond that a request is refused at once.

use std::time::{Duration, Instant};

use crate::allowance::{Allowance, Reservation};
use crate::engine::error::{EngineError, EngineShortage};
use crate::engine::pace::{Lanes, Pace};

/// The part of an expected wait that it may take longer: one half. Under a load that never ends the
/// queue is as long as it may be, and without a margin every image that takes longer than the mean
/// would make another one late that was accepted.
const MARGIN: u32 = 2;

/// The limit on images waiting or in work, for all models that are served at a time.
#[derive(Debug)]
pub struct Admission {
    images: Allowance,
    pace: Pace,
}

/// Room for one image, given back when dropped.
#[derive(Debug)]
pub struct Permit {
    _room: Reservation,
}

impl Admission {
    /// `workers` images in work and `queue` waiting.
    pub fn new(workers: usize, queue: usize) -> Self {
        Self { images: Allowance::new(workers + queue), pace: Pace::default() }
    }

    /// Room for `count` images, all or none.
    ///
    /// # Errors
    /// [`EngineError::Overloaded`] when there is not that much room, or when so many are before them
    /// that `deadline` would pass.
    pub fn admit(&self, count: usize, deadline: Instant) -> Result<Vec<Permit>, EngineError> {
        self.admit_more(Vec::new(), count, deadline)
    }

    /// Room for `count` images, all or none, for who `held` some of it already.
    ///
    /// # Errors
    /// As [`admit`](Self::admit); then what was held is given back.
    pub fn admit_more(
        &self,
        mut held: Vec<Permit>,
        count: usize,
        deadline: Instant,
    ) -> Result<Vec<Permit>, EngineError> {
        let overloaded = |shortage| EngineError::Overloaded { shortage, retry_after: self.wait() };
        let others = self.occupied().saturating_sub(held.len());
        if self.is_late(others, count, deadline) {
            return Err(overloaded(EngineShortage::Time));
        }
        let more = self.images.take(count.saturating_sub(held.len()));
        let mut more = more.ok_or_else(|| overloaded(EngineShortage::Room))?;
        while let Some(one) = more.split(1) {
            held.push(Permit { _room: one });
        }
        Ok(held)
    }

    /// What there is too little of for one more image at this moment, if anything.
    pub fn shortage(&self, deadline: Instant) -> Option<EngineShortage> {
        if self.is_late(self.occupied(), 1, deadline) {
            return Some(EngineShortage::Time);
        }
        (self.occupied() >= self.limit()).then_some(EngineShortage::Room)
    }

    /// Whether the last of `count` images behind `others` would probably be answered after `deadline`.
    fn is_late(&self, others: usize, count: usize, deadline: Instant) -> bool {
        // Where nothing waits there is nothing to wait for; and only what is admitted tells whether
        // images have become faster again.
        if others == 0 {
            return false;
        }
        let likely = self.pace.expected_wait(others + count);
        let time_left = deadline.saturating_duration_since(Instant::now());
        likely.saturating_add(likely / MARGIN) > time_left
    }

    /// The time until the images that wait or are in work now are likely to be done.
    pub fn wait(&self) -> Duration {
        self.pace.expected_wait(self.occupied())
    }

    /// Images waiting or in work at most.
    pub fn limit(&self) -> usize {
        self.images.limit()
    }

    /// Images waiting or in work.
    pub fn occupied(&self) -> usize {
        self.images.used()
    }

    /// Takes note of an image that took `read` and `run` of the threads in `lanes`.
    pub(crate) fn note_times(&self, lanes: Lanes, read: Duration, run: Duration) {
        self.pace.note(lanes, read, run);
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Admission, Lanes};
    use crate::engine::{EngineError, EngineShortage};

    fn in_s(seconds: u64) -> Instant {
        Instant::now() + Duration::from_secs(seconds)
    }

    #[test]
    fn there_is_room_for_workers_and_queue_and_it_comes_back() {
        let admission = Admission::new(2, 3);
        let permits = admission.admit(4, in_s(60)).unwrap();
        assert_eq!((permits.len(), admission.occupied()), (4, 4));
        assert!(matches!(admission.admit(2, in_s(60)), Err(EngineError::Overloaded { .. })));
        assert_eq!(admission.occupied(), 4, "all or none");
        let last = admission.admit(1, in_s(60)).unwrap();
        assert_eq!(admission.shortage(in_s(60)), Some(EngineShortage::Room));
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
        assert_eq!(admission.shortage(in_s(5)), Some(EngineShortage::Time));
        assert_eq!(admission.shortage(in_s(20)), None);
        assert!(admission.admit(1, in_s(20)).is_ok());
        drop(waiting);
        assert!(admission.admit(1, in_s(5)).is_ok());
        note(Duration::from_mins(10));
        assert!(admission.admit(1, in_s(5)).is_ok(), "nothing is before it");
    }

    #[test]
    fn a_client_is_told_when_what_waits_is_likely_to_be_done() {
        let admission = Admission::new(2, 10);
        let lanes = Lanes::Whole { threads: 2 };
        admission.note_times(lanes, Duration::ZERO, Duration::from_secs(4));
        let _waiting = admission.admit(12, in_s(60)).unwrap();
        let Err(EngineError::Overloaded { shortage, retry_after }) = admission.admit(1, in_s(600))
        else {
            panic!("there is no room");
        };
        assert_eq!(
            (shortage, retry_after),
            (EngineShortage::Room, Duration::from_secs(4 + 11 * 2))
        );
    }

    #[test]
    fn what_is_held_counts_and_is_not_in_its_own_way() {
        let admission = Admission::new(1, 3);
        admission.note_times(Lanes::Whole { threads: 1 }, Duration::ZERO, Duration::from_secs(10));
        let first = admission.admit(1, in_s(1)).unwrap();
        let all = admission.admit_more(first, 4, in_s(1)).unwrap();
        assert_eq!((all.len(), admission.occupied()), (4, 4));
        drop(all);
        let (other, first) = (admission.admit(1, in_s(60)), admission.admit(1, in_s(60)).unwrap());
        assert!(admission.admit_more(first, 3, in_s(15)).is_err(), "another one is before them");
        drop(other);
        assert_eq!(admission.occupied(), 0, "what was held is given back");
    }
}

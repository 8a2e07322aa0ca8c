//! A number of things that may be held at a time, bytes or images: so that many large uploads together cannot exhaust
//! the memory, and no queue grows without end.
//!
//! Nobody waits for room: who finds none is refused. So this is a counter and no semaphore.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

/// How much may be held at a time, and how much is. Clones count together.
#[derive(Debug, Clone)]
pub struct Allowance {
    used: Arc<AtomicUsize>,
    limit: usize,
}

/// A part of an allowance that is set aside; given back when dropped.
#[derive(Debug)]
pub struct Reservation {
    allowance: Allowance,
    held: usize,
}

impl Allowance {
    /// Room for `limit` of them.
    pub fn new(limit: usize) -> Self {
        Self { used: Arc::default(), limit }
    }

    /// How many are held now.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// How many may be held.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// An empty reservation, to be grown.
    pub fn reserve(&self) -> Reservation {
        Reservation { allowance: self.clone(), held: 0 }
    }

    /// Sets `count` aside, all or none; `None` where there is no room for them.
    #[must_use]
    pub fn take(&self, count: usize) -> Option<Reservation> {
        let mut taken = self.reserve();
        taken.grow(count).then_some(taken)
    }

    /// The same, but what is larger than the limit takes all that there is: it has room when nothing else is held.
    #[must_use]
    pub fn take_or_all(&self, count: usize) -> Option<Reservation> {
        self.take(count.min(self.limit))
    }
}

impl Reservation {
    /// Sets `count` more aside; false where there is no room for them.
    #[must_use]
    pub fn grow(&mut self, count: usize) -> bool {
        let limit = self.allowance.limit;
        let grown = |used: usize| used.checked_add(count).filter(|sum| *sum <= limit);
        let used = &self.allowance.used;
        let fits = used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, grown).is_ok();
        if fits {
            self.held += count;
        }
        fits
    }

    /// Parts with `count` of them; `None` where it has not that many.
    #[must_use]
    pub fn split(&mut self, count: usize) -> Option<Self> {
        self.held = self.held.checked_sub(count)?;
        Some(Self { allowance: self.allowance.clone(), held: count })
    }

    /// Bytes that the room was set aside for. It is given back when nobody holds a part of them any more.
    pub fn hold(self, bytes: impl AsRef<[u8]> + Send + 'static) -> Bytes {
        Bytes::from_owner(Held { bytes, _room: self })
    }
}

/// Bytes together with the room that they take.
struct Held<T> {
    bytes: T,
    _room: Reservation,
}

impl<T: AsRef<[u8]>> AsRef<[u8]> for Held<T> {
    fn as_ref(&self) -> &[u8] {
        self.bytes.as_ref()
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.allowance.used.fetch_sub(self.held, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::Allowance;

    #[test]
    fn room_is_shared_and_comes_back() {
        let memory = Allowance::new(10);
        let (mut first, mut second) = (memory.reserve(), memory.reserve());
        assert!(first.grow(4) && first.grow(2) && second.grow(4));
        assert!(!second.grow(1) && !first.grow(usize::MAX));
        assert_eq!(memory.used(), 10);
        drop(first);
        assert_eq!(memory.used(), 4);
        assert!(second.grow(6));
        drop(second);
        assert_eq!(memory.used(), 0);
    }

    #[test]
    fn what_is_taken_can_be_given_back_in_parts() {
        let room = Allowance::new(3);
        assert!(room.take(4).is_none());
        let mut all = room.take(3).unwrap();
        let one = all.split(1).unwrap();
        assert!(all.split(3).is_none() && room.take(1).is_none());
        drop(all);
        assert_eq!(room.used(), 1);
        drop(one);
        assert_eq!(room.used(), 0);
    }

    #[test]
    fn a_part_of_bytes_keeps_the_room_of_the_whole() {
        let memory = Allowance::new(10);
        let whole = memory.take(6).unwrap().hold("abcdef");
        let part = whole.slice(1..3);
        drop(whole);
        assert_eq!((&*part, memory.used()), (&b"bc"[..], 6));
        drop(part);
        assert_eq!(memory.used(), 0);
    }

    #[test]
    fn what_is_larger_than_the_limit_has_room_when_nothing_else_is_held() {
        let room = Allowance::new(100);
        let small = room.take_or_all(36).unwrap();
        assert!(room.take_or_all(65).is_none() && room.take_or_all(1000).is_none());
        drop(small);
        assert!(room.take_or_all(1000).is_some());
        assert_eq!(room.used(), 0);
    }
}

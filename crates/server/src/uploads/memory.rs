//! The memory that uploads may take together, so that many large ones at a time cannot exhaust it.

use std::ops::{Deref, Range};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

/// Counts the bytes of all uploads that are held.
#[derive(Debug, Clone)]
pub struct UploadMemory {
    used: Arc<AtomicUsize>,
    limit: usize,
}

/// Bytes set aside for one upload; given back when dropped.
#[derive(Debug)]
pub struct Reservation {
    used: Arc<AtomicUsize>,
    bytes: usize,
    limit: usize,
}

impl UploadMemory {
    /// Room for `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { used: Arc::default(), limit }
    }

    /// Bytes that are held now.
    #[must_use]
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Bytes that may be held.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// An empty reservation, to be grown.
    #[must_use]
    pub fn reserve(&self) -> Reservation {
        Reservation { used: Arc::clone(&self.used), bytes: 0, limit: self.limit }
    }
}

impl Reservation {
    /// Sets `bytes` more aside; false where there is no room for them.
    #[must_use]
    pub fn grow(&mut self, bytes: usize) -> bool {
        let grown = |used: usize| used.checked_add(bytes).filter(|sum| *sum <= self.limit);
        let fits = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, grown).is_ok();
        if fits {
            self.bytes += bytes;
        }
        fits
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// The bytes of an upload together with the room that they take.
#[derive(Debug)]
pub struct UploadedBytes {
    bytes: Bytes,
    reservation: Arc<Reservation>,
}

impl UploadedBytes {
    /// `bytes` that `reservation` was grown for.
    #[must_use]
    pub fn new(bytes: Bytes, reservation: Reservation) -> Self {
        Self { bytes, reservation: Arc::new(reservation) }
    }

    /// A part of them, shared, not copied. The room is given back with the last part.
    ///
    /// # Panics
    /// When the range is not within the bytes.
    #[must_use]
    pub fn slice(&self, range: Range<usize>) -> Self {
        Self { bytes: self.bytes.slice(range), reservation: Arc::clone(&self.reservation) }
    }

    /// The bytes alone, shared, not copied.
    #[must_use]
    pub fn bytes(&self) -> Bytes {
        self.bytes.clone()
    }
}

impl Deref for UploadedBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{UploadMemory, UploadedBytes};

    #[test]
    fn a_part_keeps_the_room_of_the_whole() {
        let memory = UploadMemory::new(10);
        let mut reservation = memory.reserve();
        assert!(reservation.grow(6));
        let whole = UploadedBytes::new(Bytes::from_static(b"abcdef"), reservation);
        let part = whole.slice(1..3);
        drop(whole);
        assert_eq!((&*part, memory.used()), (&b"bc"[..], 6));
        drop(part);
        assert_eq!(memory.used(), 0);
    }

    #[test]
    fn room_is_shared_and_comes_back() {
        let memory = UploadMemory::new(10);
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
}

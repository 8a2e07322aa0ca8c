//! Memory that may be held together: by uploads, so that many large ones at a time cannot exhaust it, and by what waits
//! to be captured.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts the bytes that are held.
#[derive(Debug, Clone)]
pub struct MemoryBudget {
    used: Arc<AtomicUsize>,
    limit: usize,
}

/// Bytes set aside; given back when dropped.
#[derive(Debug)]
pub struct Reservation {
    used: Arc<AtomicUsize>,
    bytes: usize,
    limit: usize,
}

impl MemoryBudget {
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

#[cfg(test)]
mod tests {
    use super::MemoryBudget;

    #[test]
    fn room_is_shared_and_comes_back() {
        let memory = MemoryBudget::new(10);
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

//! Room for images that wait to be recorded.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts the images that wait.
#[derive(Debug)]
pub(super) struct Room {
    waiting: Arc<AtomicUsize>,
    limit: usize,
}

/// Room that some images have; given back when dropped.
#[derive(Debug)]
pub(super) struct Taken {
    waiting: Arc<AtomicUsize>,
    images: usize,
}

impl Room {
    pub fn new(limit: usize) -> Self {
        Self { waiting: Arc::default(), limit }
    }

    /// Room for so many more images; `None` where there is none. A request that is larger than all of it has room
    /// when nothing else waits.
    pub fn take(&self, images: usize) -> Option<Taken> {
        let grown = |waiting: usize| {
            waiting.checked_add(images).filter(|sum| waiting == 0 || *sum <= self.limit)
        };
        self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, grown).ok()?;
        Some(Taken { waiting: Arc::clone(&self.waiting), images })
    }

    /// Images that wait now.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.waiting.fetch_sub(self.images, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::Room;

    #[test]
    fn images_count_and_not_requests() {
        let room = Room::new(100);
        let large = room.take(64).unwrap();
        assert!(room.take(37).is_none());
        let small = room.take(36).unwrap();
        assert!(room.take(1).is_none());
        drop(large);
        assert_eq!(room.waiting(), 36);
        assert!(room.take(65).is_none());
        drop(small);
        assert!(room.take(1000).is_some());
        assert_eq!(room.waiting(), 0);
    }
}

//! How many of something there are at the moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A number that others raise for as long as they live.
#[derive(Debug, Clone, Default)]
pub(super) struct Counter(Arc<AtomicUsize>);

/// One of a number of things, until it is dropped.
#[derive(Debug)]
pub(super) struct Counted(Counter);

impl Counter {
    /// Counts one more for as long as the value lives.
    pub fn count(&self) -> Counted {
        self.0.fetch_add(1, Ordering::SeqCst);
        Counted(self.clone())
    }

    pub fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}

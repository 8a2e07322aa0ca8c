//! What the metrics tell of the capture.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What has been kept and what not since the server started.
#[derive(Debug, Clone, Copy, Default)]
pub struct CaptureCounts {
    /// Whether predictions are being kept; false while the folder cannot be written to.
    pub enabled: bool,
    /// Predictions written: a line each.
    pub predictions: u64,
    /// Images written. Fewer than predictions where an image came more than once.
    pub images: u64,
    /// Predictions that should have been kept and were not, because the queue was full, the folder
    /// could not be written to or the image alone is larger than either may be.
    pub dropped: u64,
    /// Attempts to write that failed.
    pub failures: u64,
    /// Files removed for their age or to make room.
    pub removed_files: u64,
    /// Bytes that the images and predictions in the folder take.
    pub stored_bytes: u64,
}

/// The same, as it is shared by who hands in, who writes and who asks.
#[derive(Debug, Clone, Default)]
pub(crate) struct SharedCounts(Arc<Mutex<CaptureCounts>>);

impl SharedCounts {
    /// To be read or changed at once: nobody waits for long.
    pub fn lock(&self) -> MutexGuard<'_, CaptureCounts> {
        // Numbers are whole after a panic, too.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

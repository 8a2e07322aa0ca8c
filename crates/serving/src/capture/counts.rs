//! What the metrics tell of the capture.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What has been kept and what not since the server started. Read it at any time.
#[derive(Debug, Default)]
pub struct CaptureCounts {
    enabled: AtomicBool,
    records: AtomicU64,
    images: AtomicU64,
    dropped: AtomicU64,
    failures: AtomicU64,
    removed_files: AtomicU64,
    stored_bytes: AtomicU64,
}

impl CaptureCounts {
    /// Whether predictions are being kept; false while the folder cannot be written to.
    #[must_use]
    pub fn enabled(&self) -> bool {
        self.enabled.load(Ordering::Relaxed)
    }

    /// Records written: a line each.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.records.load(Ordering::Relaxed)
    }

    /// Images written. Fewer than records where an image came more than once.
    #[must_use]
    pub fn images(&self) -> u64 {
        self.images.load(Ordering::Relaxed)
    }

    /// Predictions that should have been kept and were not, because the queue was full, the folder
    /// could not be written to or the image alone is larger than either may be.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Attempts to write that failed.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// Files removed for their age or to make room.
    #[must_use]
    pub fn removed_files(&self) -> u64 {
        self.removed_files.load(Ordering::Relaxed)
    }

    /// Bytes that the images and records in the folder take.
    #[must_use]
    pub fn stored_bytes(&self) -> u64 {
        self.stored_bytes.load(Ordering::Relaxed)
    }

    pub(super) fn set_enabled(&self, enabled: bool) {
        self.enabled.store(enabled, Ordering::Relaxed);
    }

    pub(super) fn count_record(&self, with_image: bool) {
        self.records.fetch_add(1, Ordering::Relaxed);
        self.images.fetch_add(u64::from(with_image), Ordering::Relaxed);
    }

    pub(super) fn count_dropped(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_failure(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_removed(&self, files: u64) {
        self.removed_files.fetch_add(files, Ordering::Relaxed);
    }

    pub(super) fn set_stored_bytes(&self, bytes: u64) {
        self.stored_bytes.store(bytes, Ordering::Relaxed);
    }
}

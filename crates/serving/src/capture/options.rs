//! What is kept of images and predictions, where, and for how long.

use std::path::PathBuf;
use std::time::Duration;

/// What is kept of images and predictions, where, and for how long.
#[derive(Debug, Clone)]
pub struct CaptureOptions {
    /// The folder.
    pub directory: PathBuf,
    /// Share of the images that is kept, 0 to 1.
    pub share: f64,
    /// Whether what is out of distribution is always kept.
    pub always_ood: bool,
    /// Confidence below which a prediction is always kept; 0 turns this off.
    pub below_confidence: f64,
    /// Bytes that the folder may take; `None` where there is no limit.
    pub max_bytes: Option<u64>,
    /// Time after which a file is removed.
    pub max_age: Option<Duration>,
    /// Bytes of images that may wait to be written.
    pub queue_bytes: usize,
    /// Time after a failure to the next attempt.
    pub retry_after: Duration,
}

impl CaptureOptions {
    /// Everything, in this folder, without limit.
    pub fn new(directory: PathBuf) -> Self {
        Self {
            directory,
            share: 1.0,
            always_ood: true,
            below_confidence: 0.0,
            max_bytes: None,
            max_age: None,
            queue_bytes: 64 << 20,
            retry_after: Duration::from_mins(1),
        }
    }
}

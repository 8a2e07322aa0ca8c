//! What the engine counts.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::Histogram;

/// What the engine counts; clones count together.
#[derive(Debug, Clone)]
pub struct Instruments {
    /// Images in one pass of the model.
    pub batch_images: Histogram,
    /// Panics of its threads, each of which cost the images in work an error and nothing else.
    pub panics: Counter,
}

//! What is counted, for Prometheus.

/// The counters and histograms of a server.
#[derive(Debug, Default)]
pub struct Metrics {}

impl Metrics {
    /// All at zero.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A pass of the model over `images` at once.
    pub fn batch_size(&self, images: usize) {
        tracing::trace!(images, "batch");
    }
}

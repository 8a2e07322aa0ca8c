//! What happens in the engine, counted.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use sdd_serving::engine::{EngineObserver, Stage};

use crate::metrics::labels::Label;

/// Counters and histograms of the engine: a reload goes on with those that there are.
#[derive(Debug)]
pub(crate) struct EngineMetrics {
    pub batch_images: Histogram,
    pub failed_passes: Counter,
    pub panics: Counter,
    /// The seconds that images spent in each stage that they went through.
    pub stages: Family<Label, Histogram>,
}

impl EngineObserver for EngineMetrics {
    fn stage(&self, stage: Stage, time: Duration) {
        self.stages.get_or_create(&[("stage", stage.name())]).observe(time.as_secs_f64());
    }

    fn pass(&self, images: usize) {
        self.batch_images.observe(images as f64);
    }

    fn failed_pass(&self) {
        self.failed_passes.inc();
    }

    fn panicked(&self) {
        self.panics.inc();
    }
}

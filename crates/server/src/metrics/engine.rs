//! What happens in the engine, counted.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::Histogram;
use sdd_serving::engine::{EngineObserver, Stage};

/// Counters and histograms of the engine: a reload goes on with those that there are.
#[derive(Debug)]
pub(super) struct EngineMetrics {
    pub batch_images: Histogram,
    pub failed_passes: Counter,
    pub panics: Counter,
    pub stages: StageHistograms,
}

/// The seconds that images spent in each stage that they went through.
#[derive(Debug)]
pub(super) struct StageHistograms {
    pub queue: Histogram,
    pub decode: Histogram,
    pub preprocess: Histogram,
    pub batch: Histogram,
    pub infer: Histogram,
    pub drift: Histogram,
}

impl StageHistograms {
    /// Of the histogram of each stage.
    pub fn new(of: impl Fn(&'static str) -> Histogram) -> Self {
        let of = |stage: Stage| of(stage.name());
        Self {
            queue: of(Stage::Queue),
            decode: of(Stage::Decode),
            preprocess: of(Stage::Preprocess),
            batch: of(Stage::Batch),
            infer: of(Stage::Infer),
            drift: of(Stage::Drift),
        }
    }
}

impl EngineObserver for EngineMetrics {
    fn stage(&self, stage: Stage, time: Duration) {
        let stages = &self.stages;
        let histogram = match stage {
            Stage::Queue => &stages.queue,
            Stage::Decode => &stages.decode,
            Stage::Preprocess => &stages.preprocess,
            Stage::Batch => &stages.batch,
            Stage::Infer => &stages.infer,
            Stage::Drift => &stages.drift,
        };
        histogram.observe(time.as_secs_f64());
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

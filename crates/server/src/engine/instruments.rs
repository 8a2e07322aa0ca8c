//! What the engine counts.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::Histogram;

/// What the engine counts; clones count together.
#[derive(Debug, Clone)]
pub struct Instruments {
    /// Images in one pass of the model.
    pub batch_images: Histogram,
    /// Passes of the model that failed with all their images.
    pub failed_passes: Counter,
    /// Panics of its threads, each of which costs one image its answer at most.
    pub panics: Counter,
    /// How long images spent in each stage.
    pub stages: StageHistograms,
}

/// The seconds that images spent in each stage that they went through, whatever became of them: those
/// that wait too long are in it, too.
#[derive(Debug, Clone)]
pub struct StageHistograms {
    /// Waiting for a thread.
    pub queue: Histogram,
    /// From a file's bytes to pixels; all of reading, for a file that cannot be read.
    pub decode: Histogram,
    /// From pixels to the model's input.
    pub preprocess: Histogram,
    /// Waiting, once read, for the model, where it takes images in batches.
    pub batch: Histogram,
    /// The pass of the model.
    pub infer: Histogram,
    /// The comparison with the reference.
    pub drift: Histogram,
}

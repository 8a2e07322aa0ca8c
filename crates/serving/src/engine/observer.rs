//! What happens in the engine, told as it happens to whoever counts it.

use std::time::Duration;

/// Is told what happens in an engine, on the threads of the engine: it should be quick. What it does not count it leaves
/// out.
pub trait EngineObserver: Send + Sync {
    /// An image spent `time` in a stage, whatever became of it: those that wait too long are in it, too.
    fn stage(&self, _stage: Stage, _time: Duration) {}

    /// The model is run on so many images at once.
    fn pass(&self, _images: usize) {}

    /// The model failed with all images of a pass.
    fn failed_pass(&self) {}

    /// One of the threads panicked, which costs one image its answer at most.
    fn panicked(&self) {}
}

/// Counts nothing.
impl EngineObserver for () {}

/// A stage on an image's way through the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Waiting for a thread.
    Queue,
    /// From a file's bytes to pixels; all of reading, for a file that cannot be read.
    Decode,
    /// From pixels to the model's input.
    Preprocess,
    /// Waiting, once read, for the model, where it takes images in batches.
    Batch,
    /// The pass of the model.
    Infer,
    /// The comparison with the reference.
    Drift,
}

impl Stage {
    /// All of them, in their order.
    pub const ALL: [Self; 6] =
        [Self::Queue, Self::Decode, Self::Preprocess, Self::Batch, Self::Infer, Self::Drift];

    /// Its name, for programs: stable.
    pub fn name(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Decode => "decode",
            Self::Preprocess => "preprocess",
            Self::Batch => "batch",
            Self::Infer => "infer",
            Self::Drift => "drift",
        }
    }
}

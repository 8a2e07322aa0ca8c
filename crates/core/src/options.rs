//! How a classifier is opened.

use std::path::PathBuf;

use crate::device::Device;
use crate::input::ReadOptions;

/// How a classifier is opened.
#[derive(Debug, Clone, Default)]
pub struct ClassifierOptions {
    /// Where the model runs.
    pub device: Device,
    /// Threads that one inference is spread over; 0 counts as 1.
    pub intra_op_threads: usize,
    /// What one image may cost, and how it is decoded.
    pub read: ReadOptions,
    /// A description to use instead of the model file's own; without it, `model.json` beside `model.onnx`
    /// describes a file that has none.
    pub sidecar: Option<PathBuf>,
    /// A folder for the graph as ONNX Runtime optimized it for this processor, so that the next
    /// start need not. Only for the CPU. What is in it is trusted as the model file is.
    pub model_cache: Option<PathBuf>,
}

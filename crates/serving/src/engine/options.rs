//! What is served, on which device, and with how many threads.

use std::path::PathBuf;

use sdd_core::{Device, ReadOptions};

/// Images that one pass of the model takes at most on a GPU, which a batch keeps busy.
const MAX_BATCH_CUDA: usize = 16;

/// Up to as many images in a pass, a GPU is tried with each number before it serves; beyond it with
/// powers of two, so that it starts within seconds.
const EVERY_BATCH: usize = 64;

/// What is served, on which device, and with how many threads.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// The model, an ONNX file.
    pub model: PathBuf,
    /// Description of the model (JSON), instead of the one in its metadata.
    pub model_spec: Option<PathBuf>,
    /// A folder to keep the model in as ONNX Runtime optimizes it for this processor.
    pub model_cache: Option<PathBuf>,
    /// The reference store of the model's training images; `None` serves without drift.
    pub reference: Option<PathBuf>,
    /// Nearest reference images in an answer.
    pub neighbors: usize,
    /// Where the model runs.
    pub device: Device,
    /// Threads that decode and, on the CPU, infer, each with the model.
    pub workers: usize,
    /// Images that one pass of the model takes at most, of those that are waiting; `None` for as many as suit the
    /// device.
    pub max_batch: Option<usize>,
    /// How images are read, and what one may cost.
    pub read: ReadOptions,
}

impl EngineOptions {
    /// This model alone, on the CPU, with a thread a core.
    pub fn new(model: PathBuf) -> Self {
        Self {
            model,
            model_spec: None,
            model_cache: None,
            reference: None,
            neighbors: 3,
            device: Device::Cpu,
            workers: cores(),
            max_batch: None,
            read: ReadOptions::default(),
        }
    }

    /// Sessions of the model, each with a thread: one serves a GPU, which runs one pass at a time.
    pub fn sessions(&self, device: Device) -> usize {
        if device == Device::Cpu { self.workers } else { 1 }
    }

    /// Images in one pass of the model at most.
    pub fn max_batch(&self, device: Device) -> usize {
        self.max_batch.unwrap_or(if device == Device::Cpu { 1 } else { MAX_BATCH_CUDA })
    }

    /// The numbers of images that the model is tried with before it serves. A GPU allocates and chooses
    /// kernels for each number of images, the CPU hardly: there the largest one is enough, for its memory.
    pub fn warm_up_batches(&self, device: Device) -> Vec<usize> {
        let largest = self.max_batch(device);
        let is_tried = |count: &usize| match device {
            Device::Cpu => *count == 1 || *count == largest,
            _ => *count <= EVERY_BATCH || count.is_power_of_two() || *count == largest,
        };
        (1..=largest).filter(is_tried).collect()
    }
}

/// The number of cores.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests {
    use sdd_core::Device;

    use super::EngineOptions;

    fn options(max_batch: Option<usize>) -> EngineOptions {
        EngineOptions { workers: 4, max_batch, ..EngineOptions::new("model.onnx".into()) }
    }

    #[test]
    fn sessions_and_batches_fit_the_device() {
        let (options, gpu) = (options(None), Device::Cuda(0));
        assert_eq!((options.sessions(Device::Cpu), options.max_batch(Device::Cpu)), (4, 1));
        assert_eq!((options.sessions(gpu), options.max_batch(gpu)), (1, 16));
        assert_eq!(self::options(Some(8)).max_batch(Device::Cpu), 8);
    }

    #[test]
    fn every_batch_that_a_gpu_will_see_is_tried() {
        let gpu = Device::Cuda(0);
        assert_eq!(options(None).warm_up_batches(gpu), (1..=16).collect::<Vec<_>>());
        let many = options(Some(1000)).warm_up_batches(gpu);
        assert_eq!((many.len(), &many[62..]), (68, &[63, 64, 128, 256, 512, 1000][..]));
        assert_eq!(options(None).warm_up_batches(Device::Cpu), [1]);
        assert_eq!(options(Some(8)).warm_up_batches(Device::Cpu), [1, 8]);
    }
}

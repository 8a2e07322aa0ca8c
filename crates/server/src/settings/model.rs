//! What is served, and on what.

use std::path::PathBuf;

use clap::Args;
use sdd_core::{Device, ImageLimits, ReadOptions};
use sdd_serving::engine::{EngineOptions, cores};

use crate::settings::range::at_least_one;

/// The model that ships with this repository, from the folder that the program is started in.
pub const DEFAULT_MODEL: &str = "models/sdd-efficientnet-lite0.onnx";

/// The reference that ships with this repository, beside [`DEFAULT_MODEL`].
pub const DEFAULT_REFERENCE: &str = "models/reference";

/// What is served, and on what.
#[derive(Debug, Clone, Args)]
pub struct ModelSettings {
    /// The model, an ONNX file
    #[arg(long, default_value = DEFAULT_MODEL)]
    pub model: PathBuf,
    /// Description of the model (JSON), instead of the one in its metadata
    #[arg(long)]
    pub model_spec: Option<PathBuf>,
    /// A folder to keep the model in as ONNX Runtime optimizes it for this processor, so that large
    /// models load faster
    #[arg(long)]
    pub model_cache: Option<PathBuf>,
    /// The reference store of the model's training images, made by `drift-index build`
    /// [default: models/reference where it is there; `none` serves without drift]
    #[arg(long)]
    pub reference: Option<PathBuf>,
    /// Nearest reference images shown with an answer
    #[arg(long, default_value_t = 3)]
    pub neighbors: usize,
    /// Where the model runs: cpu, cuda, cuda:N or auto
    #[arg(long, default_value_t = Device::Cpu)]
    pub device: Device,
    /// Threads that decode and, on the CPU, infer, each with the model; on a GPU one thread infers
    /// beside them, whatever --max-batch is [default: one a core]
    #[arg(long, value_parser = at_least_one(1024))]
    pub workers: Option<usize>,
    /// Images that one pass of the model takes at most, of those that are waiting [default: 1 on the
    /// CPU, where more bring nothing, 16 on a GPU]
    #[arg(long, value_parser = at_least_one(1024))]
    pub max_batch: Option<usize>,
    /// Decode large JPEGs at a fraction of their size: faster, but the pixels are no longer quite those
    /// that the model was trained with
    #[arg(long)]
    pub scaled_jpeg: bool,
    /// Largest upload, in bytes
    #[arg(long, default_value_t = ImageLimits::default().max_bytes,
          value_parser = at_least_one(1 << 32))]
    pub max_bytes: usize,
    /// Largest image, in pixels
    #[arg(long, default_value_t = ImageLimits::default().max_pixels,
          value_parser = clap::value_parser!(u64).range(1..))]
    pub max_pixels: u64,
}

impl ModelSettings {
    /// What one image may cost.
    pub fn image_limits(&self) -> ImageLimits {
        ImageLimits {
            max_bytes: self.max_bytes,
            max_pixels: self.max_pixels,
            ..ImageLimits::default()
        }
    }

    /// The reference to open, and whether it was named, so that it has to be there.
    pub fn reference(&self) -> Option<(PathBuf, bool)> {
        match &self.reference {
            Some(named) if named.as_os_str() == "none" => None,
            Some(named) => Some((named.clone(), true)),
            None => Some((PathBuf::from(DEFAULT_REFERENCE), false)),
        }
    }

    /// The device for a pair that takes the place of one on `serving`: left to the program, a GPU that serves is kept.
    pub fn device_after(&self, serving: Device) -> Device {
        match (self.device, serving) {
            (Device::Auto, Device::Cuda(_)) => serving,
            (asked_for, _) => asked_for,
        }
    }

    /// Threads that read images: what was asked for, or the number of cores.
    pub fn workers(&self) -> usize {
        self.workers.unwrap_or_else(cores)
    }

    /// What an engine on this device needs to know. Says in the log where there is no reference.
    pub fn engine_options(&self, device: Device) -> EngineOptions {
        EngineOptions {
            model: self.model.clone(),
            model_spec: self.model_spec.clone(),
            model_cache: self.model_cache.clone(),
            reference: self.reference_to_open(),
            neighbors: self.neighbors,
            device,
            workers: self.workers(),
            max_batch: self.max_batch,
            read: ReadOptions { limits: self.image_limits(), scaled_jpeg: self.scaled_jpeg },
        }
    }

    /// The reference, unless it is the usual one and is not there.
    pub fn reference_to_open(&self) -> Option<PathBuf> {
        let (path, named) = self.reference()?;
        if !named && !path.exists() {
            tracing::warn!("no reference at {}: answers have no drift score", path.display());
            return None;
        }
        Some(path)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use sdd_core::Device;

    use crate::settings::{Cli, ModelSettings};

    fn parse(arguments: &[&str]) -> ModelSettings {
        Cli::parse_from([&["sdd-server"], arguments].concat()).settings.model
    }

    #[test]
    fn a_reload_keeps_to_the_gpu_that_serves() {
        let gpu = Device::Cuda(1);
        let after =
            |asked_for: &str, serving| parse(&["--device", asked_for]).device_after(serving);
        assert_eq!((after("auto", gpu), after("auto", Device::Cpu)), (gpu, Device::Auto));
        assert_eq!((after("cpu", gpu), after("cuda", Device::Cpu)), (Device::Cpu, Device::Cuda(0)));
    }
}

//! The flags that say which model to run, and how.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use sdd_core::{Classifier, ClassifierOptions, DEFAULT_MODEL, Device, ImageLimits, ReadOptions};
use sdd_drift::Reference;
use sdd_index::ModelIdentity;

/// Each session has its own copy of the weights there; a few keep it busy while others decode.
const MOST_SESSIONS_ON_A_GPU: usize = 4;

/// Which model a store is asked with, and how it is run.
#[derive(Debug, Args)]
pub struct ModelArguments {
    #[arg(long, value_name = "FILE.onnx", help = format!(
        "The model, which must be the one that the store was built with \
         [default for images: {DEFAULT_MODEL}]"
    ))]
    model: Option<PathBuf>,

    #[command(flatten)]
    pub inference: InferenceArguments,
}

/// What a store remembers of the model that made its embeddings.
pub fn identity(classifier: &Classifier) -> ModelIdentity {
    let spec = classifier.spec();
    let (name, version) = (spec.name.clone(), spec.version.clone());
    ModelIdentity { name, version, sha256: classifier.sha256().to_owned() }
}

impl ModelArguments {
    /// Opens the model for images, if it is the one of the reference.
    pub fn open_for(&self, reference: &Reference, intra_op_threads: usize) -> Result<Classifier> {
        let model = self.model.as_deref().unwrap_or(Path::new(DEFAULT_MODEL));
        let classifier = self.inference.open(model, intra_op_threads)?;
        reference.check_model(&identity(&classifier), classifier.spec().embedding_dimension)?;
        Ok(classifier)
    }

    /// Where there are embeddings instead of images no model is needed: one that is named all the same must be that
    /// of the reference.
    pub fn check_if_named(&self, reference: &Reference) -> Result<()> {
        if self.model.is_some() {
            self.open_for(reference, 1)?;
        }
        Ok(())
    }
}

/// How a model is run; which one is a matter of the subcommand.
#[derive(Debug, Args)]
#[command(next_help_heading = "Model")]
pub struct InferenceArguments {
    /// Describes the model instead of its own metadata
    #[arg(long, value_name = "FILE.json", requires = "model")]
    sidecar: Option<PathBuf>,

    /// Where the model runs: cpu, cuda, cuda:N or auto
    #[arg(long, default_value = "cpu", value_name = "DEVICE")]
    device: Device,

    /// CPU threads [default: one a core]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,

    /// Largest image file, in bytes
    #[arg(long, default_value_t = ImageLimits::default().max_bytes, value_name = "N")]
    max_bytes: usize,

    /// Largest width and height of an image, in pixels
    #[arg(long, default_value_t = ImageLimits::default().max_side, value_name = "N")]
    max_side: u32,

    /// Largest width times height of an image
    #[arg(long, default_value_t = ImageLimits::default().max_pixels, value_name = "N")]
    max_pixels: u64,
}

impl InferenceArguments {
    /// Opens the model, each of its inferences on that many threads.
    pub fn open(&self, model: &Path, intra_op_threads: usize) -> Result<Classifier> {
        let options = ClassifierOptions {
            device: self.device,
            intra_op_threads,
            read: ReadOptions { limits: self.limits(), ..ReadOptions::default() },
            sidecar: self.sidecar.clone(),
            model_cache: None,
        };
        Classifier::open(model, &options)
            .with_context(|| format!("cannot use the model {}", model.display()))
    }

    /// One classifier a thread, as far as there are images for them.
    pub fn fork(&self, first: Classifier, images: usize) -> Result<Vec<Classifier>> {
        let mut sessions = self.threads().min(images);
        if first.device() != Device::Cpu {
            sessions = sessions.min(MOST_SESSIONS_ON_A_GPU);
        }
        let mut classifiers: Vec<_> =
            (1..sessions).map(|_| first.fork()).collect::<Result<_, _>>()?;
        classifiers.push(first);
        Ok(classifiers)
    }

    pub fn threads(&self) -> usize {
        let cores = std::thread::available_parallelism();
        self.threads.or(cores.ok()).map_or(1, NonZeroUsize::get)
    }

    pub fn limits(&self) -> ImageLimits {
        ImageLimits {
            max_bytes: self.max_bytes,
            max_side: self.max_side,
            max_pixels: self.max_pixels,
        }
    }
}

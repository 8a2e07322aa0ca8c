//! Which model to run, and how: one set of flags for all commands.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use sdd_core::{Classifier, ClassifierOptions, Device, ImageLimits, ModelSpec, ReadOptions};
use sdd_drift::reference::check_model;
use sdd_index::{Manifest, ModelIdentity};

use crate::parallel::threads;

/// The model that ships with this repository, from the folder that the program is started in.
const DEFAULT_MODEL: &str = "models/sdd-efficientnet-lite0.onnx";

/// Each session has its own copy of the weights there; a few keep it busy while others decode.
const MOST_SESSIONS_ON_A_GPU: usize = 4;

/// The model, and how it is run.
#[derive(Debug, Args)]
#[command(next_help_heading = "Model")]
pub struct ModelArguments {
    #[arg(long, value_name = "FILE.onnx", help = format!(
        "The model that makes, or made, the embeddings [default for images: {DEFAULT_MODEL}]"
    ))]
    model: Option<PathBuf>,

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

impl ModelArguments {
    pub fn limits(&self) -> ImageLimits {
        ImageLimits {
            max_bytes: self.max_bytes,
            max_side: self.max_side,
            max_pixels: self.max_pixels,
        }
    }

    pub fn is_named(&self) -> bool {
        self.model.is_some()
    }

    fn open(&self) -> Result<Classifier> {
        let model = self.model.as_deref().unwrap_or(Path::new(DEFAULT_MODEL));
        let options = ClassifierOptions {
            device: self.device,
            // Images are classified side by side, each on one thread.
            intra_op_threads: 1,
            read: ReadOptions { limits: self.limits(), ..ReadOptions::default() },
            sidecar: self.sidecar.clone(),
            model_cache: None,
        };
        Classifier::open(model, &options)
            .with_context(|| format!("cannot use the model {}", model.display()))
    }
}

/// A model that is opened where images need it, and once.
pub struct Model<'a> {
    arguments: &'a ModelArguments,
    /// It must be the model of this store.
    store: Option<&'a Manifest>,
    /// One where it was opened, and more where these are needed.
    sessions: Vec<Classifier>,
}

impl<'a> Model<'a> {
    /// Any model.
    pub fn new(arguments: &'a ModelArguments) -> Self {
        Self { arguments, store: None, sessions: Vec::new() }
    }

    /// That of the store.
    pub fn of(store: &'a Manifest, arguments: &'a ModelArguments) -> Self {
        Self { store: Some(store), ..Self::new(arguments) }
    }

    fn open(&mut self) -> Result<&mut Vec<Classifier>> {
        if self.sessions.is_empty() {
            let first = self.arguments.open()?;
            if let Some(store) = self.store {
                check_model(store, &identity(&first), first.spec().embedding_dimension)?;
            }
            self.sessions.push(first);
        }
        Ok(&mut self.sessions)
    }

    /// Where there are embeddings instead of images no model is needed: one that is named all the same must be the
    /// right one.
    pub fn open_if_named(&mut self) -> Result<()> {
        if self.arguments.is_named() {
            self.open()?;
        }
        Ok(())
    }

    pub fn spec(&mut self) -> Result<ModelSpec> {
        Ok(self.open()?[0].spec().clone())
    }

    /// One session a thread, as far as there are images for them.
    pub fn sessions(&mut self, images: usize) -> Result<&mut [Classifier]> {
        let threads = self.arguments.threads.map_or_else(threads, NonZeroUsize::get);
        let sessions = self.open()?;
        let mut wanted = threads.min(images).max(1);
        if sessions[0].device() != Device::Cpu {
            wanted = wanted.min(MOST_SESSIONS_ON_A_GPU);
        }
        while sessions.len() < wanted {
            sessions.push(sessions[0].fork()?);
        }
        Ok(&mut sessions[..wanted])
    }

    pub fn max_bytes(&self) -> usize {
        self.arguments.max_bytes
    }

    /// What a store remembers of the model, if it was opened.
    pub fn identity(&self) -> Option<ModelIdentity> {
        self.sessions.first().map(identity)
    }
}

fn identity(classifier: &Classifier) -> ModelIdentity {
    let spec = classifier.spec();
    let (name, version) = (spec.name.clone(), spec.version.clone());
    ModelIdentity { name, version, sha256: classifier.sha256().to_owned() }
}

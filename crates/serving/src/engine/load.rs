//! A model and its reference from files, checked against each other and run once.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use sdd_core::{Classifier, ClassifierOptions, Device, ModelSpec};
use sdd_drift::{Calibration, Reference};
use sdd_index::ModelIdentity;
use sdd_monitor::MonitorSettings;
use serde::Serialize;
use thiserror::Error;

use crate::causes::chain_of;
use crate::engine::job::Answer;
use crate::engine::options::EngineOptions;
use crate::watched::WatchedPair;

/// Why a pair cannot be served.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The model.
    #[error("the model cannot be served")]
    Model(#[source] sdd_core::Error),
    /// The reference store, or the two together.
    #[error("the reference {path} cannot be used")]
    Reference {
        /// The store.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: sdd_drift::Error,
    },
}

/// A loaded model, a session a thread, and the reference that belongs to it.
pub struct Pair {
    pub(crate) classifiers: Vec<Classifier>,
    /// Threads that read images.
    pub(crate) readers: usize,
    /// Images in one pass of the model at most.
    pub(crate) max_batch: usize,
    /// Nearest reference images in an answer.
    pub(crate) neighbors: usize,
    pub(crate) reference: Option<Arc<Reference>>,
    pub(crate) served: ServedModel,
}

/// What is served, as far as answers tell of it.
#[derive(Debug, Clone)]
pub struct ServedModel {
    /// The file.
    pub path: PathBuf,
    /// SHA-256 of the file, 64 hexadecimal digits.
    pub sha256: String,
    /// What the model says of itself.
    pub spec: ModelSpec,
    /// The device in use.
    pub device: Device,
    /// Sessions of the model, each with a thread.
    pub sessions: usize,
    /// The reference, where there is one.
    pub reference: Option<ServedReference>,
    /// The pair as it is watched for drift over time, if it is.
    pub watched: Option<Arc<WatchedPair>>,
}

impl ServedModel {
    /// The group of an image by the name of its file, where the reference's are told by their names.
    pub fn group_of(&self, file_name: &str) -> Option<String> {
        self.watched.as_ref()?.reference.group_of(file_name)
    }

    /// The class that the model decided for.
    pub fn class_of(&self, answer: &Answer) -> &str {
        &self.spec.labels[answer.prediction.class_index]
    }
}

/// The reference that images are compared with.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = Reference))]
pub struct ServedReference {
    /// Which generation of its store, as `drift-index show --history` numbers them.
    pub generation: u64,
    /// SHA-256 of that generation, 64 hexadecimal digits.
    #[cfg_attr(feature = "openapi", schema(pattern = "^[0-9a-f]{64}$"))]
    pub checksum: String,
    /// Number of reference images.
    pub images: usize,
    /// Name of the score, as `knn`.
    pub method: String,
    /// Scores above it are out of distribution; `null` without a calibration, and where each predicted
    /// class has its own.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub threshold: Option<f64>,
    /// The false-alarm rate that the threshold was calibrated for; `null` without a calibration.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub alpha: Option<f64>,
    /// Number of calibration images; `null` without a calibration.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub calibration_images: Option<usize>,
    /// Of how many groups they are (parts, trays, shifts), each of which counts once; `null` where images have none.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub calibration_groups: Option<usize>,
    /// The smallest p-value that an image can have: above `alpha`, no image can be out of distribution. `null` without
    /// a calibration.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub smallest_p_value: Option<f64>,
}

impl Pair {
    /// Loads model and reference, and runs the model once in each session.
    ///
    /// # Errors
    /// [`LoadError`] says which of the two, and why.
    pub fn load(options: &EngineOptions) -> Result<Self, LoadError> {
        let started = Instant::now();
        let first = Classifier::open(&options.model, &classifier_options(options))
            .map_err(LoadError::Model)?;
        // Before the sessions, which take longer.
        let reference = load_reference(options, &first)?;
        let first = warm_up_or_fall_back(first, options).map_err(LoadError::Model)?;
        let sessions = options.sessions(first.device());
        let mut classifiers = Vec::with_capacity(sessions);
        for _ in 1..sessions {
            let mut fork = first.fork().map_err(LoadError::Model)?;
            warm_up(&mut fork, options).map_err(LoadError::Model)?;
            classifiers.push(fork);
        }
        classifiers.push(first);
        let classifier = &classifiers[0];
        let served = ServedModel {
            path: options.model.clone(),
            sha256: classifier.sha256().to_owned(),
            spec: classifier.spec().clone(),
            device: classifier.device(),
            sessions,
            watched: None,
            reference: reference.as_deref().map(describe),
        };
        tracing::info!(
            model = served.spec.name,
            version = served.spec.version,
            device = %served.device,
            sessions,
            drift = reference.is_some(),
            "model loaded in {} ms",
            started.elapsed().as_millis()
        );
        let max_batch = options.max_batch(served.device);
        // A session at least, and with it a reader.
        let (readers, neighbors) = (options.workers.max(1), options.neighbors);
        Ok(Self { classifiers, readers, max_batch, neighbors, reference, served })
    }

    /// Has what the pair answers watched for drift over time.
    ///
    /// # Errors
    /// As [`WatchedPair::new`]: settings and calibration do not go together.
    pub fn watch(&mut self, settings: &MonitorSettings) -> sdd_monitor::Result<()> {
        if let Some(reference) = &self.reference {
            let positive_class = self.served.spec.positive_label().map(str::to_owned);
            let settings = MonitorSettings { positive_class, ..settings.clone() };
            let pair = WatchedPair::new(&self.served.sha256, reference, settings)?;
            self.served.watched = Some(Arc::new(pair));
        }
        Ok(())
    }

    /// What is served by this pair.
    pub fn served(&self) -> &ServedModel {
        &self.served
    }
}

/// Runs the model on as many images at a time as it will be: the first pass of each number allocates
/// and chooses kernels, not at the cost of the first clients, and what does not fit onto the device is
/// found now.
fn warm_up(classifier: &mut Classifier, options: &EngineOptions) -> sdd_core::Result<()> {
    let batches = options.warm_up_batches(classifier.device());
    batches.into_iter().try_for_each(|count| classifier.warm_up(count))
}

/// Warms the model up, on the CPU where the device was left to the program and the one found turns out
/// not to work.
fn warm_up_or_fall_back(
    mut classifier: Classifier,
    options: &EngineOptions,
) -> sdd_core::Result<Classifier> {
    let warmed = warm_up(&mut classifier, options);
    match warmed {
        Err(error) if options.device == Device::Auto && classifier.device() != Device::Cpu => {
            tracing::warn!("running on the CPU: {}", chain_of(&error));
            let on_cpu = ClassifierOptions { device: Device::Cpu, ..classifier_options(options) };
            // The memory of the device is others' again.
            drop(classifier);
            let mut classifier = Classifier::open(&options.model, &on_cpu)?;
            warm_up(&mut classifier, options)?;
            Ok(classifier)
        }
        warmed => warmed.map(|()| classifier),
    }
}

fn classifier_options(options: &EngineOptions) -> ClassifierOptions {
    ClassifierOptions {
        device: options.device,
        intra_op_threads: 1,
        read: options.read.clone(),
        sidecar: options.model_spec.clone(),
        model_cache: options.model_cache.clone(),
    }
}

fn load_reference(
    options: &EngineOptions,
    classifier: &Classifier,
) -> Result<Option<Arc<Reference>>, LoadError> {
    let Some(path) = &options.reference else { return Ok(None) };
    let open = || {
        let (reference, spec) = (Reference::open(path)?, classifier.spec());
        let identity = ModelIdentity::new(&spec.name, &spec.version, classifier.sha256());
        reference.check_model(&identity, spec.embedding_dimension)?;
        Ok(reference)
    };
    let reference = open().map_err(|source| LoadError::Reference { path: path.clone(), source })?;
    if reference.model().is_none() {
        tracing::warn!(
            "the reference {} does not say which model it was built with",
            path.display()
        );
    }
    Ok(Some(Arc::new(reference)))
}

fn describe(reference: &Reference) -> ServedReference {
    let calibration = reference.calibration();
    let manifest = reference.store().manifest();
    ServedReference {
        generation: manifest.generation,
        checksum: manifest.checksum.clone(),
        images: reference.store().len(),
        method: reference.score().method().name().to_owned(),
        threshold: calibration.and_then(Calibration::threshold),
        alpha: calibration.map(Calibration::alpha),
        calibration_images: calibration.map(Calibration::images),
        calibration_groups: calibration.and_then(Calibration::groups),
        smallest_p_value: calibration.map(Calibration::smallest_p_value),
    }
}

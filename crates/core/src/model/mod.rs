//! The model in ONNX Runtime: tensor in, probabilities and embeddings out.
//!
//! All that this crate uses of `ort` stands in this module.

mod cache;
mod graph;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use ort::environment::Environment;
use ort::ep::{CUDA, ExecutionProvider};
use ort::session::Session;
use ort::session::builder::{GraphOptimizationLevel, PrepackedWeights, SessionBuilder};
use ort::value::{DynValue, TensorRef};
use sha2::{Digest, Sha256};

use cache::Cache;
use graph::check_graph;

use crate::device::Device;
use crate::error::{Error, Result};
use crate::options::ClassifierOptions;
use crate::spec::{METADATA_KEY, ModelSpec};
use crate::{regular_file, runtime};

/// What the model answers for a batch of N images, image after image.
#[derive(Default)]
pub(crate) struct Outputs {
    /// One of the positive label, or one a label.
    pub probabilities: Vec<f32>,
    /// `embedding_dimension` values each.
    pub embeddings: Vec<f32>,
}

/// A loaded model, for one thread at a time. [`fork`](Model::fork) makes more of it.
#[derive(Debug)]
pub(crate) struct Model {
    session: Session,
    shared: Arc<Shared>,
}

/// What all forks of a model have in common.
#[derive(Debug)]
struct Shared {
    source: Source,
    sha256: String,
    spec: ModelSpec,
    /// The device in use: never [`Device::Auto`].
    device: Device,
    /// The number of images that the graph insists on, where it does.
    fixed_batch: Option<usize>,
}

/// What sessions are made of.
#[derive(Debug)]
struct Source {
    path: PathBuf,
    /// The content of the model file, or the same graph optimized.
    graph: Vec<u8>,
    optimized: bool,
    intra_op_threads: usize,
    prepacked: PrepackedWeights,
}

impl Model {
    /// See [`Classifier::open`](crate::Classifier::open).
    pub fn open(path: &Path, options: &ClassifierOptions) -> Result<Self> {
        let graph = read_file(path)?;
        // Before anything else of ort, which would look for the library itself, and panic.
        environment()?;
        let sha256 = format!("{:x}", Sha256::digest(&graph));
        let mut source = Source {
            path: path.to_owned(),
            graph,
            optimized: false,
            intra_op_threads: options.intra_op_threads.max(1),
            prepacked: PrepackedWeights::new(),
        };
        let mut start = |device| match &options.model_cache {
            Some(folder) if device == Device::Cpu => start_cached(&mut source, folder, &sha256),
            _ => start_session(&source, device, None),
        };
        let (device, session) = match options.device {
            Device::Auto => match start(Device::Cuda(0)) {
                Ok(session) => (Device::Cuda(0), session),
                // Also where the session fails and not the provider: a GPU that is full, or that another
                // program has to itself. What is the model's fault is the CPU's error, too.
                Err(error) => {
                    let session = start(Device::Cpu)?;
                    tracing::warn!("running on the CPU: {}", chain(&error));
                    (Device::Cpu, session)
                }
            },
            device => (device, start(device)?),
        };
        let spec = find_spec(path, &session, options.sidecar.as_deref())?;
        let fixed_batch = check_graph(&session, &spec)
            .map_err(|reason| Error::SpecMismatch { path: path.to_owned(), reason })?;
        let shared = Shared { source, sha256, spec, device, fixed_batch };
        Ok(Self { session, shared: Arc::new(shared) })
    }

    /// The same model for another thread; the weights as the kernels want them are shared.
    pub fn fork(&self) -> Result<Self> {
        let shared = &self.shared;
        let session = start_session(&shared.source, shared.device, None)?;
        Ok(Self { session, shared: Arc::clone(shared) })
    }

    pub fn spec(&self) -> &ModelSpec {
        &self.shared.spec
    }

    pub fn sha256(&self) -> &str {
        &self.shared.sha256
    }

    pub fn device(&self) -> Device {
        self.shared.device
    }

    /// Runs a batch of preprocessed images, their tensors one after the other. A graph with a fixed batch size of 1
    /// runs once an image.
    ///
    /// # Errors
    /// [`Error::Inference`] when ONNX Runtime fails, [`Error::Output`] when what it answers has the
    /// wrong shape. Values that are not finite are one image's matter, not that of its whole batch.
    pub fn run(&mut self, tensors: &[f32]) -> Result<Outputs> {
        let Shared { spec, fixed_batch, .. } = &*self.shared;
        let [channels, height, width] = spec.input_shape();
        let tensor_len = channels * height * width;
        let count = tensors.len() / tensor_len;
        let mut outputs = Outputs::default();
        for part in tensors.chunks(fixed_batch.unwrap_or(count).max(1) * tensor_len) {
            let rows = part.len() / tensor_len;
            let shape = [rows, channels, height, width];
            let input = TensorRef::from_array_view((shape, part)).map_err(inference)?;
            let answers =
                self.session.run(ort::inputs![spec.input.as_str() => input]).map_err(inference)?;
            let names = &spec.outputs;
            for (name, columns, found) in [
                (&names.probability, spec.probability_columns(), &mut outputs.probabilities),
                (&names.embedding, spec.embedding_dimension, &mut outputs.embeddings),
            ] {
                append_output(name, &answers[name.as_str()], [rows, columns], found)?;
            }
        }
        Ok(outputs)
    }
}

/// The process's ONNX Runtime environment, made at the first call.
fn environment() -> Result<&'static Environment> {
    static ENVIRONMENT: OnceLock<Result<Environment, String>> = OnceLock::new();
    let load = || {
        let library = runtime::find_library()?;
        let environment = ort::init_from(&library)
            .map_err(|error| error.to_string())?
            .with_name("sdd")
            .with_telemetry(false)
            .build()
            .map_err(|error| error.to_string())?;
        tracing::debug!(library = %library.display(), build = ort::info(), "ONNX Runtime loaded");
        Ok(environment)
    };
    ENVIRONMENT
        .get_or_init(load)
        .as_ref()
        .map_err(|reason| Error::Runtime { reason: reason.clone() })
}

/// Starts from the optimized graph in `folder`, or puts one there. What is wrong with the folder or
/// with what is in it costs time only.
fn start_cached(source: &mut Source, folder: &Path, sha256: &str) -> Result<Session> {
    let Some(cache) = Cache::new(folder, &source.graph, sha256, ort::info()) else {
        tracing::warn!("the model is not cached: cannot tell which processor this is");
        return start_session(source, Device::Cpu, None);
    };
    if let Some(graph) = cache.load() {
        let original = std::mem::replace(&mut source.graph, graph);
        source.optimized = true;
        match start_session(source, Device::Cpu, None) {
            Ok(session) => return Ok(session),
            Err(error) => tracing::warn!("the cached model is not used: {error}"),
        }
        source.graph = original;
        source.optimized = false;
    }
    cache.store(|path| start_session(source, Device::Cpu, Some(path))).or_else(|error| {
        tracing::warn!("the model is not cached in {}: {error}", folder.display());
        start_session(source, Device::Cpu, None)
    })
}

/// Starts a session, which writes its optimized graph where there is a path for it.
fn start_session(source: &Source, device: Device, write_to: Option<&Path>) -> Result<Session> {
    let environment = environment()?;
    let load = |error: ort::Error| Error::Load {
        path: source.path.clone(),
        reason: format!("ONNX Runtime refuses it on `{device}`"),
        source: Box::new(error),
    };
    let configure = || -> ort::Result<SessionBuilder> {
        let mut builder = SessionBuilder::new(environment)?;
        if source.optimized {
            builder = builder.with_optimization_level(GraphOptimizationLevel::Disable)?;
        }
        if let Some(path) = write_to {
            builder = builder.with_optimized_model_path(path)?;
        }
        Ok(builder
            .with_intra_threads(source.intra_op_threads)?
            .with_inter_threads(1)?
            // Threads that spin while they wait take the cores that decode the next image.
            .with_intra_op_spinning(false)?
            .with_inter_op_spinning(false)?
            .with_prepacked_weights(&source.prepacked)?)
    };
    let mut builder = configure().map_err(load)?;
    if let Device::Cuda(ordinal) = device {
        builder = with_cuda(builder, ordinal)?;
    }
    builder.commit_from_memory(&source.graph).map_err(load)
}

/// Puts the GPU first. ONNX Runtime would fall back to the CPU without a word; this does not.
fn with_cuda(builder: SessionBuilder, ordinal: u16) -> Result<SessionBuilder> {
    let unavailable =
        |reason: String| Error::Device { device: Device::Cuda(ordinal).to_string(), reason };
    match CUDA::is_available() {
        Ok(true) => {}
        Ok(false) => {
            return Err(unavailable(
                "this build of ONNX Runtime has no CUDA; SDD_ONNXRUNTIME can name the library of the \
                 package `onnxruntime-gpu`"
                    .into(),
            ));
        }
        Err(error) => return Err(unavailable(error.to_string())),
    }
    let provider = CUDA::default().with_device_id(i32::from(ordinal)).build().error_on_failure();
    builder.with_execution_providers([provider]).map_err(|error| unavailable(error.to_string()))
}

fn read_file(path: &Path) -> Result<Vec<u8>> {
    let read = || {
        let (mut file, _) = regular_file::open(path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().map_err(|source| Error::Read { path: path.to_owned(), source })
}

/// The named sidecar, else the file's own metadata, else the sidecar beside it.
fn find_spec(path: &Path, session: &Session, sidecar: Option<&Path>) -> Result<ModelSpec> {
    let from_file = |file: &Path| {
        let json = String::from_utf8(read_file(file)?)
            .map_err(|error| std::io::Error::new(std::io::ErrorKind::InvalidData, error))
            .map_err(|source| Error::Read { path: file.to_owned(), source })?;
        ModelSpec::from_json(&json, &file.display().to_string())
    };
    if let Some(sidecar) = sidecar {
        return from_file(sidecar);
    }
    if let Some(json) = session.metadata().map_err(inference)?.custom(METADATA_KEY) {
        return ModelSpec::from_json(&json, &format!("{}'s metadata", path.display()));
    }
    let beside = path.with_extension("json");
    if beside.is_file() {
        return from_file(&beside);
    }
    Err(Error::MissingSpec { path: path.to_owned(), key: METADATA_KEY, sidecar: beside })
}

fn append_output(
    name: &str,
    value: &DynValue,
    expected: [usize; 2],
    found: &mut Vec<f32>,
) -> Result<()> {
    let (shape, values) = value.try_extract_tensor::<f32>().map_err(inference)?;
    if values.len() != expected[0] * expected[1] {
        let reason = format!("expected {expected:?}, found {shape:?}");
        return Err(Error::Output { output: name.to_owned(), reason });
    }
    found.extend_from_slice(values);
    Ok(())
}

/// An error with its causes, in one line.
fn chain(error: &Error) -> String {
    let causes = std::iter::successors(Some(error as &dyn std::error::Error), |e| e.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn inference(error: ort::Error) -> Error {
    Error::Inference(Box::new(error))
}

//! What all requests share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use sdd_core::Device;
use sdd_serving::Allowance;
use sdd_serving::capture::{Capture, CaptureError};
use sdd_serving::engine::{Admission, Answer, Engine, EngineObserver, LoadError, Pair};
use sdd_serving::recording::{Recorder, observation};
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::connections::OpenConnections;
use crate::error::ApiError;
use crate::metrics::Metrics;
use crate::recorder::{self, MonitorError};
use crate::request::RequestContext;
use crate::security::{Security, SecurityError};
use crate::settings::{AdminAddress, Settings};
use crate::telemetry::{TraceError, Traces};

/// The state of a running server.
pub struct Service {
    /// As it was started.
    pub settings: Settings,
    /// The room for images in the engine.
    pub admission: Arc<Admission>,
    /// The memory for uploads.
    pub uploads: Allowance,
    /// Who may ask.
    pub security: Security,
    /// The connections, and the requests on them.
    pub open_connections: OpenConnections,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Where predictions are kept, if they are.
    pub capture: Option<Capture>,
    /// What remembers predictions, for drift over time, if they are remembered.
    pub recorder: Option<Recorder>,
    /// Where the traces of requests go; `None` without a collector.
    pub traces: Option<Traces>,
    engine: ArcSwap<Engine>,
    reloading: Arc<Mutex<()>>,
    /// Set once the server is no longer ready.
    pub is_stopping: AtomicBool,
    /// Set once each connection is closed after its next answer.
    pub is_closing_connections: AtomicBool,
}

impl Service {
    /// Loads and warms up what the settings name.
    pub fn start(settings: &Settings) -> Result<Self, StartError> {
        let security = Security::open(&settings.security, &settings.host)?;
        let admission = Arc::new(Admission::new(settings.model.workers(), settings.limits.queue));
        let metrics = Arc::new(Metrics::new());
        // Before the model, which takes longer.
        let capture = settings.capture.options();
        let capture = capture.as_ref().map(Capture::start).transpose()?;
        let recorder = recorder::start(&settings.drift)?;
        let traces = Traces::start(&settings.telemetry)?;
        let engine = start_engine(settings, settings.model.device, &admission, &metrics)?;
        serve_watched(recorder.as_ref(), &engine);
        Ok(Self {
            settings: settings.clone(),
            uploads: Allowance::new(settings.limits.max_upload_memory),
            admission,
            security,
            open_connections: OpenConnections::default(),
            metrics,
            capture,
            recorder,
            traces,
            engine: ArcSwap::from_pointee(engine),
            reloading: Arc::default(),
            is_stopping: AtomicBool::new(false),
            is_closing_connections: AtomicBool::new(false),
        })
    }

    /// The model and reference that answer requests which begin now. A request keeps to the one that
    /// it began with.
    pub fn engine(&self) -> Arc<Engine> {
        self.engine.load_full()
    }

    /// The right to reload now.
    pub fn try_reload_turn(&self) -> Result<ReloadTurn, ApiError> {
        Arc::clone(&self.reloading).try_lock_owned().map_err(|_| ApiError::ReloadInProgress)
    }

    /// The right to reload, once nobody else has it.
    pub async fn reload_turn(&self) -> ReloadTurn {
        Arc::clone(&self.reloading).lock_owned().await
    }

    /// Reads keys and certificate anew, then loads model and reference anew, both from the files that
    /// the settings name, warms the model up, and answers with it from then on. Blocks for as long as
    /// that takes. What runs on a GPU stays there: while the old pair is on it, too, a new one may not fit, and would
    /// be many times slower on the CPU.
    ///
    /// After an error the old pair goes on answering. What is wrong with the model does not keep a key from being
    /// taken back.
    pub fn reload(&self, turn: ReloadTurn) -> Result<Arc<Engine>, StartError> {
        let engine = self.security.reload().map_err(StartError::from);
        let device = self.settings.model.device_after(self.engine().served().device);
        let engine = engine
            .and_then(|()| start_engine(&self.settings, device, &self.admission, &self.metrics));
        self.metrics.reload(engine.is_ok());
        let engine = Arc::new(engine?);
        // The threads of the old one end when its last request has been answered.
        self.engine.store(Arc::clone(&engine));
        serve_watched(self.recorder.as_ref(), &engine);
        drop(turn);
        Ok(engine)
    }

    /// Has the answers of one request kept and remembered, all that the client is about to see and
    /// nothing else: capture and recorder tell the same.
    pub async fn remember(
        &self,
        context: &RequestContext,
        engine: &Engine,
        answers: impl IntoIterator<Item = &Answer>,
    ) {
        let served = engine.served();
        let answers: Vec<_> = answers.into_iter().collect();
        if let Some(capture) = &self.capture {
            for answer in &answers {
                capture.offer(&context.id, answer, served);
            }
        }
        let (Some(recorder), Some(pair)) = (&self.recorder, &served.watched) else { return };
        let of = |answer| observation(answer, &context.id, served);
        let observations: Vec<_> = answers.into_iter().filter_map(of).collect();
        self.metrics.drift(&observations);
        recorder.record(pair, observations).await;
    }

    /// Images in one request at most: as many as are asked for, and as there is room for.
    pub fn max_images(&self) -> usize {
        self.settings.limits.max_images.min(self.admission.limit())
    }

    /// Says in the log which settings cannot be had.
    pub fn warn(&self) {
        let (memory, bytes) = (self.uploads.limit(), self.settings.model.max_bytes);
        if memory < bytes {
            tracing::warn!(
                "an image may have {memory} bytes, not the {bytes} of --max-bytes: there is no memory for more, see \
                 --max-upload-memory"
            );
        }
        let (asked_for, images) = (self.settings.limits.max_images, self.max_images());
        if images < asked_for {
            tracing::warn!(
                "a request may have {images} images, not the {asked_for} of --max-images: there is no room for more, see --queue"
            );
        }
    }

    /// Whether new work is welcome.
    pub fn readiness(&self) -> Result<(), ApiError> {
        if self.is_stopping.load(Ordering::SeqCst) {
            return Err(ApiError::Stopping);
        }
        self.liveness()?;
        Ok(self.engine().check()?)
    }

    /// Whether the process should go on. With a thread lost images might wait for ever, and where the
    /// model fails on a blank input in any new session, a new process is likely to do better.
    pub fn liveness(&self) -> Result<(), ApiError> {
        let engine = self.engine();
        if !engine.is_whole() {
            return Err(ApiError::ThreadLost);
        }
        if engine.needs_restart() { Ok(engine.check()?) } else { Ok(()) }
    }
}

/// The right to load model and reference anew, which one has at a time.
pub type ReloadTurn = OwnedMutexGuard<()>;

/// Why the server cannot start, or take what it serves anew.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Who may ask.
    #[error(transparent)]
    Security(#[from] SecurityError),
    /// What should be served.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Where predictions should be kept.
    #[error("nothing can be captured, see --capture")]
    Capture(#[from] CaptureError),
    /// What remembers predictions.
    #[error(transparent)]
    Monitor(#[from] MonitorError),
    /// The threads.
    #[error("cannot start the server's threads")]
    Threads(#[source] std::io::Error),
    /// The collector.
    #[error(transparent)]
    Traces(#[from] TraceError),
    /// The address.
    #[error("cannot listen on {host}:{port}; --host and --port choose another address")]
    Listen {
        host: String,
        port: u16,
        #[source]
        source: std::io::Error,
    },
    /// The address of administration.
    #[error("cannot listen on {address}, which --admin-address names")]
    Administration {
        address: AdminAddress,
        #[source]
        source: std::io::Error,
    },
    /// The files that it may open.
    #[error("only {0} files may be open at a time, which is not enough to start: see ulimit -n")]
    Files(u64),
    /// The signals.
    #[error("cannot listen to signals")]
    Signals(#[source] std::io::Error),
}

fn serve_watched(recorder: Option<&Recorder>, engine: &Engine) {
    if let (Some(recorder), Some(pair)) = (recorder, &engine.served().watched) {
        recorder.serve(pair);
    }
}

fn start_engine(
    settings: &Settings,
    device: Device,
    admission: &Arc<Admission>,
    metrics: &Arc<Metrics>,
) -> Result<Engine, StartError> {
    let mut pair = Pair::load(&settings.model.engine_options(device))?;
    pair.watch(&settings.drift.tests()).map_err(MonitorError::Settings)?;
    let observer: Arc<dyn EngineObserver> = metrics.clone();
    Engine::start(pair, admission, &observer).map_err(StartError::Threads)
}

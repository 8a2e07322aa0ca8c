//! From settings to a server that listens.

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::dev::Server;
use actix_web::middleware::from_fn;
use actix_web::web::Data;
use actix_web::{App, HttpServer};
use sdd_core::{Classifier, ClassifierOptions, ReadOptions};
use sdd_drift::Reference;
use thiserror::Error;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::inference::{Inference, ServedModel};
use crate::routes::{self, UploadLimits};
use crate::settings::Settings;
use crate::telemetry;

/// Threads that read and write HTTP; decoding and inference have threads of their own.
const HTTP_THREADS: usize = 2;

/// Time that a client has to send a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// Why the server could not start.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartupError {
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
    /// The address.
    #[error("cannot listen on {host}:{port}; --host and --port choose another address")]
    Listen {
        /// The address asked for.
        host: String,
        /// The port asked for.
        port: u16,
        /// What the operating system says.
        #[source]
        source: std::io::Error,
    },
    /// The threads.
    #[error("cannot start the server's threads")]
    Threads(#[source] std::io::Error),
}

/// A server with its model loaded, listening but not yet answering.
pub struct Application {
    server: Server,
    inference: Data<Inference>,
    port: u16,
}

impl Application {
    /// Loads model and reference, runs the model once, and binds the address.
    ///
    /// # Errors
    /// [`StartupError`] says which part, and why.
    pub fn build(settings: &Settings) -> Result<Self, StartupError> {
        let started = Instant::now();
        let classifiers = load_classifiers(settings).map_err(StartupError::Model)?;
        let model = ServedModel::from(&classifiers[0]);
        let reference = load_reference(settings, &classifiers[0])?;
        tracing::info!(
            model = model.name,
            version = model.version,
            device = %classifiers[0].device(),
            workers = classifiers.len(),
            drift = reference.is_some(),
            "model loaded in {} ms",
            started.elapsed().as_millis()
        );
        let inference =
            Inference::start(classifiers, reference.as_ref(), settings.neighbors, settings.queue)
                .map_err(StartupError::Threads)?;
        let listen = |source| StartupError::Listen {
            host: settings.host.clone(),
            port: settings.port,
            source,
        };
        let address = (settings.host.trim_matches(['[', ']']), settings.port);
        let listener = TcpListener::bind(address).map_err(listen)?;
        let bound = listener.local_addr().map_err(listen)?;
        let inference = Data::new(inference);
        let server = serve(listener, settings, inference.clone(), model).map_err(listen)?;
        tracing::info!("listening on http://{bound}");
        Ok(Self { server, inference, port: bound.port() })
    }

    /// The port in use, also where the settings left the choice to the operating system.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Answers requests until SIGTERM or SIGINT, then those in flight. A second signal ends it at
    /// once.
    ///
    /// # Errors
    /// What the server's sockets say.
    pub async fn run_until_stopped(self) -> std::io::Result<()> {
        let mut signals = Signals::listen()?;
        let handle = self.server.handle();
        let told_twice = async move {
            signals.next().await;
            tracing::info!("stopping once the requests in flight are answered");
            // Not awaited, so that a second signal is heard meanwhile.
            drop(actix_web::rt::spawn(handle.stop(true)));
            signals.next().await;
        };
        tokio::select! {
            ended = self.server => ended?,
            () = told_twice => {
                tracing::warn!("told to stop twice: not waiting for requests");
                return Ok(());
            }
        }
        tracing::info!("stopped");
        // Without requests nothing else holds it.
        if let Ok(inference) = Arc::try_unwrap(self.inference.into_inner()) {
            inference.stop();
        }
        Ok(())
    }
}

/// What tells the server to stop.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        let terminate = signal(SignalKind::terminate())?;
        Ok(Self { terminate, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

fn load_classifiers(settings: &Settings) -> sdd_core::Result<Vec<Classifier>> {
    let options = ClassifierOptions {
        device: settings.device,
        intra_op_threads: 1,
        read: ReadOptions { limits: settings.image_limits(), ..ReadOptions::default() },
        sidecar: settings.model_spec.clone(),
        model_cache: None,
    };
    let mut first = Classifier::open(&settings.model, &options)?;
    // The first pass allocates and chooses kernels: not at the cost of the first client.
    first.warm_up()?;
    let forks = (1..settings.workers()).map(|_| {
        let mut fork = first.fork()?;
        fork.warm_up()?;
        Ok(fork)
    });
    let mut classifiers = forks.collect::<sdd_core::Result<Vec<_>>>()?;
    classifiers.insert(0, first);
    Ok(classifiers)
}

fn load_reference(
    settings: &Settings,
    classifier: &Classifier,
) -> Result<Option<Arc<Reference>>, StartupError> {
    let Some((path, named)) = settings.reference() else {
        return Ok(None);
    };
    if !named && !path.exists() {
        tracing::warn!("no reference at {}: answers have no drift score", path.display());
        return Ok(None);
    }
    Reference::open(&path)
        .and_then(|reference| {
            reference.check_classifier(classifier)?;
            if reference.model().is_none() {
                tracing::warn!(
                    "the reference {} does not say which model it was built with",
                    path.display()
                );
            }
            Ok(Some(Arc::new(reference)))
        })
        .map_err(|source| StartupError::Reference { path, source })
}

fn serve(
    listener: TcpListener,
    settings: &Settings,
    inference: Data<Inference>,
    model: ServedModel,
) -> std::io::Result<Server> {
    let model = Data::new(model);
    let limits = Data::new(UploadLimits {
        max_bytes: settings.max_bytes,
        timeout: settings.upload_timeout(),
    });
    let server = HttpServer::new(move || {
        App::new()
            .wrap(from_fn(telemetry::log_request))
            .app_data(inference.clone())
            .app_data(model.clone())
            .app_data(limits.clone())
            .configure(routes::configure)
    })
    .workers(HTTP_THREADS)
    .client_request_timeout(HEAD_TIMEOUT)
    .shutdown_timeout(settings.shutdown_timeout_s)
    .disable_signals()
    .listen(listener)?
    .run();
    Ok(server)
}

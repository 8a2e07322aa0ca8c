//! From settings to a server that listens, and to its end.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::dev::Server;
use actix_web::middleware::from_fn;
use actix_web::web::Data;
use actix_web::{App, HttpServer};
use thiserror::Error;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::error::chain_of;
use crate::observe::observe;
use crate::routes;
use crate::service::{Service, StartError};
use crate::settings::Settings;

/// Threads that read and write HTTP; decoding and inference have threads of their own.
const HTTP_THREADS: usize = 2;

/// Time that a client has to send a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// Time that a connection without a request stays open. Longer than the idle time of common proxies,
/// so that it is they who close, and never while a request is on its way.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// Time that connections without a request get, when the server is told to stop, to send one more
/// and learn from its answer that they are to close. A client in action does within it.
const IDLE_GRACE: Duration = Duration::from_secs(2);

/// Why the server could not start.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartupError {
    /// What should be served, or its threads.
    #[error(transparent)]
    Start(#[from] StartError),
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
}

/// A server with its model loaded, listening but not yet answering.
pub struct Application {
    server: Server,
    service: Data<Service>,
    port: u16,
}

impl Application {
    /// Loads model and reference, runs the model once, and binds the address.
    ///
    /// # Errors
    /// [`StartupError`] says which part, and why.
    pub fn build(settings: &Settings) -> Result<Self, StartupError> {
        let service = Data::new(Service::start(settings)?);
        let listen = |source| StartupError::Listen {
            host: settings.host.clone(),
            port: settings.port,
            source,
        };
        let address = (settings.host.trim_matches(['[', ']']), settings.port);
        let listener = TcpListener::bind(address).map_err(listen)?;
        let bound = listener.local_addr().map_err(listen)?;
        let server = serve(listener, &service).map_err(listen)?;
        tracing::info!("listening on http://{bound}");
        Ok(Self { server, service, port: bound.port() })
    }

    /// The port in use, also where the settings left the choice to the operating system.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Answers requests until SIGTERM or SIGINT, then those in flight and on open connections. A
    /// second signal ends it at once. SIGHUP loads model and reference anew.
    ///
    /// # Errors
    /// What the server's sockets say.
    pub async fn run_until_stopped(self) -> std::io::Result<()> {
        let mut signals = Signals::listen()?;
        let (server, service) = (self.server, self.service);
        let handle = server.handle();
        let stopping = {
            let service = service.clone();
            async move {
                signals.stop_or_reload(&service).await;
                service.drain();
                tracing::info!("stopping once the requests in flight are answered");
                // Not awaited, so that a second signal is heard meanwhile.
                drop(actix_web::rt::spawn(handle.stop(true)));
                tokio::select! {
                    () = signals.stop() => {
                        tracing::warn!("told to stop twice: not waiting for requests");
                    }
                    () = all_answered(&service) => {}
                }
            }
        };
        tokio::select! {
            ended = server => ended?,
            () = stopping => {}
        }
        tracing::info!("stopped");
        // Without requests nothing else holds it.
        if service.admission.occupied() == 0
            && let Ok(service) = Arc::try_unwrap(service.into_inner())
        {
            service.stop();
        }
        Ok(())
    }
}

/// Returns when no request is in flight and all connections are closed, or have had their time: to
/// send what has been answered, or one more request.
async fn all_answered(service: &Service) {
    let mut last_busy = Instant::now();
    while service.connections() > 0 && last_busy.elapsed() < IDLE_GRACE {
        if service.in_flight() > 0 {
            last_busy = Instant::now();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// What tells the server to stop, or to load its files anew.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    async fn stop(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    /// Reloads at every SIGHUP; returns when told to stop.
    async fn stop_or_reload(&mut self, service: &Data<Service>) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hang_up.recv() => {
                    let service = service.clone();
                    // Not awaited, so that it can be told to stop meanwhile.
                    drop(actix_web::rt::task::spawn_blocking(move || {
                        if let Err(error) = service.reload() {
                            tracing::error!("the old model goes on answering: {}", chain_of(&error));
                        }
                    }));
                }
            }
        }
    }
}

fn serve(listener: TcpListener, service: &Data<Service>) -> std::io::Result<Server> {
    let limits = &service.settings.limits;
    let max_connections = limits.max_connections.div_ceil(HTTP_THREADS);
    let shutdown_timeout_s = limits.shutdown_timeout_s;
    let counting = service.clone();
    let service = service.clone();
    let app = move || {
        App::new()
            .wrap(from_fn(observe))
            // Around all that can refuse a request.
            .wrap(from_fn(routes::v2::errors_of_protocol))
            .app_data(service.clone())
            .configure(routes::configure)
    };
    let server = HttpServer::new(app)
        .workers(HTTP_THREADS)
        .max_connections(max_connections)
        .keep_alive(KEEP_ALIVE)
        .client_request_timeout(HEAD_TIMEOUT)
        .on_connect(move |_, connection| {
            connection.insert(counting.count_connection());
        })
        .shutdown_timeout(shutdown_timeout_s)
        .disable_signals()
        .listen(listener)?
        .run();
    Ok(server)
}

//! From settings to a server that listens, and to its end.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::dev::Server;
use actix_web::middleware::{Condition, from_fn};
use actix_web::web::Data;
use actix_web::{App, HttpServer};
use rustls::ServerConfig;
use thiserror::Error;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::connections::{self, watch};
use crate::error::chain_of;
use crate::observe::observe;
use crate::routes;
use crate::security::{cors, guard};
use crate::service::{Service, StartError};
use crate::settings::Settings;

/// Threads that read and write HTTP; decoding and inference have threads of their own.
const HTTP_THREADS: usize = 2;

/// Time that a client has to send a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// Time that a connection without a request stays open. Longer than the idle time of common proxies,
/// so that it is they who close, and never while a request is on its way.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// How often idle connections and clients are looked through.
const SWEEP_PERIOD: Duration = Duration::from_secs(5);

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
        connections::allow_files(settings.limits.max_connections);
        let tls = service.security.tls_config().map_err(StartError::from)?;
        let server = serve(listener, tls, &service).map_err(listen)?;
        let scheme = if service.security.tls.is_some() { "https" } else { "http" };
        tracing::info!("listening on {scheme}://{bound}");
        service.security.warn(bound);
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
        let sweeping = actix_web::rt::spawn(sweep(service.clone()));
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
        sweeping.abort();
        // It holds the service until it has heard of it.
        drop(sweeping.await);
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

/// Ends connections that nothing is asked on, and forgets clients that ask no more.
async fn sweep(service: Data<Service>) {
    loop {
        tokio::time::sleep(SWEEP_PERIOD).await;
        service.open_connections.cut_idle(KEEP_ALIVE + HEAD_TIMEOUT);
        if let Some(limit) = &service.security.rate_limit {
            limit.forget_idle();
        }
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

fn serve(
    listener: TcpListener,
    tls: Option<ServerConfig>,
    service: &Data<Service>,
) -> std::io::Result<Server> {
    let limits = &service.settings.limits;
    let max_connections = limits.max_connections.div_ceil(HTTP_THREADS);
    let shutdown_timeout_s = limits.shutdown_timeout_s;
    let opening = service.clone();
    let service = service.clone();
    let app = move || {
        let origins = &service.settings.security.cors_origins;
        App::new()
            .wrap(from_fn(guard))
            .wrap(Condition::new(!origins.is_empty(), cors(origins)))
            .wrap(from_fn(watch))
            .wrap(from_fn(observe))
            .app_data(service.clone())
            .configure(routes::configure)
    };
    let server = HttpServer::new(app)
        .workers(HTTP_THREADS)
        .max_connections(max_connections)
        .keep_alive(KEEP_ALIVE)
        .client_request_timeout(HEAD_TIMEOUT)
        .client_disconnect_timeout(connections::LINGER)
        // With TLS a client that ends its half has left: there is nothing to send it in the clear
        // that would tell.
        .h1_allow_half_closed(tls.is_none())
        .on_connect(move |io, data| connections::opened(io, data, &opening))
        .shutdown_timeout(shutdown_timeout_s)
        .disable_signals();
    connections::widen_backlog(&listener)?;
    let server = match tls {
        Some(tls) => server.listen_rustls_0_23(listener, tls),
        None => server.listen(listener),
    };
    Ok(server?.run())
}

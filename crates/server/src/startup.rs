//! From settings to a server that listens, and to its end.

use std::net::TcpListener;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::middleware::{Condition, from_fn};
use actix_web::web::{Data, ServiceConfig};
use actix_web::{App, HttpServer};

use crate::administration::SocketFile;
use crate::connections::{self, decline_upgrades, watch};
use crate::guard::guard;
use crate::listener::Listening;
use crate::observe::observe;
use crate::routes::docs::ApiDocument;
use crate::security::{Entrance, SecurityError, Tls, cors};
use crate::service::{Service, StartError};
use crate::settings::Settings;
use crate::shutdown::{Signals, Stop};
use crate::{administration, listener, openapi, routes};

/// Threads that read and write HTTP; decoding and inference have threads of their own.
const HTTP_THREADS: usize = 2;

/// Operators that are connected at a time.
const MAX_OPERATORS: usize = 64;

/// Time that a client has to send a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// Time that a connection without a request stays open. Longer than the idle time of common proxies,
/// so that it is they who close, and never while a request is on its way.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// How often idle connections and clients are looked through.
const SWEEP_PERIOD: Duration = Duration::from_secs(5);

/// A server with its model loaded, listening but not yet answering.
pub struct Application {
    server: Server,
    /// For operators, and the file of its socket, which is removed at the end.
    administration: Option<(Server, Option<SocketFile>)>,
    service: Data<Service>,
    /// A clone of the server's.
    listening: TcpListener,
    signals: Signals,
}

impl Application {
    /// Loads model and reference, runs the model once, and binds the address. SIGTERM and SIGINT end
    /// the process meanwhile, with the exit code 0.
    ///
    /// # Errors
    /// `StartError` says which part, and why.
    pub fn build(settings: &Settings) -> Result<Self, StartError> {
        let signals = Signals::listen().map_err(StartError::Signals)?;
        connections::allow_files(settings.limits.max_connections).map_err(StartError::Files)?;
        let service = Data::new(Service::start(settings)?);
        let listen = |source| StartError::Listen {
            host: settings.host.clone(),
            port: settings.port,
            source,
        };
        let listener = listener::bind(settings).map_err(listen)?;
        let bound = listener.local_addr().map_err(listen)?;
        let listening = listener.try_clone().map_err(listen)?;
        let tls = service.security.tls.as_ref().map(Tls::server_config).transpose();
        let tls = tls.map_err(|error| StartError::from(SecurityError::from(error)))?;
        let document =
            Data::new(ApiDocument::new(|served, keys| openapi::document(served, keys).to_json()));
        let listening_for_all = match tls {
            Some(tls) => Listening::Encrypted(listener, Box::new(tls)),
            None => Listening::Port(listener),
        };
        let server =
            serve(listening_for_all, Entrance::Main, &service, &document).map_err(listen)?;
        let administration = administer(&service, &document)?;
        // Before anyone is told that it listens, and so may want to stop it.
        signals.started();
        let scheme = if service.security.tls.is_some() { "https" } else { "http" };
        tracing::info!("listening on {scheme}://{bound}");
        service.security.warn(bound);
        service.warn();
        Ok(Self { server, administration, service, listening, signals })
    }

    /// Answers requests until SIGTERM or SIGINT, then those in flight and on open connections. A
    /// second signal ends it at once. SIGHUP loads model and reference anew.
    ///
    /// # Errors
    /// What the server's sockets say.
    pub async fn run_until_stopped(self) -> std::io::Result<()> {
        let Self { server, administration, service, listening, mut signals } = self;
        let handle = server.handle();
        let sweeping = actix_web::rt::spawn(sweep(service.clone()));
        // Until the end: what is being done does not keep the process.
        let administration =
            administration.map(|(server, socket)| (actix_web::rt::spawn(server), socket));
        let stopping = async {
            signals.stop_or_reload(&service).await;
            let stop = Stop::begin(&service.settings.limits);
            let in_order = async {
                stop.drain(&service, &listening, &handle).await;
                stop.finish(&service).await;
            };
            tokio::select! {
                () = signals.stop() => tracing::warn!("told to stop twice: not waiting any more"),
                () = in_order => {}
            }
        };
        tokio::select! {
            ended = server => ended?,
            () = stopping => {}
        }
        if let Some(traces) = &service.traces {
            // So that they are not sent when they are dropped, which takes its time.
            traces.stop(Duration::ZERO);
        }
        sweeping.abort();
        drop(administration);
        tracing::info!("stopped");
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

/// The server for operators, where the settings give it an address.
fn administer(
    service: &Data<Service>,
    document: &Data<ApiDocument>,
) -> Result<Option<(Server, Option<SocketFile>)>, StartError> {
    let settings = &service.settings;
    let Some(address) = &settings.security.admin_address else { return Ok(None) };
    let fault = |source| StartError::Administration { address: address.clone(), source };
    let (listening, socket) = administration::bind(address, settings.reuse_port).map_err(fault)?;
    let server = serve(listening, Entrance::Administration, service, document).map_err(fault)?;
    Ok(Some((server, socket)))
}

fn serve(
    listening: Listening,
    entrance: Entrance,
    service: &Data<Service>,
    document: &Data<ApiDocument>,
) -> std::io::Result<Server> {
    let limits = &service.settings.limits;
    let (threads, max_connections, configure): (_, _, fn(&mut ServiceConfig)) = match entrance {
        Entrance::Main => (HTTP_THREADS, limits.max_connections, routes::configure),
        Entrance::Administration => (1, MAX_OPERATORS, routes::configure_administration),
    };
    let document = document.clone();
    let opening = service.clone();
    let service = service.clone();
    let app = move || {
        let origins = service.security.origins(entrance);
        App::new()
            .wrap(from_fn(guard))
            .wrap(from_fn(watch))
            .wrap(from_fn(observe))
            // Around all that can refuse a request.
            .wrap(Condition::new(!origins.is_empty(), cors(origins)))
            .wrap(from_fn(routes::v2::errors_of_protocol))
            .wrap(from_fn(decline_upgrades))
            .app_data(entrance)
            .app_data(service.clone())
            .app_data(document.clone())
            .configure(configure)
    };
    let server = HttpServer::new(app)
        .workers(threads)
        .max_connections(max_connections.div_ceil(threads))
        .keep_alive(KEEP_ALIVE)
        .client_request_timeout(HEAD_TIMEOUT)
        .client_disconnect_timeout(connections::LINGER)
        // With TLS a client that ends its half has left: there is nothing to send it in the clear
        // that would tell.
        .h1_allow_half_closed(!matches!(listening, Listening::Encrypted(..)))
        .h1_write_buffer_size(connections::WRITE_BUFFER_BYTES)
        // Head and body of an answer go one after the other; the second does not wait for the client.
        .tcp_nodelay(true)
        .on_connect(move |io, data| connections::opened(io, data, &opening.open_connections))
        .disable_signals();
    let server = match listening {
        Listening::Port(listener) => server.listen(listener),
        Listening::Encrypted(listener, tls) => server.listen_rustls_0_23(listener, *tls),
        Listening::Socket(listener) => server.listen_uds(listener),
    };
    Ok(server?.run())
}

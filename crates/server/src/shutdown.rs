//! From the signal to stop to the end, without a lost request.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use actix_web::dev::ServerHandle;
use actix_web::web::Data;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::error::chain_of;
use crate::listener;
use crate::service::Service;

/// Time that connections without a request get, when the server is told to stop, to send one more
/// and learn from its answer that they are to close. A client in action does within it.
const IDLE_GRACE: Duration = Duration::from_secs(2);

/// Lets go of the clients one after the other: load balancers first, then those who would connect,
/// then those who are connected.
pub async fn drain(service: &Service, listening: &TcpListener, server: &ServerHandle) {
    service.begin_to_stop();
    tracing::info!("stopping once the requests in flight are answered");
    tokio::time::sleep(service.settings.limits.drain_delay).await;
    if let Err(error) = listener::close(listening, server).await {
        tracing::warn!("the listening socket cannot be closed: {error}");
    }
    // Only now, so that nobody who is told to make a new connection makes it to this server.
    service.close_connections();
    let limit = service.settings.limits.shutdown_timeout;
    if tokio::time::timeout(limit, all_answered(service)).await.is_err() {
        tracing::warn!(
            "{} requests were not answered in time",
            service.open_connections.requests()
        );
    }
}

/// Returns when no request is open and all connections are closed, or have had their time: to
/// send what has been answered, or one more request.
async fn all_answered(service: &Service) {
    let mut last_busy = Instant::now();
    while service.open_connections.count() > 0 && last_busy.elapsed() < IDLE_GRACE {
        if service.open_connections.requests() > 0 {
            last_busy = Instant::now();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Returns when what has been answered is captured, too, or has had its time.
pub async fn all_captured(service: &Service) {
    if let Some(capture) = &service.capture {
        capture.finish(service.settings.limits.shutdown_timeout).await;
    }
}

/// SIGHUP, which ends a process that does not listen to it.
pub struct ReloadSignal(Signal);

impl ReloadSignal {
    /// From now on it is noted: files may be replaced while they are being loaded.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn listen() -> std::io::Result<Self> {
        signal(SignalKind::hangup()).map(Self)
    }
}

/// What tells the server to stop, or to load its files anew.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    /// From now on signals no longer end the process.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn listen(reloads: ReloadSignal) -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: reloads.0,
        })
    }

    /// Returns when told to stop.
    pub async fn stop(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    /// Reloads at every SIGHUP; returns when told to stop.
    pub async fn stop_or_reload(&mut self, service: &Data<Service>) {
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

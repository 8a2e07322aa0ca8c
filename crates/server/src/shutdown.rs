//! From the signal to stop to the end, without a lost request.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use actix_web::dev::ServerHandle;
use actix_web::web::Data;
use futures_util::future::OptionFuture;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::error::chain_with_way_back;
use crate::listener;
use crate::service::Service;
use crate::settings::LimitSettings;

/// Time that connections without a request get, when the server is told to stop, to send one more
/// and learn from its answer that they are to close. A client in action does within it.
const IDLE_GRACE: Duration = Duration::from_secs(2);

/// Of the time to stop, what is left to captures and traces when requests take all they may.
const LAST_TENTH: u32 = 10;

/// More than these seconds are not kept from the requests.
const LONGEST_LAST_TENTH: Duration = Duration::from_secs(2);

/// Time in which a collector takes the last traces, or not at all.
const TRACES_TIMEOUT: Duration = Duration::from_secs(3);

/// The time to stop, one for all that there is to do, so that whoever ends the process in the end knows
/// when to.
#[derive(Debug, Clone, Copy)]
pub struct Stop {
    /// When new connections are no longer taken.
    close: Instant,
    /// When requests have had their time.
    end_of_requests: Instant,
    /// When the process ends, whatever is not done.
    end: Instant,
}

impl Stop {
    /// Beginning now, as the settings say.
    pub fn begin(limits: &LimitSettings) -> Self {
        Self::new(Instant::now(), limits.drain_delay, limits.shutdown_timeout)
    }

    fn new(now: Instant, drain_delay: Duration, timeout: Duration) -> Self {
        let close = now + drain_delay;
        let for_the_rest = (timeout / LAST_TENTH).min(LONGEST_LAST_TENTH);
        let for_requests = timeout.saturating_sub(for_the_rest);
        Self { close, end_of_requests: close + for_requests, end: close + timeout }
    }

    /// Lets go of the clients one after the other: load balancers first, then those who would connect,
    /// then those who are connected.
    pub async fn drain(&self, service: &Service, listening: &TcpListener, server: &ServerHandle) {
        service.is_stopping.store(true, Ordering::SeqCst);
        tracing::info!("stopping once the requests in flight are answered");
        tokio::time::sleep_until(self.close.into()).await;
        if let Err(error) = listener::close(listening, server).await {
            tracing::warn!("the listening socket cannot be closed: {error}");
        }
        // Only now, so that nobody who is told to make a new connection makes it to this server.
        service.is_closing_connections.store(true, Ordering::SeqCst);
        let limit = self.end_of_requests.into();
        if tokio::time::timeout_at(limit, all_answered(service)).await.is_err() {
            tracing::warn!(
                "{} requests were not answered in time",
                service.open_connections.requests()
            );
        }
    }

    /// Returns when what has been answered is captured, and what was traced is sent, too, or have had
    /// their time.
    pub async fn finish(&self, service: &Data<Service>) {
        let captured = service.capture.as_ref().map(|capture| capture.finish(self.end));
        let recorded = service.recorder.as_ref().map(|recorder| recorder.finish(self.end));
        let (captured, recorded) = (OptionFuture::from(captured), OptionFuture::from(recorded));
        tokio::join!(captured, recorded, self.send_traces(service.clone()));
    }

    async fn send_traces(&self, service: Data<Service>) {
        let limit = self.end.saturating_duration_since(Instant::now()).min(TRACES_TIMEOUT);
        let (ended, end) = tokio::sync::oneshot::channel::<()>();
        // A thread that the end of the program does not wait for.
        let sending = std::thread::Builder::new().name("last-traces".into()).spawn(move || {
            if let Some(traces) = &service.traces {
                traces.stop(limit);
            }
            drop(ended);
            drop(service);
        });
        match sending {
            // It says nothing, and is dropped when they are sent.
            Ok(_) => drop(end.await),
            Err(error) => tracing::warn!("the last traces are not sent: {error}"),
        }
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

/// What tells the server to stop, or to load its files anew.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    /// Whether SIGTERM and SIGINT end the process at once.
    is_starting: Arc<AtomicBool>,
}

impl Signals {
    /// From now on SIGTERM and SIGINT end the process at once, with the exit code 0, until
    /// [`started`](Self::started): nothing is in flight yet. Without this the first process of a container
    /// would not hear of them, and any other would end with another code.
    ///
    /// SIGHUP is noted: files may be replaced while they are being loaded.
    pub fn listen() -> std::io::Result<Self> {
        let is_starting = Arc::new(AtomicBool::new(true));
        for number in [SIGTERM, SIGINT] {
            flag::register_conditional_shutdown(number, 0, Arc::clone(&is_starting))?;
        }
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
            is_starting,
        })
    }

    /// From now on signals no longer end the process.
    pub fn started(&self) {
        self.is_starting.store(false, Ordering::SeqCst);
    }

    /// Returns when told to stop.
    pub async fn stop(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    /// Reloads at SIGHUP; returns when told to stop.
    ///
    /// However many come while a reload is being done, there is one more when it is over: they all mean
    /// the files as they are then.
    pub async fn stop_or_reload(&mut self, service: &Data<Service>) {
        let mut is_reload_due = false;
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hang_up.recv() => is_reload_due = true,
                turn = service.reload_turn(), if is_reload_due => {
                    is_reload_due = false;
                    let service = service.clone();
                    // Not awaited, so that it can be told to stop meanwhile: nothing can interrupt it, and
                    // the end of the program does not wait for it.
                    drop(actix_web::rt::task::spawn_blocking(move || {
                        if let Err(error) = service.reload(turn) {
                            tracing::error!("the old model goes on answering: {}", chain_with_way_back(&error));
                        }
                    }));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::Stop;

    #[test]
    fn all_of_it_ends_in_time() {
        let seconds = Duration::from_secs;
        let now = Instant::now();
        let stop = |delay, timeout| Stop::new(now, delay, timeout);
        assert_eq!(stop(seconds(5), seconds(30)).end, now + seconds(35));
        assert_eq!(stop(seconds(5), seconds(30)).end_of_requests, now + seconds(33));
        let short = stop(seconds(0), seconds(10));
        assert_eq!((short.end, short.end_of_requests), (now + seconds(10), now + seconds(9)));
        let none = stop(seconds(0), seconds(0));
        assert_eq!((none.end, none.end_of_requests), (now, now));
    }
}

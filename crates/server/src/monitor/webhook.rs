//! Telling another program when the verdict changes, on a thread of its own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use sdd_drift::monitor::{MonitorReport, PairId, Status};
use serde::Serialize;
use ureq::tls::{RootCerts, TlsConfig};

use super::status::Shared;
use crate::error::chain_of;
use crate::settings::Redacted;

/// Time that the other side has to take one message.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Times that a message is tried; the waits between them double from [`FIRST_WAIT`], four minutes in all.
const ATTEMPTS: u32 = 8;

const FIRST_WAIT: Duration = Duration::from_secs(2);

/// A verdict is looked at no more often than this.
const LEAST_WAIT: Duration = Duration::from_millis(100);

/// Where verdicts are told to.
#[derive(Debug, Clone)]
pub(super) struct Webhook {
    poke: Sender<()>,
}

/// What is posted.
#[derive(Serialize)]
struct Message<'a> {
    event: &'static str,
    previous_verdict: &'static str,
    pair: &'a PairId,
    #[serde(flatten)]
    report: &'a MonitorReport,
}

impl Webhook {
    /// Starts the thread. It ends when the last of these is dropped.
    pub fn start(url: &Redacted, cooldown: Duration, shared: Arc<Shared>) -> std::io::Result<Self> {
        // One is enough: it says that there is something to look at.
        let (poke, pokes) = bounded(1);
        let mut teller = Teller {
            agent: agent(),
            url: url.clone(),
            cooldown,
            shared,
            told: None,
            told_at: None,
        };
        let run = move || teller.run(&pokes);
        std::thread::Builder::new().name("drift-webhook".into()).spawn(run)?;
        Ok(Self { poke })
    }

    /// The state has changed. Never waits.
    pub fn poke(&self) {
        let _ = self.poke.try_send(());
    }
}

struct Teller {
    agent: ureq::Agent,
    url: Redacted,
    cooldown: Duration,
    shared: Arc<Shared>,
    /// The pair and the verdict that the other side knows of.
    told: Option<(PairId, Status)>,
    told_at: Option<Instant>,
}

impl Teller {
    fn run(&mut self, pokes: &Receiver<()>) {
        loop {
            // What changes during the cooldown is told after it, if it has not changed back.
            let wait = self.told_at.map_or(Duration::MAX, |at| {
                (at + self.cooldown).saturating_duration_since(Instant::now())
            });
            let poked = match self.told_at {
                Some(_) => pokes.recv_timeout(wait),
                None => pokes.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match poked {
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => self.told_at = None,
                Ok(()) if self.told_at.is_some() => continue,
                Ok(()) => {}
            }
            self.look();
            std::thread::sleep(LEAST_WAIT);
        }
    }

    /// Tells of the verdict if it is another one. Too few images say nothing: the last verdict stands.
    fn look(&mut self) {
        let mut attempt = 0;
        let mut wait = FIRST_WAIT;
        while let Some((pair, report)) = self.current() {
            let previous = match &self.told {
                Some((told, status)) if *told == pair => *status,
                _ => Status::Stable,
            };
            if report.verdict == previous || report.verdict == Status::InsufficientData {
                return;
            }
            let message = Message {
                event: "drift_verdict",
                previous_verdict: previous.name(),
                pair: &pair,
                report: &report,
            };
            attempt += 1;
            match self.post(&message) {
                Ok(()) => tracing::info!("the drift webhook was told: {}", report.verdict.name()),
                Err(fault) if attempt < ATTEMPTS => {
                    tracing::debug!("the drift webhook was not told: {fault}");
                    std::thread::sleep(wait);
                    wait *= 2;
                    continue;
                }
                Err(fault) => tracing::warn!(
                    "the drift webhook was not told of the verdict {}, after {ATTEMPTS} attempts: {fault}",
                    report.verdict.name()
                ),
            }
            self.told = Some((pair, report.verdict));
            self.told_at = Some(Instant::now());
            return;
        }
    }

    fn current(&self) -> Option<(PairId, MonitorReport)> {
        let current = self.shared.current()?;
        let report = current.pair.monitor.report(&current.state).ok()?;
        Some((current.pair.id.clone(), report))
    }

    fn post(&self, message: &Message<'_>) -> Result<(), String> {
        let body = serde_json::to_vec(message).map_err(|error| chain_of(&error))?;
        let request = self.agent.post(self.url.expose()).content_type("application/json");
        let answer = request.send(&body).map_err(|error| chain_of(&error))?;
        let status = answer.status();
        if status.is_success() { Ok(()) } else { Err(format!("it answers {status}")) }
    }
}

fn agent() -> ureq::Agent {
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::PlatformVerifier)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build();
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(TIMEOUT))
        .tls_config(tls)
        .user_agent(concat!("sdd-server/", env!("CARGO_PKG_VERSION")))
        .build();
    config.into()
}

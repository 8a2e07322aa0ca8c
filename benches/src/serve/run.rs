//! One measurement: a server under a load for some seconds.

use std::time::Duration;

use anyhow::Result;

use super::accounting::{self, Memory, Usage};
use super::load::{self, Extent, Load};
use super::program::Server;

/// What was measured of a server in one go.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Run {
    /// Clients at once.
    pub clients: usize,
    /// Answers with status 200.
    pub answered: usize,
    /// Other answers and broken connections.
    pub failed: usize,
    /// Answers with status 200 a second.
    pub throughput: f64,
    /// Latencies in seconds: half of the answers, 90 % and 99 % of them took no longer.
    pub latency_s: [f64; 3],
    /// The server's processor time.
    pub usage: Usage,
    /// The load generator's.
    pub client_cpu: Duration,
    /// The server's memory at the end.
    pub memory: Memory,
}

impl Run {
    /// Puts a server under a load for `measured`, after a warm-up that is not counted.
    ///
    /// # Errors
    /// When the server cannot be talked to, or answers nothing.
    pub fn measure(
        server: &Server,
        requests: &[Vec<u8>],
        clients: usize,
        measured: Duration,
    ) -> Result<Self> {
        // Many clients wait for seconds, and the first answers come out of a shorter queue.
        let warm_up = Duration::from_secs(1 + clients as u64 / 64);
        let load = Load { requests, clients, extent: Extent::Time { warm_up, measured } };
        let meter = || Ok((accounting::usage(server.id())?, accounting::own_thread()?));
        let outcome = load::run(server.address, &load, meter)?;
        let [(usage_before, own_before), (usage_after, own_after)] = &outcome.meter;
        let latency = |quantile| outcome.latency(quantile).map_or(f64::NAN, |l| l.as_secs_f64());
        Ok(Self {
            clients,
            answered: outcome.latencies.len(),
            failed: outcome.failed,
            throughput: outcome.throughput(),
            latency_s: [0.5, 0.9, 0.99].map(latency),
            usage: usage_after.since(usage_before),
            client_cpu: own_after.saturating_sub(*own_before),
            memory: accounting::memory(server.id())?,
        })
    }

    /// Milliseconds of `time` for each answer.
    pub fn ms_each(&self, time: Duration) -> f64 {
        time.as_secs_f64() * 1e3 / self.answered as f64
    }
}

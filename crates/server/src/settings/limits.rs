//! What requests may cost.

use std::time::Duration;

use clap::Args;
use clap::builder::TypedValueParser;

use crate::settings::duration::{DAY, duration};
use crate::settings::range::{at_least_one, between};

/// The least memory for uploads, in bytes: with less, no picture of any use would ever fit, and the server would start
/// only to refuse all of them.
const LEAST_UPLOAD_MEMORY: u64 = 64 << 10;

/// The shortest time that anything can be given.
const SHORTEST: Duration = Duration::from_millis(1);

/// What requests may cost, in number, bytes and time.
#[derive(Debug, Clone, Args)]
pub struct LimitSettings {
    /// Images that may wait for a worker; more are answered 503
    #[arg(long, default_value_t = 64, value_parser = at_least_one(65_536))]
    pub queue: usize,
    /// Images in one request to /predict/batch; never more than there is room for: one a worker, and
    /// --queue
    #[arg(long, default_value_t = 32, value_parser = at_least_one(65_536))]
    pub max_images: usize,
    /// Connections at a time, an even number or the next one; more wait to be accepted
    #[arg(long, default_value_t = 4096, value_parser = even(1 << 20))]
    pub max_connections: usize,
    /// Bytes that the uploads held in memory may take together, 65536 at least; more are answered 503
    #[arg(long, default_value_t = 512 << 20, value_parser = between(LEAST_UPLOAD_MEMORY, 1 << 40))]
    pub max_upload_memory: usize,
    /// Time that an upload may take
    #[arg(long, default_value = "30s", value_parser = duration(SHORTEST, DAY))]
    pub upload_timeout: Duration,
    /// Time from a request's head to its answer, as 500ms, 30s or 2m; a request can ask for less with
    /// the header x-request-timeout-ms
    #[arg(long, default_value = "60s", value_parser = duration(SHORTEST, DAY))]
    pub request_timeout: Duration,
    /// Time that the server goes on taking connections when it is told to stop, no longer being
    /// ready: what a load balancer needs to notice
    #[arg(long, default_value = "0s", value_parser = duration(Duration::ZERO, DAY))]
    pub drain_delay: Duration,
    /// Time to the end of the process when the server is told to stop, after --drain-delay: for requests
    /// in flight, and the last tenth (2s at most) for captures and traces
    #[arg(long, default_value = "30s", value_parser = duration(Duration::ZERO, DAY))]
    pub shutdown_timeout: Duration,
}

/// Takes 1 to `largest`, and makes it even: connections are shared out to two threads.
fn even(largest: u64) -> impl TypedValueParser<Value = usize> {
    at_least_one(largest).map(|number| number.next_multiple_of(2))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::settings::Cli;

    #[test]
    fn connections_are_shared_out_evenly() {
        for (given, taken) in [("1", 2), ("2", 2), ("4095", 4096), ("1048576", 1 << 20)] {
            let cli = Cli::parse_from(["sdd-server", "--max-connections", given]);
            assert_eq!(cli.settings.limits.max_connections, taken);
        }
    }
}

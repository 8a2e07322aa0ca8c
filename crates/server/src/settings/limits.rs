//! What requests may cost.

use std::time::Duration;

use clap::Args;

use super::at_least_one;

/// The longest that any of these times may be, in seconds.
const DAY_S: u64 = 86_400;

/// What requests may cost, in number, bytes and time.
#[derive(Debug, Clone, Args)]
pub struct LimitSettings {
    /// Images that may wait for a worker; more are answered 503
    #[arg(long, env = "SDD_QUEUE", default_value_t = 64, value_parser = at_least_one(65_536))]
    pub queue: usize,
    /// Images in one request to /predict/batch
    #[arg(long, env = "SDD_MAX_IMAGES", default_value_t = 32, value_parser = at_least_one(65_536))]
    pub max_images: usize,
    /// Connections at a time; more wait to be accepted
    #[arg(long, env = "SDD_MAX_CONNECTIONS", default_value_t = 4096,
          value_parser = at_least_one(1 << 20))]
    pub max_connections: usize,
    /// Bytes that the uploads held in memory may take together; more are answered 503
    #[arg(long, env = "SDD_MAX_UPLOAD_MEMORY", default_value_t = 512 << 20,
          value_parser = at_least_one(1 << 40))]
    pub max_upload_memory: usize,
    /// Seconds that an upload may take
    #[arg(long, env = "SDD_UPLOAD_TIMEOUT_S", default_value_t = 30,
          value_parser = clap::value_parser!(u64).range(1..=DAY_S))]
    pub upload_timeout_s: u64,
    /// Time from a request's head to its answer, as 500ms, 30s or 2m; a request can ask for less with
    /// the header x-request-timeout-ms
    #[arg(long, env = "SDD_REQUEST_TIMEOUT", default_value = "60s", value_parser = duration)]
    pub request_timeout: Duration,
    /// Seconds that the server goes on taking connections when it is told to stop, no longer being
    /// ready: what a load balancer needs to notice
    #[arg(long, env = "SDD_DRAIN_DELAY_S", default_value_t = 0,
          value_parser = clap::value_parser!(u64).range(..=DAY_S))]
    pub drain_delay_s: u64,
    /// Seconds that requests in flight get to end when the server is told to stop
    #[arg(long, env = "SDD_SHUTDOWN_TIMEOUT_S", default_value_t = 30,
          value_parser = clap::value_parser!(u64).range(..=DAY_S))]
    pub shutdown_timeout_s: u64,
}

impl LimitSettings {
    /// Time that an upload may take.
    #[must_use]
    pub fn upload_timeout(&self) -> Duration {
        Duration::from_secs(self.upload_timeout_s)
    }
}

/// A number with the unit ms, s or m; seconds without a unit. At least 1 ms, at most a day.
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let number: u64 = digits.parse().map_err(|_| "expected a number, as in 500ms, 30s or 2m")?;
    let milliseconds = match &text[digits.len()..] {
        "ms" => Some(number),
        "" | "s" => number.checked_mul(1000),
        "m" => number.checked_mul(60_000),
        unit => return Err(format!("`{unit}` is not one of the units ms, s and m")),
    };
    milliseconds
        .filter(|milliseconds| (1..=86_400_000).contains(milliseconds))
        .map(Duration::from_millis)
        .ok_or_else(|| "expected 1ms to a day".into())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::duration;

    #[test]
    fn durations_have_units() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("30"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("30s"), duration("30"));
        assert_eq!(duration("2m"), duration("120s"));
        for bad in ["", "s", "0", "-1s", "1.5s", "1h", "2 s", "99999999999999999999s", "86401"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}

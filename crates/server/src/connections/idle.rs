//! Since when nothing is asked on a connection.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What times are counted from.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Since when a connection is idle, as milliseconds from the start.
#[derive(Debug)]
pub(super) struct IdleTime(AtomicU64);

impl IdleTime {
    pub fn now() -> Self {
        let time = Self(AtomicU64::new(0));
        time.restart();
        time
    }

    pub fn restart(&self) {
        self.0.store(milliseconds(), Ordering::Relaxed);
    }

    pub fn elapsed(&self) -> Duration {
        Duration::from_millis(milliseconds().saturating_sub(self.0.load(Ordering::Relaxed)))
    }
}

fn milliseconds() -> u64 {
    u64::try_from(START.elapsed().as_millis()).unwrap_or(u64::MAX)
}

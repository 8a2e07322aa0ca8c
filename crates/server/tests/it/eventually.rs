//! Waiting for what another thread or process does.

use std::time::{Duration, Instant};

/// Asks until it is so; panics when that never comes.
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_mins(1), "{what}: never came");
        std::thread::sleep(Duration::from_millis(5));
    }
}

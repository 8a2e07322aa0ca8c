//! Signals: Ctrl-C and SIGTERM, of which the first asks to stop and the second stops, and limits of files.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

use anyhow::{Context, Result};
use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::flag;

/// The error of work that was asked to stop.
#[derive(Debug, thiserror::Error)]
#[error("interrupted; nothing was written")]
pub struct Interrupted;

/// Whether a signal has asked to stop: signals are the whole process's.
static ASKED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// From here on the first signal is only noted, and a second one ends the program as usual.
pub fn listen() -> Result<()> {
    for signal in [SIGINT, SIGTERM] {
        flag::register_conditional_default(signal, Arc::clone(&ASKED))
            .and_then(|_| flag::register(signal, Arc::clone(&ASKED)))
            .context("cannot listen for signals")?;
    }
    Ok(())
}

/// Fails where a signal has asked to stop.
pub fn check() -> Result<()> {
    if ASKED.load(Ordering::Relaxed) { Err(Interrupted.into()) } else { Ok(()) }
}

/// Writing past the longest file that the system allows (`ulimit -f`) is an error like a full disk, and does not end
/// the program: what it had begun to write is removed, and the error says what could not be written.
pub fn survive_file_limits() -> Result<()> {
    flag::register(SIGXFSZ, Arc::default()).map(drop).context("cannot listen for signals")
}

//! The log, on standard error.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{BufWriter, IsTerminal, Write};
use std::panic::PanicHookInfo;
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

use crate::settings::LogFormat;

/// What is logged unless `RUST_LOG` says otherwise: the libraries' own notes are for developers, and
/// what is wrong with a collector's certificate is told once, not at each attempt. Requests that are no HTTP
/// are their clients' fault, which the HTTP library calls an error.
const DEFAULT_FILTER: &str =
    "info,actix_server=warn,actix_http::h1::dispatcher=off,ort=error,rustls_platform_verifier=off";

/// Lines that wait for a reader of standard error at most; then they are dropped, requests go on.
const MAX_WAITING_LINES: usize = 8192;

/// Time between two writes. A line by itself is written at once; those that follow it closely go
/// together, for waking the writer costs more than all else that a line does.
const PAUSE: Duration = Duration::from_millis(50);

/// Counts lines that were dropped. Of the process, as the log itself is.
static DROPPED_LINES: OnceLock<ErrorCounter> = OnceLock::new();

/// The log is written for as long as it lives; what waits is written when it is dropped.
#[derive(Debug)]
pub struct Log {
    _writer: WorkerGuard,
}

/// Starts logging, once a process; a second call changes nothing. Neither a reader of standard error
/// that stands still, nor one that has gone, nor a full disk can hold up or end the server.
pub fn init(format: LogFormat) -> Log {
    let asked_for = std::env::var(EnvFilter::DEFAULT_ENV).unwrap_or_default();
    let filter = match asked_for.trim() {
        "" => Ok(DEFAULT_FILTER.into()),
        directives => EnvFilter::try_new(directives),
    };
    let (filter, misunderstood) = match filter {
        Ok(filter) => (filter, None),
        Err(error) => (DEFAULT_FILTER.into(), Some(error)),
    };
    let (lines, writer) = NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(MAX_WAITING_LINES)
        .thread_name("log")
        .finish(Paced(BufWriter::new(std::io::stderr())));
    let dropped_lines = lines.error_counter();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        // It would report them on standard error, and panic where that is closed.
        .log_internal_errors(false)
        .with_writer(lines);
    let started = match format {
        LogFormat::Pretty => subscriber.try_init(),
        LogFormat::Json => subscriber.json().try_init(),
    };
    if started.is_ok() {
        // Nobody else sets it, as logging starts once.
        drop(DROPPED_LINES.set(dropped_lines));
        std::panic::set_hook(Box::new(log_panic));
    } else {
        tracing::debug!("logging had started already");
    }
    if let Some(error) = misunderstood {
        tracing::warn!("RUST_LOG is not understood, so it is not heeded: {error}");
    }
    Log { _writer: writer }
}

/// Lines that were dropped because standard error was not read fast enough.
pub fn dropped_lines() -> usize {
    DROPPED_LINES.get().map_or(0, ErrorCounter::dropped_lines)
}

/// A panic goes the way of all lines: in their format, and without waiting for a reader. Images can
/// cause one in a decoder, which is caught there.
fn log_panic(panic: &PanicHookInfo<'_>) {
    if sdd_core::image::is_decoding() {
        let location = panic.location().map(tracing::field::display);
        tracing::warn!(location, "a decoder cannot cope with an image, which counts as damaged");
        return;
    }
    let backtrace = Backtrace::capture();
    tracing::error!(
        target: "sdd_server::panic",
        thread = thread::current().name(),
        location = panic.location().map(tracing::field::display),
        backtrace = (backtrace.status() == BacktraceStatus::Captured)
            .then(|| tracing::field::display(&backtrace)),
        "panic: {}",
        panic.payload_as_str().unwrap_or("of an unknown kind")
    );
}

/// Rests after each flush, so that what comes meanwhile is written in one piece.
struct Paced<W>(W);

impl<W: Write> Write for Paced<W> {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        self.0.write(line)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        let flushed = self.0.flush();
        thread::sleep(PAUSE);
        flushed
    }
}

//! What is told about the server's work: the log, and traces where a collector is named.

mod collector;
mod log;
mod spans;
mod traces;

pub use log::{dropped_lines, init};
pub use traces::{Parent, TraceError, Traces};

//! How many files the process may open: each connection takes some.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// File descriptors beside those of connections, with room to spare.
const OTHER_FILES: u64 = 256;

/// File descriptors that a server has open which nobody asks anything, with room to spare: without them
/// the HTTP library panics.
const FILES_TO_START: u64 = 64;

/// Each connection has one for the HTTP library and one for [`Connection`](crate::connections::connection::Connection).
const FILES_PER_CONNECTION: u64 = 2;

/// Raises the number of files that the process may open to what `max_connections` take, as far as the
/// operating system lets it.
///
/// An error is the number that it lets, where the server could not even start with it.
pub fn allow_files(max_connections: usize) -> Result<(), u64> {
    let limit = getrlimit(Resource::Nofile);
    let connections = u64::try_from(max_connections).unwrap_or(u64::MAX);
    let needed = connections.saturating_mul(FILES_PER_CONNECTION).saturating_add(OTHER_FILES);
    if limit.current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    let allowed = limit.maximum.map_or(needed, |maximum| maximum.min(needed));
    let raised = Rlimit { current: Some(allowed), maximum: limit.maximum };
    let is_raised = setrlimit(Resource::Nofile, raised).is_ok();
    let allowed = if is_raised { allowed } else { limit.current.unwrap_or(allowed) };
    if allowed < FILES_TO_START {
        return Err(allowed);
    }
    if allowed < needed {
        tracing::warn!(
            "{max_connections} connections take {needed} open files, and only {allowed} are allowed: see ulimit -n and --max-connections"
        );
    }
    Ok(())
}

//! The connections, beyond what the HTTP library looks after: clients that leave while they wait,
//! that stall between two requests, that do not read, or that ask too much at a time.

mod count;
mod departure;
mod idle;
mod linger;
mod open;
mod watch;

use std::any::Any;
use std::net::TcpStream;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::dev::Extensions;
use actix_web::rt::net::TcpStream as AsyncTcpStream;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::SockRef;

pub use linger::LINGER;
pub use open::OpenConnections;
pub use watch::watch;

use self::count::{Counted, Counter};
use self::idle::IdleTime;

/// Time after which a connection ends whose client does not take what was sent.
const UNREAD_TIMEOUT: Duration = Duration::from_secs(30);

/// File descriptors beside those of connections, with room to spare.
const OTHER_FILES: u64 = 256;

/// File descriptors that a server has open which nobody asks anything, with room to spare: without them
/// the HTTP library panics.
const FILES_TO_START: u64 = 64;

/// Each connection has one for the HTTP library and one for [`Connection`].
const FILES_PER_CONNECTION: u64 = 2;

/// One connection, shared by its requests.
#[derive(Debug)]
pub struct Connection {
    /// The same socket that the HTTP library reads and writes; `None` where it cannot be had: then
    /// the connection is served all the same, only not watched.
    socket: Option<TcpStream>,
    is_encrypted: bool,
    /// Requests of this connection that are not answered to the last byte.
    open_requests: AtomicUsize,
    /// Those of all connections.
    all_open_requests: Counter,
    idle: IdleTime,
    _counted: Counted,
}

/// Called for each new connection: notes it in what its requests find as connection data.
pub fn opened(io: &dyn Any, data: &mut Extensions, open: &OpenConnections) {
    let encrypted = io.downcast_ref::<TlsStream<AsyncTcpStream>>();
    let socket = encrypted.map(|stream| stream.get_ref().0).or_else(|| io.downcast_ref());
    let duplicate = socket.map(duplicate).transpose();
    let socket = duplicate.unwrap_or_else(|error| {
        tracing::warn!("cannot watch a connection: {error}");
        None
    });
    data.insert(open.add(socket, encrypted.is_some()));
}

fn duplicate(socket: &AsyncTcpStream) -> std::io::Result<TcpStream> {
    SockRef::from(socket).set_tcp_user_timeout(Some(UNREAD_TIMEOUT))?;
    let duplicate: OwnedFd = socket.as_fd().try_clone_to_owned()?;
    Ok(duplicate.into())
}

impl Connection {
    /// Counts a request as open for as long as the value lives.
    fn begin_request(self: &Arc<Self>) -> OpenRequest {
        self.open_requests.fetch_add(1, Ordering::SeqCst);
        OpenRequest { _counted: self.all_open_requests.count(), connection: Arc::clone(self) }
    }

    fn open_requests(&self) -> usize {
        self.open_requests.load(Ordering::SeqCst)
    }

    /// Ends the connection, whatever it is used for.
    fn cut(&self) {
        if let Some(socket) = &self.socket {
            // Fails where the client was faster.
            drop(socket.shutdown(std::net::Shutdown::Both));
        }
    }
}

/// A request that is not answered to the last byte.
#[derive(Debug)]
struct OpenRequest {
    connection: Arc<Connection>,
    _counted: Counted,
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        self.connection.idle.restart();
        self.connection.open_requests.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Raises the number of files that the process may open to what `max_connections` take, as far as the
/// operating system lets it.
///
/// # Errors
/// The number that it lets, where the server could not even start with it.
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

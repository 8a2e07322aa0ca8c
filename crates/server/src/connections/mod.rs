//! The connections, beyond what the HTTP library looks after: clients that leave while they wait,
//! that stall between two requests, that do not read, or that ask too much at a time.

mod departure;
mod idle;
mod linger;
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

pub use idle::OpenConnections;
pub use linger::LINGER;
pub use watch::watch;

use self::idle::IdleTime;
use crate::service::{Counted, Service};

/// Time after which a connection ends whose client does not take what was sent.
const UNREAD_TIMEOUT: Duration = Duration::from_secs(30);

/// File descriptors beside those of connections, with room to spare.
const OTHER_FILES: u64 = 256;

/// Each connection has one for the HTTP library and one for [`Connection`].
const FILES_PER_CONNECTION: u64 = 2;

/// One connection, shared by its requests.
#[derive(Debug)]
pub struct Connection {
    /// The same socket that the HTTP library reads and writes.
    socket: TcpStream,
    is_encrypted: bool,
    /// Requests that are not answered to the last byte.
    open_requests: AtomicUsize,
    idle: IdleTime,
    _counted: Counted,
}

/// Called for each new connection: notes it in what its requests find as connection data.
pub fn opened(io: &dyn Any, data: &mut Extensions, service: &Service) {
    let encrypted = io.downcast_ref::<TlsStream<AsyncTcpStream>>();
    let socket = encrypted.map(|stream| stream.get_ref().0).or_else(|| io.downcast_ref());
    match socket.map(duplicate) {
        Some(Ok(socket)) => {
            let connection = Arc::new(Connection {
                socket,
                is_encrypted: encrypted.is_some(),
                open_requests: AtomicUsize::new(0),
                idle: IdleTime::now(),
                _counted: service.count_connection(),
            });
            service.open_connections.add(&connection);
            data.insert(connection);
        }
        // It is served all the same, only not watched.
        Some(Err(error)) => {
            tracing::warn!("cannot watch a connection: {error}");
            data.insert(service.count_connection());
        }
        None => {
            data.insert(service.count_connection());
        }
    }
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
        OpenRequest(Arc::clone(self))
    }

    fn open_requests(&self) -> usize {
        self.open_requests.load(Ordering::SeqCst)
    }

    /// Ends the connection, whatever it is used for.
    fn cut(&self) {
        // Fails where the client was faster.
        drop(self.socket.shutdown(std::net::Shutdown::Both));
    }
}

/// A request that is not answered to the last byte.
#[derive(Debug)]
struct OpenRequest(Arc<Connection>);

impl Drop for OpenRequest {
    fn drop(&mut self) {
        self.0.idle.restart();
        self.0.open_requests.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Raises the number of files that the process may open to what `max_connections` take, as far as the
/// operating system lets it.
pub fn allow_files(max_connections: usize) {
    let limit = getrlimit(Resource::Nofile);
    let connections = u64::try_from(max_connections).unwrap_or(u64::MAX);
    let needed = connections.saturating_mul(FILES_PER_CONNECTION).saturating_add(OTHER_FILES);
    if limit.current.is_none_or(|current| current >= needed) {
        return;
    }
    let allowed = limit.maximum.map_or(needed, |maximum| maximum.min(needed));
    let raised = Rlimit { current: Some(allowed), maximum: limit.maximum };
    if setrlimit(Resource::Nofile, raised).is_err() || allowed < needed {
        tracing::warn!(
            "{max_connections} connections take {needed} open files, and only {allowed} are allowed: see ulimit -n and --max-connections"
        );
    }
}

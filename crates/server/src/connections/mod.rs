//! The connections, beyond what the HTTP library looks after: clients that leave while they wait,
//! that stall between two requests, that do not read, or that ask too much at a time.

mod count;
mod departure;
mod files;
mod idle;
mod open;
mod shared_body;
mod upgrade;
mod watch;

use std::any::Any;
use std::net::TcpStream;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::dev::Extensions;
use actix_web::rt::net::TcpStream as AsyncTcpStream;
use socket2::SockRef;

pub use files::allow_files;
pub use open::OpenConnections;
pub use shared_body::LINGER;
pub use upgrade::decline_upgrades;
pub use watch::{WRITE_BUFFER_BYTES, watch};

use self::count::{Counted, Counter};
use self::idle::IdleTime;

/// Time after which a connection ends whose client does not take what was sent.
const UNREAD_TIMEOUT: Duration = Duration::from_secs(30);

/// One connection, shared by its requests.
#[derive(Debug)]
pub struct Connection {
    /// The same socket that the HTTP library reads and writes; `None` where it cannot be had: then
    /// the connection is served all the same, only not watched.
    socket: Option<TcpStream>,
    is_encrypted: bool,
    /// Requests of this connection that are not answered to the last byte.
    open_requests: AtomicUsize,
    /// What the HTTP library has taken on of earlier answers may be waiting there for the client to read.
    may_hold_back: AtomicBool,
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

    /// Has the HTTP library find that the client sends nothing more; what is to be sent to the client is. With TLS it
    /// would take that for a client that has left.
    fn stop_reading(&self) {
        if let Some(socket) = self.socket.as_ref().filter(|_| !self.is_encrypted) {
            // Fails where the client was faster.
            drop(socket.shutdown(std::net::Shutdown::Read));
        }
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

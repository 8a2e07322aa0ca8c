//! The connections, beyond what the HTTP library looks after: clients that leave while they wait,
//! that stall between two requests, that do not read, or that ask too much at a time.

mod connection;
mod departure;
mod files;
mod open;
mod shared_body;
mod upgrade;
mod watch;

use std::any::Any;
use std::net::TcpStream;
use std::os::fd::{AsFd, OwnedFd};
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

/// Time after which a connection ends whose client does not take what was sent.
const UNREAD_TIMEOUT: Duration = Duration::from_secs(30);

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

//! The listening socket: bound, and closed without losing a connection.

use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::os::unix::net::UnixListener;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustls::ServerConfig;
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use crate::settings::Settings;

/// Connections that may wait to be accepted: a burst of clients is not sent away.
const BACKLOG: i32 = 4096;

/// Time in which the server's accepting thread does what it is told.
const ACCEPT_THREAD_REACTS: Duration = Duration::from_millis(2);

/// How often it is tried to find the moment at which no connection waits to be accepted.
const TRIES: usize = 100;

/// What a server listens on.
pub enum Listening {
    /// In the clear.
    Port(TcpListener),
    /// With TLS.
    Encrypted(TcpListener, Box<ServerConfig>),
    /// A socket in the file system.
    Socket(UnixListener),
}

/// Listens on the first of the host's addresses that can be listened on.
pub fn bind(settings: &Settings) -> std::io::Result<TcpListener> {
    let host = settings.host.trim_matches(['[', ']']);
    let mut refused = None;
    for address in (host, settings.port).to_socket_addrs()? {
        match bind_address(address, settings.reuse_port) {
            Ok(listener) => return Ok(listener),
            Err(error) => refused = Some(error),
        }
    }
    Err(refused.unwrap_or_else(|| std::io::Error::other("the host has no address")))
}

/// Listens on an address; with `reuse_port` another server may do so already.
pub fn bind_address(address: SocketAddr, reuse_port: bool) -> std::io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Connections of a server that has just ended do not stand in the way.
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(reuse_port)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Ends the listening of `server` on the socket that `listener` is a clone of, while it goes on
/// serving the connections that it has.
///
/// A connection that waits to be accepted when its socket closes is reset, and its client's request
/// lost. So this looks for a moment in which none waits.
pub async fn close(listener: &TcpListener, server: &ServerHandle) -> std::io::Result<()> {
    for _ in 0..TRIES {
        server.pause().await;
        tokio::time::sleep(ACCEPT_THREAD_REACTS).await;
        if !has_waiting(listener)? {
            break;
        }
        server.resume().await;
        tokio::time::sleep(ACCEPT_THREAD_REACTS).await;
    }
    // Closing the clone would not do: the server has the other one.
    SockRef::from(listener).shutdown(std::net::Shutdown::Read)
}

fn has_waiting(listener: &TcpListener) -> std::io::Result<bool> {
    let mut waiting = [PollFd::new(listener, PollFlags::IN)];
    Ok(poll(&mut waiting, Some(&Timespec::default()))? > 0)
}

//! One connection, and the requests on it.

use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// One connection, shared by its requests.
#[derive(Debug)]
pub struct Connection {
    /// The same socket that the HTTP library reads and writes; `None` where it cannot be had: then
    /// the connection is served all the same, only not watched.
    pub socket: Option<TcpStream>,
    pub is_encrypted: bool,
    /// Requests of this connection that are not answered to the last byte.
    pub open_requests: AtomicUsize,
    /// What the HTTP library has taken on of earlier answers may be waiting there for the client to read.
    pub may_hold_back: AtomicBool,
    /// Since when nothing is asked on it.
    pub idle_since: Mutex<Instant>,
}

impl Connection {
    /// Counts a request as open for as long as the value lives.
    pub fn begin_request(self: &Arc<Self>) -> OpenRequest {
        self.open_requests.fetch_add(1, Ordering::SeqCst);
        OpenRequest { connection: Arc::clone(self) }
    }

    pub fn idle_since(&self) -> MutexGuard<'_, Instant> {
        // A moment is whole after a panic, too.
        self.idle_since.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn open_requests(&self) -> usize {
        self.open_requests.load(Ordering::SeqCst)
    }

    /// Has the HTTP library find that the client sends nothing more; what is to be sent to the client is. With TLS it
    /// would take that for a client that has left.
    pub fn stop_reading(&self) {
        if let Some(socket) = self.socket.as_ref().filter(|_| !self.is_encrypted) {
            // Fails where the client was faster.
            drop(socket.shutdown(std::net::Shutdown::Read));
        }
    }

    /// Ends the connection, whatever it is used for.
    pub fn cut(&self) {
        if let Some(socket) = &self.socket {
            // Fails where the client was faster.
            drop(socket.shutdown(std::net::Shutdown::Both));
        }
    }
}

/// A request that is not answered to the last byte.
#[derive(Debug)]
pub struct OpenRequest {
    pub connection: Arc<Connection>,
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        *self.connection.idle_since() = Instant::now();
        self.connection.open_requests.fetch_sub(1, Ordering::SeqCst);
    }
}

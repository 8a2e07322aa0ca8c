//! All connections that are open.

use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use crate::connections::connection::Connection;

/// All connections that are open, and the requests on them.
#[derive(Debug, Default)]
pub struct OpenConnections {
    connections: Mutex<Vec<Weak<Connection>>>,
}

impl OpenConnections {
    /// One more.
    pub(crate) fn add(&self, socket: Option<TcpStream>, is_encrypted: bool) -> Arc<Connection> {
        let connection = Arc::new(Connection {
            socket,
            is_encrypted,
            open_requests: AtomicUsize::new(0),
            may_hold_back: AtomicBool::new(false),
            idle_since: Mutex::new(Instant::now()),
        });
        self.lock().push(Arc::downgrade(&connection));
        connection
    }

    /// Connections that are open.
    pub fn count(&self) -> usize {
        self.lock().iter().filter(|connection| connection.strong_count() > 0).count()
    }

    /// Requests that are not answered to the last byte.
    pub fn requests(&self) -> usize {
        let connections = self.lock();
        let open = connections.iter().filter_map(Weak::upgrade);
        open.map(|connection| connection.open_requests()).sum()
    }

    /// Ends those that have had no request open for longer than `limit`; called every few seconds.
    ///
    /// The HTTP library closes those that are silent, but gives the second request on a connection
    /// all the time in the world to send its head.
    pub fn cut_idle(&self, limit: Duration) {
        let mut connections = self.lock();
        connections.retain(|connection| connection.strong_count() > 0);
        // What a burst of clients took is given back.
        let length = connections.len();
        connections.shrink_to(2 * length);
        for connection in connections.iter().filter_map(Weak::upgrade) {
            if connection.open_requests() == 0 && connection.idle_since().elapsed() > limit {
                tracing::debug!("a client has kept its connection without a whole request");
                connection.cut();
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Weak<Connection>>> {
        // A list of weak pointers is whole after a panic, too.
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::{TcpListener, TcpStream};
    use std::time::Duration;

    use super::OpenConnections;

    #[test]
    fn only_idle_connections_are_cut() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let all = OpenConnections::default();
        let open = || {
            let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            (client, all.add(Some(listener.accept().unwrap().0), false))
        };
        let ((mut idle, kept), (busy, connection)) = (open(), open());
        let request = connection.begin_request();
        assert_eq!((all.count(), all.requests()), (2, 1));
        std::thread::sleep(Duration::from_millis(5));
        all.cut_idle(Duration::from_mins(1));
        idle.set_nonblocking(true).unwrap();
        assert_eq!(idle.read(&mut [0]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
        idle.set_nonblocking(false).unwrap();

        all.cut_idle(Duration::ZERO);
        assert_eq!(idle.read(&mut [0]).unwrap(), 0);
        busy.set_nonblocking(true).unwrap();
        assert_eq!((&busy).read(&mut [0]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
        busy.set_nonblocking(false).unwrap();

        drop(request);
        assert_eq!(all.requests(), 0);
        std::thread::sleep(Duration::from_millis(5));
        all.cut_idle(Duration::ZERO);
        assert_eq!((&busy).read(&mut [0]).unwrap(), 0);
        drop((kept, connection));
        assert_eq!(all.count(), 0);
    }
}

//! Connections on which nothing is asked.
//!
//! The HTTP library closes those that are silent, but gives the second request on a connection all the
//! time in the world to send its head.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use super::Connection;

/// What times are counted from.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Since when a connection is idle, as milliseconds from the start.
#[derive(Debug)]
pub(super) struct IdleTime(AtomicU64);

impl IdleTime {
    pub fn now() -> Self {
        let time = Self(AtomicU64::new(0));
        time.restart();
        time
    }

    pub fn restart(&self) {
        self.0.store(milliseconds(), Ordering::Relaxed);
    }

    fn elapsed(&self) -> Duration {
        Duration::from_millis(milliseconds().saturating_sub(self.0.load(Ordering::Relaxed)))
    }
}

fn milliseconds() -> u64 {
    u64::try_from(START.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// All connections that are open.
#[derive(Debug, Default)]
pub struct OpenConnections(Mutex<Vec<Weak<Connection>>>);

impl OpenConnections {
    pub(super) fn add(&self, connection: &Arc<Connection>) {
        self.lock().push(Arc::downgrade(connection));
    }

    /// Ends those that have had no request open for longer than `limit`; called every few seconds.
    pub fn cut_idle(&self, limit: Duration) {
        let mut connections = self.lock();
        connections.retain(|connection| connection.strong_count() > 0);
        // What a burst of clients took is given back.
        let length = connections.len();
        connections.shrink_to(2 * length);
        for connection in connections.iter().filter_map(Weak::upgrade) {
            if connection.open_requests() == 0 && connection.idle.elapsed() > limit {
                tracing::debug!("a client has kept its connection without a whole request");
                connection.cut();
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Weak<Connection>>> {
        // A list of weak pointers is whole after a panic, too.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::{TcpListener, TcpStream};
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;
    use std::time::Duration;

    use super::{IdleTime, OpenConnections};
    use crate::connections::Connection;
    use crate::service::Counted;

    #[test]
    fn only_idle_connections_are_cut() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let all = OpenConnections::default();
        let open = || {
            let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            let connection = Arc::new(Connection {
                socket: listener.accept().unwrap().0,
                is_encrypted: false,
                open_requests: AtomicUsize::new(0),
                idle: IdleTime::now(),
                _counted: Counted::new(&Arc::default()),
            });
            all.add(&connection);
            (client, connection)
        };
        let ((mut idle, _kept), (busy, connection)) = (open(), open());
        let request = connection.begin_request();
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
        std::thread::sleep(Duration::from_millis(5));
        all.cut_idle(Duration::ZERO);
        assert_eq!((&busy).read(&mut [0]).unwrap(), 0);
    }
}

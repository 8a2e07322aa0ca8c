//! Whether a client that waits for its answer is still there.
//!
//! A client that leaves ends its half of the connection; so does one that has only nothing more to
//! say. TCP tells them apart when something is sent: a socket that is gone refuses it. HTTP/1.1 has
//! answers that can be sent before the answer and that clients pass over. They go past the HTTP library, so only while
//! it has sent all of the answers before.

use std::io::{ErrorKind, Write};
use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actix_web::http::Version;

use crate::connections::connection::Connection;

/// How often a client that waits is looked after. Most are answered before the first time.
const PERIOD: Duration = Duration::from_millis(100);

/// An answer before the answer, RFC 9110 section 15.2.
const INTERIM_ANSWER: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// What is known of the other end.
#[derive(Debug, PartialEq, Eq)]
enum Peer {
    /// It may still send.
    Here,
    /// It sends nothing more.
    Silent,
    /// It cannot be sent anything.
    Gone,
}

impl Connection {
    /// Completes when the client has left, and else never. Without `may_ask` a client is not sent anything to find out.
    pub(crate) async fn departure(&self, version: Version, may_ask: bool) {
        let Some(mut socket) = self.socket.as_ref() else {
            return std::future::pending().await;
        };
        // Before HTTP/1.1 there were none.
        let mut can_ask = may_ask && version == Version::HTTP_11;
        loop {
            tokio::time::sleep(PERIOD).await;
            match state_of(socket) {
                Peer::Gone => return,
                // With TLS the end of what a client sends is the end of the connection.
                Peer::Silent if self.is_encrypted => return,
                Peer::Silent if can_ask && !self.may_hold_back.load(Ordering::SeqCst) => {
                    can_ask = false;
                    match socket.write(INTERIM_ANSWER) {
                        Ok(written) if written == INTERIM_ANSWER.len() => {}
                        // Half of it would spoil the answer.
                        Ok(_) => {
                            self.cut();
                            return;
                        }
                        // Where it does not fit in, an answer is under way already: that asks, too.
                        Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                        Err(_) => return,
                    }
                }
                Peer::Here | Peer::Silent => {}
            }
        }
    }
}

fn state_of(socket: &TcpStream) -> Peer {
    if !matches!(socket.take_error(), Ok(None)) {
        return Peer::Gone;
    }
    match socket.peek(&mut [0]) {
        Ok(0) => Peer::Silent,
        Ok(_) => Peer::Here,
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
            Peer::Here
        }
        Err(_) => Peer::Gone,
    }
}

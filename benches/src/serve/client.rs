//! One connection of a load: a request on its way out, or its answer on its way in.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use mio::net::TcpStream;

/// Answers are a few hundred bytes; a larger one is read in several turns.
const READ_AT_ONCE: usize = 16 << 10;

/// How far a client got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// It waits for its socket.
    Pending,
    /// The whole answer came; the latency counts from the request's first byte.
    Answered {
        /// HTTP's.
        status: u16,
        /// From the first byte written to the last byte read.
        latency: Duration,
    },
    /// The connection ended before the answer did, or after an answer that came too early.
    Broken,
}

/// One kept-alive connection.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    current: Option<Current>,
    answer: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
struct Current {
    request: usize,
    sent: usize,
    began: Instant,
}

impl Client {
    /// Begins to connect; the socket becomes writable when that is done.
    ///
    /// # Errors
    /// What the operating system says at once.
    pub fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, current: None, answer: Vec::new() })
    }

    /// The socket, to be waited for.
    pub fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    /// Whether a request is on its way.
    pub fn is_waiting(&self) -> bool {
        self.current.is_some()
    }

    /// Takes up the request of that number.
    pub fn begin(&mut self, request: usize) {
        self.current = Some(Current { request, sent: 0, began: Instant::now() });
        self.answer.clear();
    }

    /// Sends and receives until the answer is there or the socket has to be waited for.
    ///
    /// # Errors
    /// When the answer is no HTTP with a length.
    pub fn advance(&mut self, requests: &[Vec<u8>]) -> Result<Progress> {
        let Some(current) = &mut self.current else {
            return Ok(Progress::Pending);
        };
        let request = &requests[current.request];
        while current.sent < request.len() {
            match self.stream.write(&request[current.sent..]) {
                Ok(0) => return Ok(Progress::Broken),
                Ok(count) => current.sent += count,
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock | ErrorKind::NotConnected => break,
                    ErrorKind::Interrupted => {}
                    _ => return Ok(Progress::Broken),
                },
            }
        }
        let (current, all_sent) = (*current, current.sent == request.len());
        loop {
            let start = self.answer.len();
            self.answer.resize(start + READ_AT_ONCE, 0);
            let read = self.stream.read(&mut self.answer[start..]);
            self.answer.truncate(start + *read.as_ref().unwrap_or(&0));
            match read {
                Ok(0) => return Ok(Progress::Broken),
                Ok(_) => {
                    if let Some((status, _)) = complete(&self.answer)? {
                        self.current = None;
                        // Refused before all of it was sent: the connection cannot go on.
                        return Ok(if all_sent {
                            Progress::Answered { status, latency: current.began.elapsed() }
                        } else {
                            Progress::Broken
                        });
                    }
                }
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock | ErrorKind::NotConnected => {
                        return Ok(Progress::Pending);
                    }
                    ErrorKind::Interrupted => {}
                    _ => return Ok(Progress::Broken),
                },
            }
        }
    }
}

/// The status and the length of the head of an answer that is all there.
pub(super) fn complete(answer: &[u8]) -> Result<Option<(u16, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head) =
        response.parse(answer).context("an answer that is no HTTP")?
    else {
        return Ok(None);
    };
    let length = response
        .headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case("content-length"))
        .and_then(|header| std::str::from_utf8(header.value).ok()?.trim().parse::<usize>().ok());
    let (Some(length), Some(status)) = (length, response.code) else {
        bail!("an answer without content-length, which this load generator does not read");
    };
    Ok((answer.len() - head >= length).then_some((status, head)))
}

#[cfg(test)]
mod tests {
    use super::complete;

    #[test]
    fn an_answer_is_complete_with_the_last_byte_of_its_body() {
        let answer = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 3\r\n\r\nabc";
        for length in 0..answer.len() {
            assert_eq!(complete(&answer[..length]).unwrap(), None, "{length}");
        }
        assert_eq!(complete(answer).unwrap(), Some((503, answer.len() - 3)));
    }

    #[test]
    fn what_cannot_be_measured_is_an_error() {
        assert!(complete(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").is_err());
        assert!(complete(b"SSH-2.0-OpenSSH\r\n").is_err());
    }
}

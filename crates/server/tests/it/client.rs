//! A client that keeps its connection and retries nothing: what goes wrong is seen.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use crate::server::{BOUNDARY, multipart};

pub struct Client {
    address: String,
    connection: Option<BufReader<TcpStream>>,
}

/// A status, the headers in lower case, and a body.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Value,
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

impl Client {
    pub fn new(address: &str) -> Self {
        Self { address: address.to_owned(), connection: None }
    }

    pub fn get(&mut self, path: &str) -> std::io::Result<Response> {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").as_bytes())
    }

    pub fn post(&mut self, path: &str, headers: &str, body: &[u8]) -> std::io::Result<Response> {
        let length = body.len();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {length}\r\n{headers}\r\n"
        );
        self.send(&[head.as_bytes(), body].concat())
    }

    /// Uploads an image to `/predict` as browsers do.
    pub fn predict(&mut self, image: &[u8]) -> std::io::Result<Response> {
        let body = multipart(&[("file", Some("image/png"), image)]);
        let kind = format!("Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n");
        self.post("/predict", &kind, &body)
    }

    /// Sends a request, on the connection of the last one unless the server has said that it closes.
    pub fn send(&mut self, request: &[u8]) -> std::io::Result<Response> {
        let mut connection = if let Some(connection) = self.connection.take() {
            connection
        } else {
            let stream = TcpStream::connect(&self.address)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(Duration::from_mins(1)))?;
            BufReader::new(stream)
        };
        connection.get_mut().write_all(request)?;
        let response = read(&mut connection)?;
        if response.header("connection") != Some("close") {
            self.connection = Some(connection);
        }
        Ok(response)
    }
}

/// Reads one response.
pub fn read(connection: &mut impl BufRead) -> std::io::Result<Response> {
    let invalid =
        |what: &str| std::io::Error::new(std::io::ErrorKind::InvalidData, what.to_owned());
    let mut line = String::new();
    connection.read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| invalid(&format!("no status line: {line:?}")))?;
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        connection.read_line(&mut line)?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length.and_then(|(_, value)| value.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    connection.read_exact(&mut body)?;
    let body = serde_json::from_slice(&body)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&body).into_owned()));
    Ok(Response { status, headers, body })
}

/// Says that something is over, also when the test fails before its end: whoever waits for it would
/// wait for ever.
pub struct Over<'a>(pub &'a std::sync::atomic::AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, std::sync::atomic::Ordering::Relaxed);
    }
}

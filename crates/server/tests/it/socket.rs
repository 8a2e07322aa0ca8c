//! HTTP as bytes, for what no well-behaved client sends.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::server::{BOUNDARY, Server, multipart, picture};

/// A connection whose reads fail rather than wait for ever.
pub fn connect(server: &Server) -> TcpStream {
    let connection = TcpStream::connect(server.address()).unwrap();
    connection.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    connection.set_write_timeout(Some(Duration::from_mins(1))).unwrap();
    connection
}

/// The body of a request to /predict with a small picture.
pub fn small_upload() -> Vec<u8> {
    multipart(&[("file", Some("image/png"), &picture("png_rgb.png"))])
}

/// The head of a request to /predict; `more` are whole lines of headers.
pub fn predict_head(more: &str) -> String {
    format!(
        "POST /predict HTTP/1.1\r\nHost: x\r\n\
         Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n{more}\r\n"
    )
}

/// A whole request to /predict.
pub fn predict_request(body: &[u8], more: &str) -> Vec<u8> {
    let head = predict_head(&format!("Content-Length: {}\r\n{more}", body.len()));
    [head.as_bytes(), body].concat()
}

/// One answer as it came.
#[derive(Debug)]
pub struct RawAnswer {
    pub status: u16,
    /// The lines of the head after the first.
    pub headers: Vec<String>,
    pub body: String,
}

impl RawAnswer {
    /// The next answer of a connection; `None` when it ended before.
    pub fn read(connection: &mut impl BufRead) -> Option<Self> {
        let mut line = String::new();
        connection.read_line(&mut line).ok()?;
        let status = line.split(' ').nth(1)?.parse().unwrap();
        let mut headers = Vec::new();
        loop {
            let mut header = String::new();
            connection.read_line(&mut header).unwrap();
            if header.trim().is_empty() {
                break;
            }
            headers.push(header.trim().to_ascii_lowercase());
        }
        let length = headers.iter().find_map(|header| header.strip_prefix("content-length: "));
        let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
        connection.read_exact(&mut body).unwrap();
        Some(Self { status, headers, body: String::from_utf8(body).unwrap() })
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let line = self.headers.iter().find(|header| header.starts_with(&format!("{name}: ")));
        line.map(|line| line[name.len() + 2..].trim())
    }
}

/// Sends a request as it is and gives the first answer.
pub fn answer_to(server: &Server, request: &[u8]) -> RawAnswer {
    let mut connection = connect(server);
    connection.write_all(request).unwrap();
    RawAnswer::read(&mut BufReader::new(connection)).expect("an answer")
}

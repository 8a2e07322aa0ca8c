//! HTTP as bytes, for what no well-behaved client sends.

use std::io::{BufReader, Write};
use std::net::TcpStream;

use crate::answer::Answer;
use crate::client;
use crate::server::{FORM, Server, multipart, picture};

/// A connection whose reads fail rather than wait for ever.
pub fn connect(server: &Server) -> TcpStream {
    client::connect(&server.address()).unwrap()
}

/// The body of a request to /predict with a small picture.
pub fn small_upload() -> Vec<u8> {
    multipart(&[("file", Some("image/png"), &picture("png_rgb.png"))])
}

/// The head of a request to /predict; `more` are whole lines of headers.
pub fn predict_head(more: &str) -> String {
    head("/predict", more)
}

/// A whole request to /predict.
pub fn predict_request(body: &[u8], more: &str) -> Vec<u8> {
    upload_request("/predict", body, more)
}

/// A whole request with a form.
pub fn upload_request(path: &str, body: &[u8], more: &str) -> Vec<u8> {
    let head = head(path, &format!("Content-Length: {}\r\n{more}", body.len()));
    [head.as_bytes(), body].concat()
}

fn head(path: &str, more: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {FORM}\r\n{more}\r\n")
}

/// The next answer of a connection.
pub fn answer(connection: &mut BufReader<TcpStream>) -> Answer {
    Answer::read(connection).unwrap()
}

/// Sends a request as it is and gives the first answer.
pub fn answer_to(server: &Server, request: &[u8]) -> Answer {
    let mut connection = connect(server);
    connection.write_all(request).unwrap();
    answer(&mut BufReader::new(connection))
}

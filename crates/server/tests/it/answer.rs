//! One answer over HTTP/1.1, as it comes from a connection.

use std::io::{BufRead, Error, ErrorKind, Read, Result};

use serde::Deserialize;
use serde_json::Value;

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// In the order in which they came, the names in lower case.
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// The body of an answer that is not a success.
#[derive(Deserialize)]
struct Refusal<'a> {
    #[serde(borrow)]
    error: Fault<'a>,
}

#[derive(Deserialize)]
struct Fault<'a> {
    code: &'a str,
}

impl Answer {
    /// Reads the next answer of a connection. What is not whole is an error.
    pub fn read(connection: &mut impl BufRead) -> Result<Self> {
        let status_line = line(connection)?;
        let status = status_line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| invalid("status line", &status_line))?;
        let mut headers = Vec::new();
        loop {
            let line = line(connection)?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').ok_or_else(|| invalid("header", &line))?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut answer = Self { status, headers, body: Vec::new() };
        answer.body = answer.read_body(connection)?;
        Ok(answer)
    }

    fn read_body(&self, connection: &mut impl BufRead) -> Result<Vec<u8>> {
        if self.status < 200 || self.status == 204 || self.status == 304 {
            return Ok(Vec::new());
        }
        if self.header("transfer-encoding") == Some("chunked") {
            return read_chunks(connection);
        }
        let length = self.header("content-length").unwrap_or("0");
        let length = length.parse().map_err(|_| invalid("content-length", length))?;
        read_bytes(connection, length)
    }

    /// The value of the first header of this name, which is given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The stable code of a refusal; `none` where it is not one.
    pub fn code(&self) -> &str {
        serde_json::from_slice(&self.body).map_or("none", |refusal: Refusal| refusal.error.code)
    }
}

fn line(connection: &mut impl BufRead) -> Result<String> {
    let mut line = String::new();
    connection.read_line(&mut line)?;
    match line.strip_suffix("\r\n") {
        Some(whole) => Ok(whole.to_owned()),
        None => Err(invalid("line", &line)),
    }
}

fn read_bytes(connection: &mut impl Read, length: usize) -> Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    connection.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// RFC 9112 section 7.1, without trailers.
fn read_chunks(connection: &mut impl BufRead) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let length = line(connection)?;
        let length = usize::from_str_radix(&length, 16).map_err(|_| invalid("chunk", &length))?;
        body.extend(read_bytes(connection, length)?);
        let end = line(connection)?;
        if !end.is_empty() {
            return Err(invalid("end of a chunk", &end));
        }
        if length == 0 {
            return Ok(body);
        }
    }
}

fn invalid(what: &str, found: &str) -> Error {
    Error::new(ErrorKind::InvalidData, format!("not a {what}: {found:?}"))
}

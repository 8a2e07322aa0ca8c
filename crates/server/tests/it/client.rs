//! A client that keeps its connection and retries nothing: what goes wrong is seen.

use std::io::{BufReader, Read, Result, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::answer::Answer;
use crate::server::{FORM, multipart};

/// Longer than anything takes that comes at all.
const PATIENCE: Duration = Duration::from_mins(1);

/// Bytes to and from a server, in the clear or not.
trait Stream: Read + Write {}

impl<T: Read + Write> Stream for T {}

pub type Encrypted = StreamOwned<ClientConnection, TcpStream>;

/// A connection whose reads fail rather than wait for ever.
pub fn connect(address: &str) -> Result<TcpStream> {
    let connection = TcpStream::connect(address)?;
    connection.set_nodelay(true)?;
    connection.set_read_timeout(Some(PATIENCE))?;
    connection.set_write_timeout(Some(PATIENCE))?;
    Ok(connection)
}

/// The same, encrypted.
pub fn connect_encrypted(address: &str, config: &Arc<ClientConfig>) -> Result<Encrypted> {
    let name = "localhost".try_into().unwrap();
    let session = ClientConnection::new(Arc::clone(config), name).unwrap();
    Ok(StreamOwned::new(session, connect(address)?))
}

pub struct Client {
    address: String,
    encryption: Option<Arc<ClientConfig>>,
    connection: Option<BufReader<Box<dyn Stream>>>,
}

impl Client {
    pub fn new(address: &str) -> Self {
        Self { address: address.to_owned(), encryption: None, connection: None }
    }

    pub fn encrypted(address: &str, config: Arc<ClientConfig>) -> Self {
        Self { encryption: Some(config), ..Self::new(address) }
    }

    pub fn get(&mut self, path: &str) -> Result<Answer> {
        self.request("GET", path, &[], b"")
    }

    pub fn post(&mut self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Answer> {
        self.request("POST", path, headers, body)
    }

    /// Uploads an image to `/predict` as browsers do.
    pub fn predict(&mut self, image: &[u8]) -> Result<Answer> {
        let body = multipart(&[("file", Some("image/png"), image)]);
        self.post("/predict", &[("content-type", FORM)], &body)
    }

    /// Sends a request, with the server's address as its host unless the headers name another one.
    pub fn request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Answer> {
        let mut lines = vec![format!("{method} {path} HTTP/1.1")];
        if !headers.iter().any(|(name, _)| *name == "host") {
            lines.push(format!("host: {}", self.address));
        }
        if method == "POST" {
            lines.push(format!("content-length: {}", body.len()));
        }
        lines.extend(headers.iter().map(|(name, value)| format!("{name}: {value}")));
        let head = lines.join("\r\n") + "\r\n\r\n";
        self.send(&[head.as_bytes(), body].concat())
    }

    /// Sends bytes, on the connection of the last request unless the server has said that it closes,
    /// and reads one answer.
    pub fn send(&mut self, request: &[u8]) -> Result<Answer> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => BufReader::new(self.connect()?),
        };
        connection.get_mut().write_all(request)?;
        let answer = Answer::read(&mut connection)?;
        if answer.header("connection") != Some("close") {
            self.connection = Some(connection);
        }
        Ok(answer)
    }

    fn connect(&self) -> Result<Box<dyn Stream>> {
        Ok(match &self.encryption {
            Some(config) => Box::new(connect_encrypted(&self.address, config)?),
            None => Box::new(connect(&self.address)?),
        })
    }
}

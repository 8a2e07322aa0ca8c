//! `sdd-server health`: a check for containers that have no HTTP client.

use std::error::Error;
use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use crate::settings::Settings;

const TIMEOUT: Duration = Duration::from_secs(3);

/// Asks `/readyz` of the server that the settings name; one that listens on all addresses is asked
/// on loopback.
///
/// # Errors
/// When there is no answer in 3 seconds, or another one than 200.
pub fn check(settings: &Settings) -> Result<(), Box<dyn Error>> {
    let host = match settings.host.as_str() {
        "0.0.0.0" => "127.0.0.1",
        "::" | "[::]" => "::1",
        host => host,
    };
    let address = (host.trim_matches(['[', ']']), settings.port)
        .to_socket_addrs()?
        .next()
        .ok_or_else(|| format!("{host} has no address"))?;
    let mut connection = TcpStream::connect_timeout(&address, TIMEOUT)
        .map_err(|error| format!("no server at {address}: {error}"))?;
    connection.set_read_timeout(Some(TIMEOUT))?;
    connection.set_write_timeout(Some(TIMEOUT))?;
    write!(connection, "GET /readyz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    connection.take(4096).read_to_string(&mut answer)?;
    let status = answer.lines().next().unwrap_or_default();
    if status.starts_with("HTTP/1.1 200 ") {
        return Ok(());
    }
    Err(format!("the server at {address} is not ready: {status}").into())
}

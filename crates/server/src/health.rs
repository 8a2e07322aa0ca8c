//! `sdd-server health`: a check for containers that have no HTTP client.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct as Signed, Error, SignatureScheme,
    StreamOwned,
};

use crate::security::provider;
use crate::settings::Settings;

const TIMEOUT: Duration = Duration::from_secs(3);

/// Asks `/readyz` of the server that the settings name; one that listens on all addresses is asked
/// on loopback.
///
/// # Errors
/// When there is no answer in 3 seconds, or another one than 200.
pub fn check(settings: &Settings) -> Result<(), Box<dyn std::error::Error>> {
    let host = match settings.host.as_str() {
        "0.0.0.0" => "127.0.0.1",
        "::" | "[::]" => "::1",
        host => host,
    };
    let address = (host.trim_matches(['[', ']']), settings.port)
        .to_socket_addrs()?
        .next()
        .ok_or_else(|| format!("{host} has no address"))?;
    let connection = TcpStream::connect_timeout(&address, TIMEOUT)
        .map_err(|error| format!("no server at {address}: {error}"))?;
    connection.set_read_timeout(Some(TIMEOUT))?;
    connection.set_write_timeout(Some(TIMEOUT))?;
    let answer = if settings.security.tls_cert.is_some() {
        ask(host, StreamOwned::new(encrypt(address.ip().into())?, connection))?
    } else {
        ask(host, connection)?
    };
    let status = answer.lines().next().unwrap_or_default();
    if status.starts_with("HTTP/1.1 200 ") {
        return Ok(());
    }
    Err(format!("the server at {address} is not ready: {status}").into())
}

fn ask(host: &str, mut connection: impl Read + Write) -> std::io::Result<String> {
    write!(connection, "GET /readyz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    match connection.take(4096).read_to_end(&mut answer) {
        // A connection that ends without TLS's goodbye has brought all that is looked at.
        Err(error) if error.kind() != ErrorKind::UnexpectedEof || answer.is_empty() => Err(error),
        _ => Ok(String::from_utf8_lossy(&answer).into_owned()),
    }
}

fn encrypt(name: ServerName<'static>) -> Result<ClientConnection, Error> {
    let provider = provider();
    let schemes = provider.signature_verification_algorithms.supported_schemes();
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(schemes)))
        .with_no_client_auth();
    ClientConnection::new(Arc::new(config), name)
}

/// Takes any certificate, and so any signature: it is for the name that clients use, not for loopback,
/// and nothing secret is sent or believed here.
#[derive(Debug)]
struct AnyCertificate(Vec<SignatureScheme>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(&self, _: &[u8], _: &CertificateDer<'_>, _: &Signed) -> Verified {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(&self, _: &[u8], _: &CertificateDer<'_>, _: &Signed) -> Verified {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.clone()
    }
}

type Verified = Result<HandshakeSignatureValid, Error>;

//! TLS and HTTP/2.

use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::server::{Server, command, refusal};
use crate::socket::{RawAnswer, connect, predict_request, small_upload};

type Encrypted = StreamOwned<ClientConnection, TcpStream>;

/// A certificate for localhost and its key, in files.
struct Files {
    _folder: tempfile::TempDir,
    certificate: PathBuf,
    key: PathBuf,
}

impl Files {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
        write_pair(&certificate, &key);
        Self { _folder: folder, certificate, key }
    }

    fn arguments(&self) -> [&str; 4] {
        ["--tls-cert", self.certificate.to_str().unwrap(), "--tls-key", self.key.to_str().unwrap()]
    }

    fn connect(&self, server: &Server, protocol: &[u8]) -> Encrypted {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(&self.certificate).unwrap()).unwrap();
        let mut config = ClientConfig::builder_with_provider(sdd_server::security::provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.to_vec()];
        let name = "localhost".try_into().unwrap();
        let connection = ClientConnection::new(Arc::new(config), name).unwrap();
        StreamOwned::new(connection, connect(server))
    }
}

fn write_pair(certificate: &Path, key: &Path) {
    let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(certificate, pair.cert.pem()).unwrap();
    std::fs::write(key, pair.signing_key.serialize_pem()).unwrap();
}

fn get(connection: Encrypted, path: &str) -> Option<RawAnswer> {
    let mut connection = BufReader::new(connection);
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    connection.get_mut().write_all(request.as_bytes()).ok()?;
    RawAnswer::read(&mut connection)
}

#[test]
fn images_are_answered_over_tls() {
    let files = Files::new();
    let server = Server::start(&files.arguments());
    let mut connection = BufReader::new(files.connect(&server, b"http/1.1"));
    for _ in 0..3 {
        connection.get_mut().write_all(&predict_request(&small_upload(), "")).unwrap();
        let answer = RawAnswer::read(&mut connection).unwrap();
        assert_eq!(answer.status, 200);
        assert!(answer.body.contains("non_defect"), "{answer:?}");
    }
    // Who speaks in the clear is sent away, and does no harm.
    let mut clear = connect(&server);
    clear.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = clear.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    assert_eq!(get(files.connect(&server, b"http/1.1"), "/readyz").unwrap().status, 200);
}

#[test]
fn health_asks_over_tls() {
    let files = Files::new();
    let server = Server::start(&files.arguments());
    let health = |arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_sdd-server"));
        command.args(["health", "--port", &server.port.to_string()]).args(arguments);
        command.output().unwrap().status.code()
    };
    assert_eq!(health(&files.arguments()), Some(0));
    assert_eq!(health(&[]), Some(2));
}

#[test]
fn a_renewed_certificate_is_shown_after_a_reload() {
    let files = Files::new();
    let server = Server::start(&files.arguments());
    assert_eq!(get(files.connect(&server, b"http/1.1"), "/livez").unwrap().status, 200);
    write_pair(&files.certificate, &files.key);
    assert!(get(files.connect(&server, b"http/1.1"), "/livez").is_none(), "the old one is shown");
    server.signal("-HUP");
    server.wait_for("model loaded");
    assert_eq!(get(files.connect(&server, b"http/1.1"), "/livez").unwrap().status, 200);
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let (files, others) = (Files::new(), Files::new());
    let with = |certificate: &Path, key: &Path| {
        let (certificate, key) = (certificate.to_str().unwrap(), key.to_str().unwrap());
        let (code, said) = refusal(&["--tls-cert", certificate, "--tls-key", key]);
        assert_eq!(code, Some(2), "{said}");
        said
    };
    let nowhere = Path::new("/nowhere/file.pem");
    assert!(with(nowhere, &files.key).contains("/nowhere/file.pem"));
    assert!(with(&files.certificate, nowhere).contains("/nowhere/file.pem"));
    let said = with(&files.certificate, &others.key);
    assert!(said.contains("cannot be used together"), "{said}");
    let swapped = with(&files.key, &files.certificate);
    assert!(swapped.contains("cannot read a certificate from"), "{swapped}");
    let (code, said) = refusal(&["--tls-cert", files.certificate.to_str().unwrap()]);
    assert!(code == Some(2) && said.contains("--tls-key"), "{said}");
}

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const END_OF_HEADERS_AND_STREAM: u8 = 0x5;

/// A frame of HTTP/2, RFC 9113 section 4.1.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// What a connection begins with; `settings` in pairs of a number and its value.
fn preface(settings: &[(u16, u32)]) -> Vec<u8> {
    let mut payload = Vec::new();
    for (number, value) in settings {
        payload.extend(number.to_be_bytes());
        payload.extend(value.to_be_bytes());
    }
    [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice(), &frame(SETTINGS, 0, 0, &payload)].concat()
}

/// `GET path` as a whole stream: names from HPACK's static table, values as they are.
fn get_stream(stream: u32, path: &str) -> Vec<u8> {
    let mut block = vec![0x82, 0x87, 0x04, u8::try_from(path.len()).unwrap()];
    block.extend(path.bytes());
    block.extend([0x01, 9]);
    block.extend(b"localhost");
    frame(HEADERS, END_OF_HEADERS_AND_STREAM, stream, &block)
}

#[test]
fn http_2_is_spoken_with_those_who_ask_for_it() {
    let files = Files::new();
    let server = Server::start(&files.arguments());
    let mut connection = files.connect(&server, b"h2");
    connection.write_all(&preface(&[])).unwrap();
    connection.write_all(&get_stream(1, "/readyz")).unwrap();
    loop {
        let mut head = [0; 9];
        connection.read_exact(&mut head).unwrap();
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        connection.read_exact(&mut payload).unwrap();
        if head[3] == HEADERS {
            // Number 8 of HPACK's static table: status 200.
            assert_eq!(payload[0], 0x88);
            break;
        }
    }
    assert_eq!(connection.conn.alpn_protocol(), Some(b"h2".as_slice()));
}

/// Streams whose answers the client never lets be sent.
#[test]
fn a_connection_with_streams_without_end_is_ended() {
    let files = Files::new();
    let server = Server::start(&files.arguments());
    let initial_window_size = 4;
    let mut flood = preface(&[(initial_window_size, 0)]);
    for number in 0..4000 {
        flood.extend(get_stream(2 * number + 1, "/v1/model"));
    }
    assert_ended(files.connect(&server, b"h2"), &flood);
    assert_eq!(get(files.connect(&server, b"http/1.1"), "/readyz").unwrap().status, 200);
}

/// CVE-2023-44487.
#[test]
fn streams_that_are_taken_back_at_once_do_no_harm() {
    let files = Files::new();
    let server = Server::start_command(command().args(files.arguments()).args(["--workers", "1"]));
    let mut flood = preface(&[]);
    for number in 0..20_000 {
        let cancel = 8_u32.to_be_bytes();
        flood.extend(get_stream(2 * number + 1, "/v1/model"));
        flood.extend(frame(RST_STREAM, 0, 2 * number + 1, &cancel));
    }
    let mut connection = files.connect(&server, b"h2");
    // It may be ended before it has sent all.
    let _ = connection.write_all(&flood);
    let mut other = BufReader::new(files.connect(&server, b"http/1.1"));
    other.get_mut().write_all(&predict_request(&small_upload(), "")).unwrap();
    assert_eq!(RawAnswer::read(&mut other).unwrap().status, 200);
    drop(connection);
    assert!(server.memory_kib("VmHWM") < 500 << 10);
}

fn assert_ended(mut connection: Encrypted, sent: &[u8]) {
    connection.sock.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let _ = connection.write_all(sent);
    let mut answer = vec![0; 1 << 16];
    loop {
        match connection.read(&mut answer) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) => {
                assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock, "it is still open");
                break;
            }
        }
    }
}

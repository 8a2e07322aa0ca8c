//! HTTP/2, which is spoken over TLS, and those who would use it to do harm.

use std::io::{Read, Write};
use std::time::Duration;

use crate::client::{Client, Encrypted};
use crate::server::{Server, command, picture};
use crate::tls::Files;

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
    let mut other = Client::encrypted(&server.address(), files.client(b"http/1.1"));
    assert_eq!(other.get("/readyz").unwrap().status, 200);
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
    let mut other = Client::encrypted(&server.address(), files.client(b"http/1.1"));
    assert_eq!(other.predict(&picture("png_rgb.png")).unwrap().status, 200);
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

//! HTTP/2, which is spoken over TLS, and those who would use it to do harm.

use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;

use crate::client::{Client, Encrypted};
use crate::eventually::eventually;
use crate::exposition::Exposition;
use crate::hold::slow_batch;
use crate::server::{FORM, Server, command, picture};
use crate::socket::small_upload;
use crate::tls::Files;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const END_OF_STREAM: u8 = 0x1;
const END_OF_HEADERS: u8 = 0x4;
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
    frame(HEADERS, END_OF_HEADERS_AND_STREAM, stream, &head(0x82, path))
}

/// `POST path` with an upload, named `id`; without the last frame of its body unless `is_whole`.
fn post_stream(stream: u32, path: &str, id: &str, body: &[u8], is_whole: bool) -> Vec<u8> {
    let mut block = head(0x83, path);
    for (name, value) in [("content-type", FORM), ("x-request-id", id)] {
        block.push(0);
        block.extend(literal(name));
        block.extend(literal(value));
    }
    let mut request = frame(HEADERS, END_OF_HEADERS, stream, &block);
    // Frames have 16 KiB at most.
    body.chunks(1 << 14).for_each(|chunk| request.extend(frame(DATA, 0, stream, chunk)));
    if is_whole {
        request.extend(frame(DATA, END_OF_STREAM, stream, &[]));
    }
    request
}

/// What each request begins with; `method` by its number in HPACK's static table.
fn head(method: u8, path: &str) -> Vec<u8> {
    let mut block = vec![method, 0x87, 0x04];
    block.extend(literal(path));
    block.push(0x01);
    block.extend(literal("localhost"));
    block
}

fn literal(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).unwrap();
    assert!(length < 127, "longer ones are written in another way");
    [&[length], text.as_bytes()].concat()
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

#[test]
fn work_of_a_stream_that_is_taken_back_is_dropped() {
    let files = Files::new();
    let server = Server::start_command(command().args(files.arguments()).args(["--workers", "1"]));
    let (address, trust) = (server.address(), files.client(b"http/1.1"));
    let new_client = || Client::encrypted(&address, Arc::clone(&trust));
    let metrics = || Exposition::parse(new_client().get("/metrics").unwrap().text());
    std::thread::scope(|scope| {
        let hold = scope.spawn(|| {
            let headers = [("content-type", FORM)];
            new_client().post("/predict/batch", &headers, &slow_batch(16)).unwrap().status
        });
        eventually("work", || metrics().number("sdd_admitted_images") > 0);
        let mut connection = files.connect(&server, b"h2");
        let upload = small_upload();
        let mut requests = preface(&[]);
        for (stream, id, is_whole) in [(1, "sent", true), (3, "being-sent", false)] {
            let part = if is_whole { upload.len() } else { upload.len() / 2 };
            requests.extend(post_stream(stream, "/predict", id, &upload[..part], is_whole));
        }
        connection.write_all(&requests).unwrap();
        // With the one that asks.
        eventually("both", || metrics().number("sdd_http_requests_in_flight") == 4);
        for (stream, id) in [(1, "sent"), (3, "being-sent")] {
            let cancel = 8_u32.to_be_bytes();
            connection.write_all(&frame(RST_STREAM, 0, stream, &cancel)).unwrap();
            let line = server.wait_for(&format!("\"request_id\":\"{id}\""));
            assert!(line.contains("\"status\":499,\"error\":\"client_left\""), "{line}");
        }
        assert!(!hold.is_finished(), "they are not logged before the work ahead of them is done");
        assert_eq!(hold.join().unwrap(), 200);
    });
    let images = metrics().value("sdd_batch_images_sum", &[]);
    assert_eq!(images.map(|images| images.to_string()), Some("16".into()), "in the model");
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

//! Starting, stopping, and what the program says when it cannot.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::server::{BOUNDARY, Server, command, multipart, picture, refusal};

#[test]
fn sigterm_and_sigint_answer_what_is_in_flight_and_end_with_0() {
    for signal in ["-TERM", "-INT"] {
        assert_in_flight_is_answered(signal);
    }
}

fn assert_in_flight_is_answered(signal: &str) {
    let server = Server::start(&[]);
    let body = multipart(&[("file", Some("image/png"), &picture("png_rgb.png"))]);
    let mut connection = TcpStream::connect(server.address()).unwrap();
    connection.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    write!(
        connection,
        "POST /predict HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\
         Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n\r\n",
        body.len()
    )
    .unwrap();
    connection.write_all(&body[..500]).unwrap();
    let_it_accept(&server);
    server.signal(signal);
    server.wait_for("stopping");
    let told = Instant::now();
    while TcpStream::connect(server.address()).is_ok() {
        assert!(told.elapsed() < Duration::from_secs(20), "it still takes new connections");
        std::thread::sleep(Duration::from_millis(10));
    }
    connection.write_all(&body[500..]).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let (status, log) = server.wait(Duration::from_secs(20));
    assert_eq!(status.code(), Some(0), "{log:#?}");
}

/// A connection that was made before this has been accepted after it.
fn let_it_accept(server: &Server) {
    assert_eq!(server.get("/healthz").status, 200);
    std::thread::sleep(Duration::from_millis(300));
}

#[test]
fn a_second_signal_does_not_wait() {
    let server = Server::start(&[]);
    let mut stalled = TcpStream::connect(server.address()).unwrap();
    write!(
        stalled,
        "POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\
         Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n\r\n--"
    )
    .unwrap();
    let_it_accept(&server);
    server.signal("-TERM");
    // Two signals at once may be one.
    server.wait_for("stopping");
    server.signal("-TERM");
    // Without the second one it would be the 30 s of --upload-timeout-s and --shutdown-timeout-s.
    let (status, log) = server.wait(Duration::from_secs(10));
    assert_eq!(status.code(), Some(0), "{log:#?}");
}

#[test]
fn a_taken_port_is_named() {
    let server = Server::start(&[]);
    let (code, said) = refusal(&["--port", &server.port.to_string()]);
    assert_eq!(code, Some(2));
    assert!(said.contains(&server.address()), "{said}");
}

#[test]
fn a_missing_model_and_a_missing_runtime_are_named() {
    let (code, said) = refusal(&["--model", "/nowhere/model.onnx"]);
    assert_eq!(code, Some(2));
    assert!(said.contains("/nowhere/model.onnx"), "{said}");

    let output = command().env("SDD_ONNXRUNTIME", "/nowhere/lib.so").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    assert!(said.contains("/nowhere/lib.so") && said.contains("make setup"), "{said}");
}

#[test]
fn the_environment_configures_it_and_health_asks_it() {
    let server = Server::start_command(command().env("SDD_REFERENCE", "none"));
    let health = |port: u16| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sdd-server"));
        command.args(["health", "--port", &port.to_string()]).output().unwrap()
    };
    assert_eq!(health(server.port).status.code(), Some(0));
    let port = server.port;
    drop(server);
    let output = health(port);
    assert_eq!(output.status.code(), Some(2));
    assert!(!output.stderr.is_empty());
}

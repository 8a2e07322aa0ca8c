//! Starting, stopping, and what the program says when it cannot.

use std::io::{BufReader, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use crate::eventually::eventually;
use crate::server::{Server, command, data, refusal};
use crate::socket::{answer, connect, predict_head, predict_request, small_upload};

#[test]
fn sigterm_and_sigint_answer_what_is_in_flight_and_end_with_0() {
    for signal in ["-TERM", "-INT"] {
        assert_in_flight_is_answered(signal);
    }
}

fn assert_in_flight_is_answered(signal: &str) {
    let server = Server::start(&[]);
    let request = predict_request(&small_upload(), "");
    let (first, rest) = request.split_at(500);
    let mut connection = connect(&server);
    connection.write_all(first).unwrap();
    server.wait_until_in_flight(1);
    server.signal(signal);
    server.wait_for("stopping");
    eventually("no new connections", || TcpStream::connect(server.address()).is_err());
    connection.write_all(rest).unwrap();
    let answer = answer(&mut BufReader::new(connection));
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")), "{answer:?}");
    let (status, log) = server.wait(Duration::from_secs(20));
    assert_eq!(status.code(), Some(0), "{log:#?}");
}

#[test]
fn a_second_signal_does_not_wait() {
    let server = Server::start(&[]);
    let mut stalled = connect(&server);
    stalled.write_all(predict_head("Content-Length: 1000\r\n").as_bytes()).unwrap();
    server.wait_until_in_flight(1);
    server.signal("-TERM");
    // Two signals at once may be one.
    server.wait_for("stopping");
    server.signal("-TERM");
    // Without the second one it would be the 30 s of --upload-timeout and --shutdown-timeout.
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

#[test]
fn too_few_open_files_to_start_are_named() {
    let start = format!("ulimit -n 20; exec {}", env!("CARGO_BIN_EXE_sdd-server"));
    let mut command = Command::new("sh");
    command.args(["-c", &start]).env("SDD_MODEL", data("tiny.onnx"));
    let output = command.output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(message.contains("only 20 files may be open"), "{message}");
}

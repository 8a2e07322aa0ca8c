//! Starting, stopping, and what the program says when it cannot.

use std::io::{BufReader, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::eventually::eventually;
use crate::pipe;
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
fn a_signal_while_it_starts_ends_it_with_0_at_once() {
    let folder = tempfile::tempdir().unwrap();
    // Nobody ever writes into it, so the start never gets beyond it.
    let keys = pipe::make(folder.path());
    for (signal, number) in [("-TERM", 15), ("-INT", 2)] {
        let mut start = command();
        start.arg("--api-keys-file").arg(&keys).stderr(Stdio::null());
        let mut child = start.spawn().unwrap();
        let status = format!("/proc/{}/status", child.id());
        eventually("a handler of the signal", || {
            let status = std::fs::read_to_string(&status).unwrap();
            let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
            u64::from_str_radix(caught.trim(), 16).unwrap() & (1 << (number - 1)) != 0
        });
        let kill = format!("kill {signal} {}", child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        let start = Instant::now();
        let ended = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break Some(status);
            }
            if start.elapsed() > Duration::from_secs(20) {
                child.kill().unwrap();
                break None;
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        assert_eq!(ended.and_then(|status| status.code()), Some(0), "{signal}");
    }
}

#[test]
fn what_is_not_done_in_time_is_left() {
    // A collector that takes what it is sent, and never answers.
    let collector = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", collector.local_addr().unwrap());
    let server = Server::start(&["--shutdown-timeout", "1s", "--otlp-endpoint", &endpoint]);
    assert_eq!(server.predict(&crate::server::picture("png_rgb.png")).status, 200);
    let mut stalled = connect(&server);
    stalled.write_all(predict_head("Content-Length: 1000\r\n").as_bytes()).unwrap();
    server.wait_until_in_flight(1);
    server.signal("-TERM");
    let (status, log) = server.wait(Duration::from_secs(20));
    assert_eq!(status.code(), Some(0), "{log:#?}");
    let text = "1 requests were not answered in time";
    assert!(log.iter().any(|line| line.contains(text)), "{log:#?}");
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
fn more_images_than_there_is_room_for_are_warned_of() {
    let server = Server::start(&["--workers", "1", "--queue", "2", "--max-images", "4"]);
    let warning = server.wait_for("a request may have 3 images");
    assert!(warning.contains("--max-images"), "{warning}");
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

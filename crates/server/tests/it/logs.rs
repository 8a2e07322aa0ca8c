//! The log: one line a request, whatever is in it; and no harm where it cannot be written.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Stdio};

use serde_json::Value;

use crate::client::Client;
use crate::eventually::eventually;
use crate::leaving;
use crate::server::{Server, command, picture};

/// The line of the request with this name.
fn line_of(server: &Server, id: &str) -> Value {
    let rest = server.wait_for(&format!("\"request_id\":\"{id}\""));
    serde_json::from_str(&format!("{{\"fields\":{{\"request_id\":\"{id}\"{rest}")).unwrap()
}

#[test]
fn a_request_is_one_line_with_its_outcome_and_its_times() {
    let server = Server::start(&[]);
    let mut client = Client::new(&server.address());
    let image = picture("png_rgb.png");
    let headers = |id| [("content-type", "image/png"), ("x-request-id", id)];
    let answer = client.post("/predict?camera=3", &headers("line-1"), &image).unwrap();
    assert_eq!((answer.status, answer.header("x-request-id")), (200, Some("line-1")));
    let line = line_of(&server, "line-1");
    let fields = &line["fields"];
    for (name, value) in [
        ("client", Value::from("127.0.0.1")),
        ("method", "POST".into()),
        ("route", "/predict".into()),
        ("path", "/predict".into()),
        ("status", 200.into()),
        ("outcome", "answered".into()),
        ("bytes", image.len().into()),
        ("images", 1.into()),
        ("class", "non_defect".into()),
    ] {
        assert_eq!(fields[name], value, "{name}: {line}");
    }
    let ms = |stage: &str| fields[format!("{stage}_ms")].as_f64().unwrap();
    let stages: f64 = ["read", "queue", "decode", "preprocess", "infer"].into_iter().map(ms).sum();
    assert!(fields.get("drift_ms").is_none(), "there is no reference: {line}");
    assert!(stages > 0.0 && stages <= ms("duration") + 0.01, "{line}");
    assert!(fields.get("error").is_none() && fields.get("trace_id").is_none(), "{line}");

    assert_eq!(client.post("/predict", &headers("line-2"), b"none").unwrap().status, 400);
    let line = line_of(&server, "line-2");
    assert_eq!(line["fields"]["error"], "not_an_image");
    assert_eq!(line["fields"]["outcome"], "refused");
    assert!(line["fields"]["reason"].as_str().unwrap().contains("JPEG"), "{line}");
}

#[test]
fn a_client_that_leaves_has_a_line_too() {
    let server = Server::start(&[]);
    leaving::reset_while_sending(&server);
    let line = line_of(&server, "impatient");
    assert_eq!(
        (&line["fields"]["status"], &line["fields"]["outcome"]),
        (&499.into(), &"client left".into())
    );
}

#[test]
fn checks_are_not_logged_unless_asked_for() {
    let server = Server::start(&[]);
    for path in ["/livez", "/readyz", "/healthz", "/metrics", "/v2/health/live", "/v2/health/ready"]
    {
        assert_eq!(server.get(path).status, 200);
    }
    assert_eq!(server.get("/nowhere").status, 404);
    let log = server.stop();
    let requests: Vec<_> = log.iter().filter(|line| line.contains("request_id")).collect();
    assert!(requests.len() == 1 && requests[0].contains("/nowhere"), "{log:#?}");

    let server = Server::start_command(command().env("RUST_LOG", "sdd_server=debug"));
    assert_eq!(server.get("/livez").status, 200);
    server.wait_for("\"route\":\"/livez\"");
}

#[test]
fn a_check_that_is_refused_is_logged() {
    let hash = "a".repeat(64);
    let server = Server::start(&["--api-key-hashes", &format!("scraper={hash}")]);
    assert_eq!(server.get_with("/metrics", &[("x-api-key", "a guess")]).status, 401);
    server.wait_for("\"error\":\"unauthorized\"");
}

#[test]
fn a_filter_that_is_not_understood_is_told() {
    let mut program = command();
    let ended =
        program.env("RUST_LOG", "sdd_server=lots").env("SDD_MODEL", "nowhere.onnx").output();
    let log = String::from_utf8(ended.unwrap().stderr).unwrap();
    assert!(log.contains("RUST_LOG is not understood") && log.contains("nowhere.onnx"), "{log}");
}

#[test]
fn clients_cannot_write_lines_of_their_own() {
    for format in ["json", "pretty"] {
        let server = Server::start_command(command().env("SDD_LOG_FORMAT", format));
        let mut client = Client::new(&server.address());
        let id = "X-Request-Id: a\u{1b}[31m\r\n";
        let path = "/x%0aINFO%20forged%1b[2J\u{202e}%22\"";
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n{id}\r\n");
        // Refused by the HTTP library or answered 404: either way nothing raw gets into the log.
        let status = client.send(request.as_bytes()).unwrap().status;
        assert!(status == 400 || status == 404, "{status}");
        let long = format!("/{}", "%0a".repeat(2000));
        assert_eq!(Client::new(&server.address()).get(&long).unwrap().status, 404);
        let log = server.stop();
        for line in &log {
            assert!(
                !line.contains(['\u{1b}', '\u{202e}']) && !line.starts_with("INFO forged"),
                "{line:?}"
            );
            assert!(line.len() < 2000, "{} bytes", line.len());
        }
        assert!(log.iter().any(|line| line.contains("not_found")), "{log:#?}");
    }
}

/// A server whose log nobody can be sure to read, at a port that was free a moment ago.
struct Unheard(Child, u16);

impl Unheard {
    fn start(log: Stdio) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = command().env("SDD_PORT", port.to_string()).stderr(log).spawn().unwrap();
        Self(child, port)
    }

    /// Waits until it listens, then asks it more often than a pipe has room for lines.
    fn assert_answers(&mut self) {
        let address = format!("127.0.0.1:{}", self.1);
        eventually("the server", || {
            assert!(self.0.try_wait().unwrap().is_none(), "it has ended");
            Client::new(&address).get("/readyz").is_ok()
        });
        let mut client = Client::new(&address);
        let path = format!("/{}", "x".repeat(250));
        for _ in 0..500 {
            assert_eq!(client.get(&path).unwrap().status, 404);
        }
        assert_eq!(client.predict(&picture("png_rgb.png")).unwrap().status, 200);
    }
}

impl Drop for Unheard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_full_disk_under_the_log_does_not_stop_it() {
    Unheard::start(File::options().write(true).open("/dev/full").unwrap().into()).assert_answers();
}

#[test]
fn a_log_that_nobody_reads_any_more_does_not_stop_it() {
    let mut server = Unheard::start(Stdio::piped());
    let mut log = BufReader::new(server.0.stderr.take().unwrap());
    log.read_line(&mut String::new()).unwrap();
    drop(log);
    server.assert_answers();
}

#[test]
fn a_reader_of_the_log_that_stands_still_does_not_hold_it_up() {
    let mut server = Unheard::start(Stdio::piped());
    server.assert_answers();
}

//! Traces, as a collector sees them; and no harm where there is none.

use std::net::TcpListener;
use std::process::Command;
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;

use crate::answer::Answer;
use crate::collector::{Collector, attribute};
use crate::server::{Server, command, picture, refusal};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";

/// A server that sends to a port, soon.
fn tracing(port: u16) -> Command {
    let mut command = command();
    command
        .env("SDD_OTLP_ENDPOINT", format!("http://127.0.0.1:{port}"))
        .env("OTEL_BSP_SCHEDULE_DELAY", "50");
    command
}

fn predict(server: &Server, headers: &[(&str, &str)]) -> Answer {
    let headers = [&[("content-type", "image/png")], headers].concat();
    server.post("/predict", &headers, &picture("png_rgb.png"))
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn named<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("no {name}: {spans:#?}"))
}

#[test]
fn a_request_is_a_span_below_its_callers_and_its_stages_are_below_it() {
    let collector = Collector::start();
    let server = Server::start_command(&mut tracing(collector.port));
    let caller = format!("00-{TRACE}-{CALLER}-01");
    let answer = predict(&server, &[("traceparent", &caller), ("x-request-id", "part-7")]);
    assert_eq!((answer.status, answer.header("x-request-id")), (200, Some("part-7")));

    let spans = collector.spans(6);
    let request = named(&spans, "POST /predict");
    assert!(spans.iter().all(|span| hex(&span.trace_id) == TRACE));
    assert_eq!(hex(&request.parent_span_id), CALLER);
    assert_eq!(request.kind, SpanKind::Server as i32);
    for (key, value) in [
        ("http.request.method", "POST"),
        ("http.route", "/predict"),
        ("http.response.status_code", "200"),
        ("url.path", "/predict"),
        ("url.scheme", "http"),
        ("client.address", "127.0.0.1"),
        ("sdd.request_id", "part-7"),
        ("sdd.class", "non_defect"),
        ("sdd.images", "1"),
    ] {
        assert_eq!(attribute(&request.attributes, key).as_deref(), Some(value), "{key}");
    }
    let mut last_end = request.start_time_unix_nano;
    for stage in ["read", "queue", "decode", "preprocess", "infer"] {
        let span = named(&spans, stage);
        assert_eq!(span.parent_span_id, request.span_id, "{stage}");
        assert!(span.start_time_unix_nano >= last_end, "{stage} begins when the last has ended");
        assert!(span.end_time_unix_nano <= request.end_time_unix_nano, "{stage}");
        last_end = span.end_time_unix_nano;
    }
    let logged = server.wait_for("part-7");
    assert!(logged.contains(TRACE), "{logged}");
}

#[test]
fn the_service_is_named_and_errors_are_told_apart() {
    let collector = Collector::start();
    let server = Server::start_command(&mut tracing(collector.port));
    assert_eq!(server.post("/predict", &[("content-type", "image/png")], b"none").status, 400);
    let (spans, resource) = collector.next();
    assert_eq!(attribute(&resource, "service.name").as_deref(), Some("sdd-server"));
    let request = named(&spans, "POST /predict");
    assert_eq!(attribute(&request.attributes, "error.type").as_deref(), Some("not_an_image"));
    // By the conventions a client's error is none of the server's span.
    let status = request.status.as_ref().map_or(StatusCode::Unset as i32, |status| status.code);
    assert_eq!(status, StatusCode::Unset as i32);
    assert!(request.parent_span_id.is_empty(), "nobody called it");
}

#[test]
fn callers_decide_what_is_traced_and_nonsense_starts_a_trace_of_its_own() {
    let collector = Collector::start();
    let server = Server::start_command(&mut tracing(collector.port));
    let unsampled = format!("00-{TRACE}-{CALLER}-00");
    assert_eq!(predict(&server, &[("traceparent", &unsampled)]).status, 200);
    assert_eq!(server.get("/livez").status, 200);
    let broken = format!("00-{TRACE}-{CALLER}");
    assert_eq!(predict(&server, &[("traceparent", &broken)]).status, 200);
    // The two before would have come before it.
    let spans = collector.spans(6);
    assert!(spans.iter().all(|span| hex(&span.trace_id) != TRACE));
    assert!(named(&spans, "POST /predict").parent_span_id.is_empty());
}

#[test]
fn what_was_not_sent_is_sent_when_the_server_stops() {
    let collector = Collector::start();
    // OpenTelemetry's own variable, and its default delay of 5 s.
    let endpoint = format!("http://127.0.0.1:{}/", collector.port);
    let server = Server::start_command(command().env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint));
    assert_eq!(predict(&server, &[]).status, 200);
    server.signal("-TERM");
    assert_eq!(server.wait(Duration::from_secs(20)).0.code(), Some(0));
    assert_eq!(collector.spans(6).len(), 6);
}

#[test]
fn a_collector_that_is_not_there_does_no_harm_and_is_warned_of_once() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let server = Server::start_command(&mut tracing(port));
    assert_eq!(predict(&server, &[]).status, 200);
    let warning = server.wait_for("the collector takes no traces");
    assert!(warning.contains("refused"), "it says why: {warning}");
    for _ in 0..5 {
        assert_eq!(predict(&server, &[]).status, 200);
        std::thread::sleep(Duration::from_millis(120));
    }
    server.signal("-TERM");
    let (status, log) = server.wait(Duration::from_secs(20));
    assert_eq!(status.code(), Some(0));
    assert!(!log.iter().any(|line| line.contains("the collector takes no traces")), "{log:#?}");
}

#[test]
fn a_collector_that_never_answers_holds_up_neither_requests_nor_the_end() {
    // Connections are made by the system; nobody reads them.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let server = Server::start_command(tracing(port).env("OTEL_BSP_MAX_QUEUE_SIZE", "20"));
    for _ in 0..30 {
        assert_eq!(predict(&server, &[]).status, 200);
    }
    let told = Instant::now();
    server.signal("-TERM");
    assert_eq!(server.wait(Duration::from_secs(30)).0.code(), Some(0));
    assert!(told.elapsed() < Duration::from_secs(9), "an export's own limit is 10 s");
}

#[test]
fn an_address_that_is_none_is_refused() {
    let (code, said) = refusal(&["--otlp-endpoint", "localhost:4318"]);
    assert_eq!(code, Some(2));
    assert!(said.contains("--otlp-endpoint") && said.contains("http://localhost:4318"), "{said}");
    let mut command = command();
    let output = command.env("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4318").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("OTEL_EXPORTER_OTLP_ENDPOINT"), "{said}");
}

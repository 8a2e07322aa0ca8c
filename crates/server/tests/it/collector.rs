//! A collector of traces, small but real: OTLP over HTTP.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

pub struct Collector {
    pub port: u16,
    requests: mpsc::Receiver<ExportTraceServiceRequest>,
}

impl Collector {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, requests) = mpsc::channel();
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let sender = sender.clone();
                std::thread::spawn(move || take_all(connection.unwrap(), &sender));
            }
        });
        Self { port, requests }
    }

    /// The next spans that come, and the resource's attributes.
    pub fn next(&self) -> (Vec<Span>, Vec<KeyValue>) {
        let mut request = self.requests.recv_timeout(Duration::from_secs(30)).unwrap();
        assert_eq!(request.resource_spans.len(), 1);
        let of_resource = request.resource_spans.pop().unwrap();
        let spans = of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans).collect();
        (spans, of_resource.resource.unwrap().attributes)
    }

    /// The next `number` spans.
    pub fn spans(&self, number: usize) -> Vec<Span> {
        let mut spans = Vec::new();
        while spans.len() < number {
            spans.extend(self.next().0);
        }
        assert_eq!(spans.len(), number, "{spans:#?}");
        spans
    }
}

fn take_all(connection: TcpStream, sender: &mpsc::Sender<ExportTraceServiceRequest>) {
    let mut connection = BufReader::new(connection);
    loop {
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            if connection.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            if line == "\r\n" {
                break;
            }
            head.push(line.trim_end().to_ascii_lowercase());
        }
        assert_eq!(head[0], "post /v1/traces http/1.1");
        assert!(head.contains(&"content-type: application/x-protobuf".into()), "{head:?}");
        let length = head.iter().find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.unwrap().parse().unwrap()];
        connection.read_exact(&mut body).unwrap();
        connection.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
        // The test may be over.
        let _ = sender.send(ExportTraceServiceRequest::decode(body.as_slice()).unwrap());
    }
}

/// An attribute as text.
pub fn attribute(attributes: &[KeyValue], key: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    let AnyValue { value } = found.value.clone()?;
    Some(match value? {
        Value::StringValue(text) => text,
        Value::IntValue(number) => number.to_string(),
        Value::DoubleValue(number) => number.to_string(),
        Value::BoolValue(verdict) => verdict.to_string(),
        other => panic!("{other:?}"),
    })
}

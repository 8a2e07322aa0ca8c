//! Bodies that clients send, over a real connection to a real server in this process.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::LazyLock;
use std::time::Duration;

use clap::Parser;
use sdd_server::{Application, Cli};

const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../core/tests/data/tiny.onnx");

/// What a request may take; the server's own limit is below.
const TIMEOUT: Duration = Duration::from_secs(20);

/// The status of an answer to a body that ended too soon, or was too slow, is the client's, too.
const FAILED: u16 = 500;

static SERVER: LazyLock<SocketAddr> = LazyLock::new(|| {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = free.local_addr().expect("its address");
    drop(free);
    std::thread::spawn(move || serve(address.port()));
    let answered = (0..400).any(|_| {
        std::thread::sleep(Duration::from_millis(25));
        status_of(address, b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            == Some(200)
    });
    assert!(answered, "the server starts");
    address
});

fn serve(port: u16) {
    let arguments = ["sdd-server", "--model", MODEL, "--reference", "none", "--monitor", "none"];
    let limits = ["--max-pixels", "1000000", "--workers", "1", "--upload-timeout", "5s"];
    let port = ["--port".to_owned(), port.to_string()];
    let arguments = arguments.into_iter().chain(limits).map(str::to_owned).chain(port);
    let settings = Cli::parse_from(arguments).settings;
    let served = actix_web::rt::System::new().block_on(async {
        let application = Application::build(&settings).expect("a server");
        application.run_until_stopped().await
    });
    served.expect("a server that goes on");
}

/// Posts a form. The first line of the input is the boundary as it stands in the header, the rest the body.
pub fn multipart(input: &[u8]) {
    let (boundary, body) = first_line(input);
    if !boundary.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ') {
        return;
    }
    let content_type = [b"multipart/form-data; boundary=", boundary].concat();
    post("/predict/batch", &[("content-type", &content_type)], body);
}

/// Posts an inference request. The first line of the input is the length of the JSON, where there is one; the rest the
/// body.
pub fn v2(input: &[u8]) {
    let (length, body) = first_line(input);
    let mut headers: Vec<(&str, &[u8])> = vec![("content-type", b"application/json")];
    let coding = match length {
        [b'g', ..] => Some(&b"gzip"[..]),
        [b'd', ..] => Some(&b"deflate"[..]),
        _ => None,
    };
    headers.extend(coding.map(|coding| ("content-encoding", coding)));
    let digits: Vec<u8> = length.iter().copied().filter(u8::is_ascii_digit).take(9).collect();
    if !digits.is_empty() {
        headers.push(("inference-header-content-length", &digits));
    }
    post("/v2/models/tiny/infer", &headers, body);
}

fn first_line(input: &[u8]) -> (&[u8], &[u8]) {
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    (&input[..end], input.get(end + 1..).unwrap_or_default())
}

fn post(path: &str, headers: &[(&str, &[u8])], body: &[u8]) {
    let length = body.len();
    let mut request = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {length}\r\n"
    )
    .into_bytes();
    for (name, value) in headers {
        request.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
    }
    request.extend(b"\r\n");
    request.extend(body);
    let status = status_of(*SERVER, &request).expect("each request is answered");
    assert!(status < FAILED, "no body is the server's fault: {status}");
}

/// The status of the answer; none where there is no answer.
fn status_of(server: SocketAddr, request: &[u8]) -> Option<u16> {
    let mut connection = TcpStream::connect(server).ok()?;
    connection.set_read_timeout(Some(TIMEOUT)).ok()?;
    // A body that is refused before its end closes the way there, and the answer comes all the same.
    let _ = connection.write_all(request);
    let mut answer = Vec::new();
    let _ = connection.read_to_end(&mut answer);
    str::from_utf8(answer.get(9..12)?).ok()?.parse().ok()
}

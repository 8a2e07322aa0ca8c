//! Connections that are slow, half-closed, pipelined, ambiguous or too many.

use std::io::{BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use crate::server::{Server, picture};
use crate::socket::{answer, answer_to, connect, predict_head, predict_request, small_upload};

#[test]
fn a_client_that_ends_its_half_still_gets_its_answer() {
    let server = Server::start(&[]);
    let mut connection = connect(&server);
    connection.write_all(&predict_request(&small_upload(), "")).unwrap();
    connection.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("non_defect"), "{answer}");
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let server = Server::start(&[]);
    let mut requests = Vec::new();
    for id in ["a", "b", "c", "d", "e"] {
        let get = format!("GET /livez HTTP/1.1\r\nHost: x\r\nx-request-id: get-{id}\r\n\r\n");
        requests.extend(get.bytes());
        let more = format!("x-request-id: post-{id}\r\n");
        requests.extend(predict_request(&small_upload(), &more));
    }
    let mut connection = connect(&server);
    connection.write_all(&requests).unwrap();
    let mut connection = BufReader::new(connection);
    for id in ["a", "b", "c", "d", "e"] {
        for kind in ["get", "post"] {
            let answer = answer(&mut connection);
            assert_eq!(answer.status, 200, "{answer:?}");
            assert_eq!(answer.header("x-request-id"), Some(format!("{kind}-{id}").as_str()));
        }
    }
}

#[test]
fn ambiguous_requests_are_refused_and_what_follows_is_not_taken_for_another() {
    let server = Server::start(&[]);
    for framing in [
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
        "Content-Length: 4\r\nContent-Length: 40\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Content-Length: +4\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 18446744073709551616\r\n",
    ] {
        let mut request = predict_head(framing).into_bytes();
        request.extend(b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n");
        let mut connection = connect(&server);
        connection.write_all(&request).unwrap();
        let mut answers = String::new();
        // The end may come as a reset.
        let _ = connection.read_to_string(&mut answers);
        assert!(answers.starts_with("HTTP/1.1 400"), "{framing}: {answers}");
        assert_eq!(answers.matches("HTTP/1.1").count(), 1, "{framing}: {answers}");
    }
}

#[test]
fn a_chunked_upload_is_read() {
    let server = Server::start(&[]);
    let mut request = predict_head("Transfer-Encoding: chunked\r\n").into_bytes();
    for chunk in small_upload().chunks(1000) {
        request.extend(format!("{:x}\r\n", chunk.len()).bytes());
        request.extend(chunk);
        request.extend(b"\r\n");
    }
    request.extend(b"0\r\n\r\n");
    assert_eq!(answer_to(&server, &request).status, 200);
}

#[test]
fn a_client_that_asks_first_is_told_to_send() {
    let server = Server::start(&[]);
    let body = small_upload();
    let more = format!("Content-Length: {}\r\nExpect: 100-continue\r\n", body.len());
    let mut connection = connect(&server);
    connection.write_all(predict_head(&more).as_bytes()).unwrap();
    let mut reader = BufReader::new(connection.try_clone().unwrap());
    assert_eq!(answer(&mut reader).status, 100);
    connection.write_all(&body).unwrap();
    assert_eq!(answer(&mut reader).status, 200);
}

#[test]
fn heads_that_are_too_large_are_refused() {
    let server = Server::start(&[]);
    let many = "x-many: 1\r\n".repeat(200);
    let status = |more: &str| answer_to(&server, predict_head(more).as_bytes()).status;
    assert_eq!(status(&many), 431);
    assert_eq!(status(&format!("x-large: {}\r\n", "x".repeat(300_000))), 431);
}

#[test]
fn a_head_that_trickles_in_times_out() {
    let server = Server::start(&[]);
    let mut connection = connect(&server);
    connection.write_all(b"GET /livez HTTP/1.1\r\nx-slow: ").unwrap();
    let mut trickle = connection.try_clone().unwrap();
    std::thread::spawn(move || {
        while trickle.write_all(b"x").is_ok() {
            std::thread::sleep(Duration::from_millis(500));
        }
    });
    let mut answer = String::new();
    let _ = connection.read_to_string(&mut answer);
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
}

#[test]
fn connections_over_the_limit_wait_and_the_others_go_on() {
    // Two for each of the two threads.
    let server = Server::start(&["--max-connections", "4"]);
    let get = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut open: Vec<_> = (0..4).map(|_| BufReader::new(connect(&server))).collect();
    let ask = |connection: &mut BufReader<TcpStream>| {
        connection.get_mut().write_all(get).unwrap();
        answer(connection).status
    };
    assert!(open.iter_mut().all(|connection| ask(connection) == 200));
    let mut waiting = connect(&server);
    waiting.write_all(get).unwrap();
    waiting.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    assert_eq!(waiting.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
    assert!(open.iter_mut().all(|connection| ask(connection) == 200));

    waiting.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    drop(open.pop());
    assert_eq!(answer(&mut BufReader::new(waiting)).status, 200);
}

#[test]
fn a_client_that_does_not_read_is_not_read_from_and_holds_up_nobody() {
    let server = Server::start(&[]);
    assert_eq!(server.predict(&picture("png_rgb.png")).status, 200);
    let before = server.memory_kib("VmRSS");
    let requests = b"GET /v1/model HTTP/1.1\r\nHost: x\r\n\r\n".repeat(1000);
    let mut silent = connect(&server);
    silent.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
    // 170 MB, whose answers would be 3 GB.
    let is_full = (0..5000).any(|_| silent.write_all(&requests).is_err());
    assert!(is_full, "the server reads on for a client that does not");
    assert_eq!(server.predict(&picture("png_rgb.png")).status, 200);
    // The HTTP library parses ahead as many requests as there are in 128 KiB, 7 KiB for each.
    let grown = server.memory_kib("VmRSS").saturating_sub(before);
    assert!(grown < 64 << 10, "it grew by {grown} KiB");
}

#[test]
fn hundreds_of_empty_connections_hold_up_nobody() {
    let server = Server::start(&[]);
    let empty: Vec<_> = (0..400).map(|_| connect(&server)).collect();
    assert_eq!(server.predict(&picture("png_rgb.png")).status, 200);
    drop(empty);
    assert_eq!(server.predict(&picture("png_rgb.png")).status, 200);
}

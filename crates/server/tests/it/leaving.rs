//! Clients that do not wait for the answer.

use std::io::{BufReader, Write};
use std::net::Shutdown;
use std::time::Duration;

use socket2::SockRef;

use crate::exposition::Exposition;
use crate::hold::Hold;
use crate::server::{Server, command};
use crate::socket::{answer, connect, predict_request, small_upload};

/// Sends half of an upload, named `impatient`, and cuts the connection, as a program that is killed.
pub fn reset_while_sending(server: &Server) {
    let request = predict_request(&small_upload(), "X-Request-Id: impatient\r\n");
    let mut connection = connect(server);
    connection.write_all(&request[..request.len() / 2]).unwrap();
    server.wait_until_in_flight(1);
    SockRef::from(&connection).set_linger(Some(Duration::ZERO)).unwrap();
}

#[test]
fn work_for_clients_that_have_left_is_dropped_and_for_half_closed_ones_it_is_not() {
    let server = Server::start_command(
        command()
            .args(["--workers", "1"])
            .env("RUST_LOG", "info,sdd_server=debug,sdd_serving=debug"),
    );
    let hold = Hold::start(&server, 16);
    let send = |id: &str| {
        let mut connection = connect(&server);
        let request = predict_request(&small_upload(), &format!("X-Request-Id: {id}\r\n"));
        connection.write_all(&request).unwrap();
        connection
    };
    let leaving: Vec<_> = (0..12).map(|_| send("leaves")).collect();
    let staying = send("stays");
    staying.shutdown(Shutdown::Write).unwrap();
    server.wait_until_in_flight(1 + leaving.len() + 1);
    // Whole requests, none of them with an answer that they could have read.
    drop(leaving);
    for _ in 0..12 {
        let line = server.wait_for("\"request_id\":\"leaves\"");
        assert!(line.contains("\"status\":499,\"error\":\"client_left\""), "{line}");
        assert!(line.contains("\"outcome\":\"client left\""), "{line}");
    }
    assert!(!hold.is_answered(), "they are not logged before the work ahead of them is done");

    let mut staying = BufReader::new(staying);
    assert_eq!(answer(&mut staying).status, 100);
    let answered = answer(&mut staying);
    assert_eq!(answered.status, 200, "{answered:?}");
    assert_eq!(hold.answer().status, 200);
    let images = Exposition::of(&server).value("sdd_batch_images_sum", &[]);
    assert_eq!(images.map(|images| images.to_string()), Some("17".into()), "in the model");
    let log = server.stop();
    let text = "the client left before its image was looked at";
    assert!(log.iter().any(|line| line.contains(text)), "{log:#?}");
}

#[test]
fn a_client_is_asked_whether_it_is_there_after_the_answers_before() {
    let server = Server::start_command(command().args(["--workers", "1"]));
    let hold = Hold::start(&server, 8);
    let mut connection = connect(&server);
    // The last answer before is without a body, so that nothing tells when it is sent.
    let before = b"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\n\r\nGET /docs HTTP/1.1\r\nHost: x\r\n\r\n";
    let request = predict_request(&small_upload(), "");
    connection.write_all(&[&before[..], &request].concat()).unwrap();
    connection.shutdown(Shutdown::Write).unwrap();
    let mut connection = BufReader::new(connection);
    assert_eq!(answer(&mut connection).body, server.get("/docs/swagger-ui-bundle.js").body);
    for status in [308, 200] {
        assert_eq!(answer(&mut connection).status, status, "and no other in between");
    }
    assert_eq!(hold.answer().status, 200);
}

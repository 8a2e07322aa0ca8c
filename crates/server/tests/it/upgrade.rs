//! Requests that ask for another protocol.

use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::server::{Server, picture};
use crate::socket::{answer, connect};

#[test]
fn an_upgrade_that_is_declined_is_a_plain_request() {
    let server = Server::start(&[]);
    let image = picture("png_rgb.png");
    for offer in [
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\n",
        "Connection: upgrade\r\n",
        "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n",
        "Upgrade: websocket\r\n",
    ] {
        let length = image.len();
        for (length, body) in [
            (format!("Content-Length: {length}\r\n"), image.clone()),
            (
                "Transfer-Encoding: chunked\r\n".to_owned(),
                [format!("{length:x}\r\n").as_bytes(), &image, b"\r\n0\r\n\r\n"].concat(),
            ),
        ] {
            let head = format!(
                "POST /predict HTTP/1.1\r\nHost: x\r\n{offer}Content-Type: image/png\r\n{length}\r\n"
            );
            let mut connection = connect(&server);
            connection.write_all(&[head.as_bytes(), &body].concat()).unwrap();
            let mut connection = BufReader::new(connection);
            let answer = answer(&mut connection);
            assert_eq!(answer.status, 200, "{offer}{length}{answer:?}");
            assert_eq!(answer.header("upgrade"), None);
            if answer.header("connection") == Some("close") {
                assert_closes(&mut connection, offer);
            } else {
                assert_eq!(answer.header("connection"), None);
                connection.get_mut().write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
                assert_eq!(crate::socket::answer(&mut connection).status, 200);
            }
        }
        let mut connection = connect(&server);
        let request = format!("GET /livez HTTP/1.1\r\nHost: x\r\n{offer}\r\n");
        connection.write_all(request.as_bytes()).unwrap();
        let mut connection = BufReader::new(connection);
        let answer = answer(&mut connection);
        assert_eq!(answer.status, 200, "without a body");
        if answer.header("connection") == Some("close") {
            assert_closes(&mut connection, offer);
        }
    }
    let mut connection = connect(&server);
    connection.write_all(b"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut connection = BufReader::new(connection);
    assert_eq!(answer(&mut connection).header("connection"), Some("close"));
    assert_closes(&mut connection, "CONNECT");
}

/// As the server said, and before it would give up a client that might still be sending, after 5 s.
fn assert_closes(connection: &mut BufReader<TcpStream>, what: &str) {
    connection.get_ref().set_read_timeout(Some(Duration::from_secs(3))).unwrap();
    assert_eq!(connection.read(&mut [0]).unwrap(), 0, "{what}");
}

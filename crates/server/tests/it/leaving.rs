//! Clients that do not wait for the answer.

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use socket2::SockRef;

use crate::server::{BOUNDARY, multipart, picture};

/// Sends half of an upload and cuts the connection, as a program that is killed.
pub fn reset_while_sending(address: &str) {
    let body = multipart(&[("file", Some("image/png"), &picture("png_rgb.png"))]);
    let mut connection = TcpStream::connect(address).unwrap();
    write!(
        connection,
        "POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\nX-Request-Id: impatient\r\n\
         Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n\r\n",
        body.len()
    )
    .unwrap();
    connection.write_all(&body[..body.len() / 2]).unwrap();
    // For the server to have begun with it.
    std::thread::sleep(Duration::from_millis(200));
    SockRef::from(&connection).set_linger(Some(Duration::ZERO)).unwrap();
}

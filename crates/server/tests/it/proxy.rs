//! A proxy that puts the server below a path.

use std::io::{BufRead, BufReader, Write, copy};
use std::net::{Shutdown, TcpListener, TcpStream};

use crate::server::Server;

/// Forwards what comes for `/sdd/…` to `/…` of the server, one request a connection. Gives its port.
pub fn below_a_path(server: &Server) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, address) = (listener.local_addr().unwrap().port(), server.address());
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let server = TcpStream::connect(&address).unwrap();
            std::thread::spawn(move || forward(client, server));
        }
    });
    port
}

fn forward(client: TcpStream, mut server: TcpStream) -> std::io::Result<()> {
    let (mut answers, mut to_client) = (server.try_clone()?, client.try_clone()?);
    let mut client = BufReader::new(client);
    let mut line = String::new();
    client.read_line(&mut line)?;
    match line.split_once(" /sdd/") {
        Some((method, rest)) => write!(server, "{method} /{rest}Connection: close\r\n")?,
        None => {
            return to_client.write_all(
                b"HTTP/1.1 404 Not Below\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            );
        }
    }
    // Browsers' own `connection: keep-alive` comes after, and does not outweigh it.
    std::thread::spawn(move || {
        let copied = copy(&mut answers, &mut to_client);
        let _ = to_client.shutdown(Shutdown::Both);
        copied
    });
    copy(&mut client, &mut server).map(drop)
}

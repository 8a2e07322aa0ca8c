//! Another program is told of a change.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Watched, drift, send_like, strange_and_familiar};
use crate::postgres;

/// Listens, and answers each request with the next of these statuses, and with 200 when they have run out.
struct Listener {
    url: String,
    messages: mpsc::Receiver<(String, Value)>,
}

impl Listener {
    fn start(statuses: &'static [&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/hook?token=secret", listener.local_addr().unwrap());
        let (sender, messages) = mpsc::channel();
        std::thread::spawn(move || {
            let mut statuses = statuses.iter();
            for connection in listener.incoming() {
                let status = statuses.next().unwrap_or(&"200 OK");
                let message = take(connection.unwrap(), status);
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        Self { url, messages }
    }

    fn next(&self) -> (String, Value) {
        self.messages.recv_timeout(Duration::from_secs(40)).unwrap()
    }

    fn is_silent(&self, time: Duration) -> bool {
        self.messages.recv_timeout(time).is_err()
    }
}

/// One request's head and body.
fn take(connection: TcpStream, status: &str) -> (String, Value) {
    let mut connection = BufReader::new(connection);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(connection.read_line(&mut head).unwrap() > 0, "{head}");
    }
    let lower = head.to_ascii_lowercase();
    let length = lower.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.unwrap().parse().unwrap()];
    connection.read_exact(&mut body).unwrap();
    let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    connection.get_mut().write_all(answer.as_bytes()).unwrap();
    (lower, serde_json::from_slice(&body).unwrap())
}

#[test]
fn a_change_of_verdict_is_told_once_and_again_until_it_is_taken() {
    let (watched, other) = (Watched::new(), Watched::new());
    let (strange, familiar) = strange_and_familiar(&other.serve(&[]));
    let listener = Listener::start(&["503 Service Unavailable"]);
    let hook = ["--drift-webhook", &listener.url, "--drift-webhook-cooldown", "0s"];
    let server = watched.serve(&hook);
    send_like(&server, &familiar, 100);
    send_like(&server, &strange, 100);
    let (head, refused) = listener.next();
    assert!(head.starts_with("post /hook?token=secret http/1.1\r\n"), "{head}");
    assert!(head.contains("content-type: application/json\r\n"), "{head}");
    let (_, message) = listener.next();
    for message in [&refused, &message] {
        assert_eq!(message["event"], "drift_verdict");
        assert_eq!(
            (&message["previous_verdict"], &message["verdict"]),
            (&json!("stable"), &json!("drifting"))
        );
        assert_eq!(message["pair"], drift(&server)["pair"]);
        assert!(!message["reasons"].as_array().unwrap().is_empty());
    }
    // An operator has seen to it, and the stream is familiar again.
    assert_eq!(server.administer("/admin/drift/reset").status, 200);
    send_like(&server, &familiar, 100);
    let (_, message) = listener.next();
    assert_eq!(
        (&message["previous_verdict"], &message["verdict"]),
        (&json!("drifting"), &json!("stable"))
    );
    let log = server.stop();
    assert!(!log.iter().any(|line| line.contains("secret")), "{log:#?}");
}

/// Whatever memory it is.
#[test]
fn a_restart_and_a_second_server_do_not_tell_it_again() {
    let other = Watched::new();
    let (strange, familiar) = strange_and_familiar(&other.serve(&[]));
    let database = postgres::shared().database();
    for watched in [Watched::new(), Watched::on(database.url())] {
        let listener = Listener::start(&[]);
        let hook = ["--drift-webhook", &listener.url, "--drift-webhook-cooldown", "0s"];
        let [first, second] = [(); 2].map(|()| watched.serve(&hook));
        send_like(&first, &familiar, 60);
        for _ in 0..4 {
            for server in [&first, &second] {
                send_like(server, &strange, 25);
            }
        }
        let (_, message) = listener.next();
        assert_eq!(message["verdict"], "drifting");
        first.stop();
        let first = watched.serve(&hook);
        for server in [&first, &second] {
            send_like(server, &strange, 25);
        }
        // Longer than it takes each of them to look.
        assert!(listener.is_silent(Duration::from_secs(6)));
        // The change back is news again, once.
        assert_eq!(second.administer("/admin/drift/reset").status, 200);
        for server in [&first, &second] {
            send_like(server, &familiar, 50);
        }
        let (_, message) = listener.next();
        assert_eq!(
            (&message["previous_verdict"], &message["verdict"]),
            (&json!("drifting"), &json!("stable"))
        );
        assert!(listener.is_silent(Duration::from_secs(6)));
    }
}

/// The server dies while the other side is away: the next one tells it once the first one's time is over.
#[test]
fn what_could_not_be_told_is_told_after_a_restart() {
    let (watched, other) = (Watched::new(), Watched::new());
    let (strange, familiar) = strange_and_familiar(&other.serve(&[]));
    let listener = Listener::start(&["503 Service Unavailable"]);
    let options = ["--drift-webhook", &listener.url];
    let server = watched.serve(&options);
    send_like(&server, &familiar, 60);
    send_like(&server, &strange, 100);
    let (_, refused) = listener.next();
    assert_eq!(refused["verdict"], "drifting");
    server.signal("-KILL");
    let _server = watched.serve(&options);
    let (_, told) = listener.next();
    assert_eq!(
        (&told["previous_verdict"], &told["verdict"]),
        (&json!("stable"), &json!("drifting"))
    );
}

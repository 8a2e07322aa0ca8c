//! Stopping without a lost request.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::load::under_load;
use crate::server::{Server, picture};
use crate::tls::Files;

#[test]
fn readiness_ends_before_connections_do() {
    assert_readiness_ends_before_connections_do(&[], Client::new);
}

#[test]
fn over_tls_readiness_ends_before_connections_do_too() {
    let files = Files::new();
    let new_client = |address: &str| Client::encrypted(address, files.client(b"http/1.1"));
    assert_readiness_ends_before_connections_do(&files.arguments(), new_client);
}

fn assert_readiness_ends_before_connections_do(
    arguments: &[&str],
    new_client: impl Fn(&str) -> Client,
) {
    let server = Server::start(&[&["--drain-delay", "1s"], arguments].concat());
    let address = server.address();
    let mut kept = new_client(&address);
    assert_eq!(kept.get("/readyz").unwrap().status, 200);
    server.signal("-TERM");
    server.wait_for("stopping");
    let answer = kept.get("/readyz").unwrap();
    assert_eq!((answer.status, answer.code()), (503, "stopping"));
    let mut new = new_client(&address);
    assert_eq!(new.predict(&picture("png_rgb.png")).unwrap().status, 200);
    assert_eq!(new.get("/livez").unwrap().status, 200);
    // Until it is told that its connection closes, the client may go on.
    let start = Instant::now();
    while kept.predict(&picture("png_rgb.png")).unwrap().header("connection") != Some("close") {
        assert!(start.elapsed() < Duration::from_secs(20), "the connection is never closed");
    }
    let (status, log) = server.wait(Duration::from_secs(20));
    assert_eq!(status.code(), Some(0), "{log:#?}");
}

#[test]
fn idle_connections_do_not_hold_it_up() {
    let server = Server::start(&[]);
    let mut idle = Client::new(&server.address());
    assert_eq!(idle.get("/livez").unwrap().status, 200);
    server.signal("-TERM");
    // Much less than the 30 s of --shutdown-timeout.
    let (status, log) = server.wait(Duration::from_secs(15));
    assert_eq!(status.code(), Some(0), "{log:#?}");
}

#[test]
fn fifty_restarts_fail_no_request() {
    restart_under_load(50, &[], Client::new);
}

#[test]
fn ten_restarts_over_tls_fail_no_request() {
    let files = Files::new();
    let trust = files.client(b"http/1.1");
    let new_client = |address: &str| Client::encrypted(address, Arc::clone(&trust));
    restart_under_load(10, &files.arguments(), new_client);
}

/// The next server takes over before the last is told to stop, as in a rolling update.
fn restart_under_load(
    restarts: usize,
    arguments: &[&str],
    new_client: impl Fn(&str) -> Client + Sync,
) {
    let first = Server::start(&[&["--reuse-port"], arguments].concat());
    let (port, address) = (first.port.to_string(), first.address());
    // The last server outlives the clients.
    let _last = under_load(
        || new_client(&address),
        |answered| {
            let mut server = first;
            for _ in 0..restarts {
                let shared = ["--reuse-port", "--port", &port];
                let next = Server::start(&[&shared, arguments].concat());
                answered.wait_for_more(1);
                server.signal("-TERM");
                let (status, log) = server.wait(Duration::from_secs(20));
                assert_eq!(status.code(), Some(0), "{log:#?}");
                server = next;
            }
            server
        },
    );
}

//! Stopping without a lost request.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::client::{Client, Over};
use crate::server::{Server, picture};

#[test]
fn readiness_ends_before_connections_do() {
    let server = Server::start(&["--drain-delay-s", "1"]);
    let address = server.address();
    let mut kept = Client::new(&address);
    assert_eq!(kept.get("/readyz").unwrap().status, 200);
    server.signal("-TERM");
    server.wait_for("stopping");
    let answer = kept.get("/readyz").unwrap();
    assert_eq!((answer.status, &answer.body["error"]["code"]), (503, &"stopping".into()));
    let mut new = Client::new(&address);
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
    // Much less than the 30 s of --shutdown-timeout-s.
    let (status, log) = server.wait(Duration::from_secs(15));
    assert_eq!(status.code(), Some(0), "{log:#?}");
}

/// The next server takes over before the last is told to stop, as in a rolling update.
#[test]
fn fifty_restarts_fail_no_request() {
    let first = Server::start(&["--reuse-port"]);
    let port = first.port.to_string();
    let address = first.address();
    let (done, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    // The last server outlives the clients, who are waited for at the end of this.
    let _last = std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let (mut client, image) = (Client::new(&address), picture("png_rgb.png"));
                while !done.load(Ordering::Relaxed) {
                    let answer = client.predict(&image).unwrap();
                    assert_eq!(answer.status, 200, "{answer:?}");
                    answered.fetch_add(1, Ordering::Relaxed);
                    std::thread::sleep(Duration::from_millis(2));
                }
            });
        }
        let _over = Over(&done);
        let mut server = first;
        for _ in 0..50 {
            let next = Server::start(&["--reuse-port", "--port", &port]);
            server.signal("-TERM");
            let (status, log) = server.wait(Duration::from_secs(20));
            assert_eq!(status.code(), Some(0), "{log:#?}");
            server = next;
        }
        server
    });
    assert!(answered.load(Ordering::Relaxed) > 50);
}

//! Stopping without a lost request.

use std::fs::File;
use std::io::Write;
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::client::Client;
use crate::load::under_load;
use crate::pipe;
use crate::security::new_key;
use crate::server::{Server, picture};
use crate::socket::connect;
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

/// A server that captures, with a reload under way that never ends: it stands in a system call, where
/// nobody can interrupt it, as in a library.
struct Reloading {
    server: Server,
    captured: PathBuf,
    /// Read by the reload.
    _pipe: File,
    _folder: TempDir,
}

impl Reloading {
    /// `reload` asks for it, with the administrator's key.
    fn start(shutdown_timeout: &str, reload: impl FnOnce(&Server, &str)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (key, hash) = new_key();
        let (keys, captured) = (folder.path().join("keys"), folder.path().join("captured"));
        std::fs::write(&keys, hash).unwrap();
        let files = [keys.to_str().unwrap(), captured.to_str().unwrap()];
        let server = Server::start(&[
            "--admin-keys-file",
            files[0],
            "--capture",
            files[1],
            "--shutdown-timeout",
            shutdown_timeout,
        ]);
        std::fs::rename(pipe::make(folder.path()), &keys).unwrap();
        reload(&server, &key);
        // Opens once the reload reads.
        let pipe = File::options().write(true).open(&keys).unwrap();
        Self { server, captured, _pipe: pipe, _folder: folder }
    }

    /// With the exit code 0, and nothing lost of what was answered meanwhile. Gives the time that it took.
    fn stop(self, signals: usize) -> Duration {
        assert_eq!(self.server.predict(&picture("png_rgb.png")).status, 200);
        let start = Instant::now();
        for round in 0..signals {
            self.server.signal("-TERM");
            if round == 0 {
                self.server.wait_for("stopping");
            }
        }
        let (status, log) = self.server.wait(Duration::from_mins(1));
        let took = start.elapsed();
        assert_eq!(status.code(), Some(0), "{log:#?}");
        assert!(log.iter().any(|line| line.contains("stopped")), "{log:#?}");
        let files = std::fs::read_dir(&self.captured).unwrap().map(|file| file.unwrap().path());
        let records: String = files
            .filter(|file| file.extension().is_some_and(|end| end == "jsonl"))
            .map(|file| std::fs::read_to_string(file).unwrap())
            .collect();
        assert_eq!(records.lines().count(), 1, "{records}");
        took
    }
}

#[test]
fn a_reload_that_does_not_end_does_not_keep_it_from_stopping() {
    let reloading = Reloading::start("30s", |server, _| server.signal("-HUP"));
    assert!(reloading.stop(1) < Duration::from_secs(20));
}

/// Sends the request and leaves it open.
fn ask_to_reload(server: &Server, key: &str) -> TcpStream {
    let mut connection = connect(server);
    let head = "POST /admin/reload HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0";
    write!(connection, "{head}\r\nx-api-key: {key}\r\n\r\n").unwrap();
    connection
}

#[test]
fn a_request_to_reload_that_does_not_end_has_its_time_and_no_more() {
    let mut open = None;
    let reloading = Reloading::start("2s", |server, key| open = Some(ask_to_reload(server, key)));
    let took = reloading.stop(1);
    assert!((1..20).contains(&took.as_secs()), "{took:?}");
}

#[test]
fn a_second_signal_does_not_wait_for_a_reload() {
    let mut open = None;
    let reloading = Reloading::start("50s", |server, key| open = Some(ask_to_reload(server, key)));
    assert!(reloading.stop(2) < Duration::from_secs(30));
}

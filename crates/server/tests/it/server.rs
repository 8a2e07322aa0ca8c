//! Starting the program and talking to it.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::answer::Answer;
use crate::client::Client;
use crate::eventually::eventually;
use crate::exposition::Exposition;

/// A file of sdd-core's tests.
pub fn data(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../core/tests/data").join(name)
}

pub fn picture(name: &str) -> Vec<u8> {
    std::fs::read(data("images").join(name)).unwrap()
}

/// The program with the small model, to be configured further.
pub fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sdd-server"));
    command
        .env("SDD_PORT", "0")
        .env("SDD_LOG_FORMAT", "json")
        .env("SDD_MODEL", data("tiny.onnx"))
        .env("SDD_MONITOR", "none")
        .env("SDD_ADMIN_ADDRESS", "127.0.0.1:0")
        .current_dir(std::env::temp_dir())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .stdin(Stdio::null());
    command
}

/// For whom the server listens somewhere.
enum Address {
    Everybody,
    Operators,
}

/// A running server; killed when dropped.
pub struct Server {
    child: Child,
    pub port: u16,
    /// Of administration; 0 where it has no address.
    admin_port: u16,
    log: mpsc::Receiver<String>,
}

impl Server {
    pub fn start(arguments: &[&str]) -> Self {
        Self::start_command(command().args(arguments))
    }

    pub fn start_command(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let stderr = child.stderr.take().unwrap();
        let (sender, log) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let mut server = Self { child, port: 0, admin_port: 0, log };
        while server.port == 0 {
            let (what, port) = server.next_address();
            match what {
                Address::Everybody => server.port = port,
                Address::Operators => server.admin_port = port,
            }
        }
        server
    }

    /// Reads the log until it names the next address that is listened on.
    fn next_address(&self) -> (Address, u16) {
        let mut seen = Vec::new();
        loop {
            let line = self.log.recv_timeout(Duration::from_mins(1)).unwrap_or_else(|_| {
                panic!("the server does not listen: {seen:#?}");
            });
            for (text, what) in [
                ("administration is at http", Address::Operators),
                ("listening on http", Address::Everybody),
            ] {
                if let Some((_, address)) = line.split_once(text) {
                    let is_of_address =
                        |letter: &char| letter.is_ascii_alphanumeric() || ".:/[]".contains(*letter);
                    let address: String = address.chars().take_while(is_of_address).collect();
                    return (what, address.rsplit_once(':').unwrap().1.parse().unwrap());
                }
            }
            seen.push(line);
        }
    }

    /// Reads the log until a line has `text`, and gives what follows it.
    pub fn wait_for(&self, text: &str) -> String {
        let mut seen = Vec::new();
        loop {
            let line = self.log.recv_timeout(Duration::from_mins(1)).unwrap_or_else(|_| {
                panic!("the server never said `{text}`: {seen:#?}");
            });
            if let Some((_, after)) = line.split_once(text) {
                return after.to_owned();
            }
            seen.push(line);
        }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Where `/admin` is.
    pub fn admin_address(&self) -> String {
        format!("127.0.0.1:{}", self.admin_port)
    }

    /// Posts to a path below `/admin`, as an operator.
    pub fn administer(&self, path: &str) -> Answer {
        Client::new(&self.admin_address()).post(path, &[], b"").unwrap()
    }

    /// Clients of their own for single requests: no connection is left behind.
    fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        Client::new(&self.address()).request(method, path, headers, body).unwrap()
    }

    pub fn get(&self, path: &str) -> Answer {
        self.get_with(path, &[])
    }

    pub fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.request("GET", path, headers, b"")
    }

    pub fn post(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        self.request("POST", path, headers, body)
    }

    /// Posts a multipart body.
    pub fn post_form(&self, path: &str, body: &[u8]) -> Answer {
        self.post(path, &[("content-type", FORM)], body)
    }

    /// Uploads an image as a browser or curl does.
    pub fn predict(&self, image: &[u8]) -> Answer {
        self.post_form("/predict", &multipart(&[("file", Some("image/png"), image)]))
    }

    /// Waits until this many requests have begun and are not answered.
    pub fn wait_until_in_flight(&self, count: usize) {
        eventually("requests in flight", || {
            let in_flight = Exposition::of(self).number("sdd_http_requests_in_flight");
            // With the one that asks.
            in_flight == count + 1
        });
    }

    pub fn signal(&self, signal: &str) {
        // The shell's own: the program `kill` is not on every machine.
        let kill = format!("kill {signal} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// The exit status, and what was logged meanwhile.
    pub fn wait(mut self, limit: Duration) -> (ExitStatus, Vec<String>) {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(start.elapsed() < limit, "the server did not stop");
            std::thread::sleep(Duration::from_millis(10));
        };
        (status, self.log.iter().collect())
    }

    /// Stops it as operators do, and gives what was logged and not read yet.
    pub fn stop(self) -> Vec<String> {
        // It answers only once it listens to signals, too.
        assert_eq!(self.get("/livez").status, 200);
        self.signal("-TERM");
        let (status, log) = self.wait(Duration::from_secs(20));
        assert_eq!(status.code(), Some(0), "{log:#?}");
        log
    }

    /// A field of /proc/PID/status in KiB, as `VmHWM`, the largest resident size so far.
    pub fn memory_kib(&self, field: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(field)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs the program to its end: it is expected not to serve. Gives its exit code and what it said.
pub fn refusal(arguments: &[&str]) -> (Option<i32>, String) {
    let mut child = command().args(arguments).spawn().unwrap();
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    (child.wait().unwrap().code(), said)
}

const BOUNDARY: &str = "a-boundary-of-the-tests";

pub const FORM: &str = "multipart/form-data; boundary=a-boundary-of-the-tests";

/// A multipart body of fields with a name, a type and a content.
pub fn multipart(fields: &[(&str, Option<&str>, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, content_type, content) in fields {
        body.extend(
            format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"").bytes(),
        );
        if let Some(content_type) = content_type {
            body.extend(format!("; filename=\"f\"\r\nContent-Type: {content_type}").bytes());
        }
        body.extend(b"\r\n\r\n");
        body.extend(*content);
        body.extend(b"\r\n");
    }
    body.extend(format!("--{BOUNDARY}--\r\n").bytes());
    body
}

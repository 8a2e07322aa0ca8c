//! The programs that are compared: how each is started, when it is ready, and that it ends.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// How long a program may take until it is ready, and how long to end.
const START: Duration = Duration::from_mins(1);
const STOP: Duration = Duration::from_secs(20);

/// How often a starting program is asked whether it is ready.
const ASK: Duration = Duration::from_millis(2);

/// Where the programs and the models are.
#[derive(Debug, Clone)]
pub struct Places {
    /// The repository.
    pub root: PathBuf,
    /// The program `sdd-server`.
    pub server: PathBuf,
    /// The peer's Python.
    pub python: PathBuf,
}

impl Places {
    /// The programs as `make bench-serve` leaves them.
    ///
    /// # Errors
    /// When one is not there.
    pub fn find() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("no workspace")?;
        // target/release/deps/serve-0123: the programs are one folder up.
        let program = std::env::current_exe()?;
        let built = program.ancestors().nth(2).context("no target folder")?;
        let places = Self {
            root: root.to_owned(),
            server: built.join("sdd-server"),
            python: root.join(".native/peer/bin/python"),
        };
        for path in [&places.server, &places.python] {
            if !path.exists() {
                bail!("{} is not there: `make bench-serve` makes it", path.display());
            }
        }
        Ok(places)
    }

    /// A model that ships with this repository.
    pub fn model(&self, precision: Precision) -> PathBuf {
        self.root.join("models").join(precision.file())
    }
}

/// Which of the shipped models.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// 32-bit floating point.
    Fp32,
    /// 8-bit integers.
    Int8,
}

impl Precision {
    /// As it is written in the results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fp32 => "fp32",
            Self::Int8 => "int8",
        }
    }

    fn file(self) -> &'static str {
        match self {
            Self::Fp32 => "sdd-efficientnet-lite0.onnx",
            Self::Int8 => "sdd-efficientnet-lite0-int8.onnx",
        }
    }

    fn reference(self) -> &'static str {
        match self {
            Self::Fp32 => "models/reference",
            Self::Int8 => "models/reference-int8",
        }
    }
}

/// One of the two programs, and how it is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setup {
    /// Which program.
    pub program: Program,
    /// Which model.
    pub precision: Precision,
    /// Threads that infer, or processes; each has one core.
    pub workers: usize,
}

/// The programs that are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// sdd-server without a reference: what the peer does.
    Ours,
    /// sdd-server with the shipped reference, so that each answer has a drift score.
    OursWithDrift,
    /// FastAPI, uvicorn, Pillow and ONNX Runtime.
    Peer,
}

impl Program {
    /// As it is written in the results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ours => "sdd-server",
            Self::OursWithDrift => "sdd-server with drift",
            Self::Peer => "FastAPI",
        }
    }
}

impl Setup {
    /// As `FastAPI, int8`.
    pub fn name(&self) -> String {
        format!("{}, {}", self.program.name(), self.precision.name())
    }

    fn command(&self, places: &Places, port: u16) -> Command {
        let model = places.model(self.precision);
        let [port, workers] = [port.to_string(), self.workers.to_string()];
        let mut command;
        if self.program == Program::Peer {
            command = Command::new(&places.python);
            command
                .args(["-B", "-m", "uvicorn", "app:app", "--no-access-log"])
                .args(["--log-level", "warning", "--loop", "uvloop", "--http", "httptools"])
                .args(["--port", &port, "--workers", &workers])
                .current_dir(places.root.join("benches/peers/fastapi_peer"))
                .env("PEER_MODEL", model);
        } else {
            let reference = match self.program {
                Program::OursWithDrift => self.precision.reference(),
                _ => "none",
            };
            command = Command::new(&places.server);
            command
                .args(["--port", &port, "--workers", &workers, "--reference", reference])
                // So that a client waits, as the peer's do, rather than being turned away.
                .args(["--queue", "1024"])
                .arg("--model")
                .arg(model)
                // As users run it, and not in the file of whoever runs this.
                .env("SDD_MONITOR", places.root.join("target/bench-monitor.sqlite"))
                .env("RUST_LOG", "warn")
                .current_dir(&places.root);
        }
        command
    }
}

/// A running program; stopped when dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    log: File,
    /// Where it listens.
    pub address: SocketAddr,
    /// From its start to its first 200 from `/readyz`.
    pub ready_after: Duration,
}

impl Server {
    /// Starts a program on a free port and waits until it is ready; on the given cores only, where
    /// some are given (a list as `taskset` takes it).
    ///
    /// # Errors
    /// When it does not start, with what it said.
    pub fn start(places: &Places, setup: &Setup, cores: Option<&str>) -> Result<Self> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let mut command = setup.command(places, port);
        if let Some(cores) = cores {
            command = pinned(&command, cores);
        }
        let log = tempfile::tempfile()?;
        let began = Instant::now();
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log.try_clone()?)
            .spawn()
            .with_context(|| format!("{command:?}"))?;
        let address = (Ipv4Addr::LOCALHOST, port).into();
        let mut server = Self { child, log, address, ready_after: Duration::ZERO };
        while !is_ready(address) {
            if server.child.try_wait()?.is_some() || began.elapsed() > START {
                bail!("{} does not start:\n{}", setup.name(), server.log()?);
            }
            std::thread::sleep(ASK);
        }
        server.ready_after = began.elapsed();
        Ok(server)
    }

    /// The process that was started.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Uploads one image outside of any measurement; the answer's JSON.
    ///
    /// # Errors
    /// When the answer is not 200 or no JSON.
    pub fn predict(&self, upload: &[u8]) -> Result<serde_json::Value> {
        let (status, body) = exchange(self.address, upload)?;
        if status != 200 {
            bail!("status {status}: {body}");
        }
        serde_json::from_str(&body).context(body)
    }

    fn log(&mut self) -> Result<String> {
        use std::io::Seek as _;
        let mut text = String::new();
        self.log.rewind()?;
        self.log.read_to_string(&mut text)?;
        Ok(text)
    }
}

impl Drop for Server {
    /// Asks it to end, so that its own processes end, too; then makes it.
    fn drop(&mut self) {
        // The shell's own: the program `kill` is not on every machine.
        let kill = format!("kill -TERM {}", self.child.id());
        drop(Command::new("sh").args(["-c", &kill]).status());
        let began = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) && began.elapsed() < STOP {
            std::thread::sleep(Duration::from_millis(10));
        }
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The same command under `taskset`.
fn pinned(command: &Command, cores: &str) -> Command {
    let mut pinned = Command::new("taskset");
    pinned.args(["-c", cores]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            pinned.env(name, value);
        }
    }
    if let Some(folder) = command.get_current_dir() {
        pinned.current_dir(folder);
    }
    pinned
}

fn is_ready(address: SocketAddr) -> bool {
    let request = b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
    matches!(exchange(address, request), Ok((200, _)))
}

/// Sends one request on a connection of its own; status and body.
fn exchange(address: SocketAddr, request: &[u8]) -> Result<(u16, String)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(START))?;
    stream.write_all(request)?;
    let mut answer = Vec::new();
    let mut part = [0; 4096];
    loop {
        if let Some((status, head)) = super::client::complete(&answer)? {
            return Ok((status, String::from_utf8_lossy(&answer[head..]).into_owned()));
        }
        match stream.read(&mut part)? {
            0 => bail!("the connection ended before the answer did"),
            count => answer.extend_from_slice(&part[..count]),
        }
    }
}

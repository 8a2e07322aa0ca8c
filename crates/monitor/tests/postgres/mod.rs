//! A real PostgreSQL for the tests: a cluster of their own in a temporary folder, on a free port, that ends with the
//! process that started it, however that ends.

#![allow(dead_code, reason = "not every test program uses all of it")]

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// The password of the cluster's administrator, `postgres`.
pub const PASSWORD: &str = "open-sesame";

/// A running cluster; stopped and removed when dropped.
pub struct Cluster {
    programs: PathBuf,
    folder: PathBuf,
    port: u16,
    options: String,
    /// Who owns the files and runs the server, where we are root, whom it refuses.
    owner: Option<(u32, u32)>,
    /// Waits for the end of its standard input, which only this process holds, and then cleans up.
    keeper: Child,
}

/// A cluster that all tests of a program share. It writes without waiting for the disk.
pub fn shared() -> &'static Cluster {
    static SHARED: OnceLock<Cluster> = OnceLock::new();
    SHARED.get_or_init(|| Cluster::start("-c fsync=off"))
}

impl Cluster {
    /// Makes and starts one with further options of the server's.
    pub fn start(options: &str) -> Self {
        let programs = programs();
        let owner = is_root().then(unprivileged);
        let folder = tempfile::tempdir().unwrap().keep();
        fs::write(folder.join("password"), PASSWORD).unwrap();
        if let Some((user, group)) = owner {
            for path in [folder.clone(), folder.join("password")] {
                chown(path, Some(user), Some(group)).unwrap();
            }
        }
        let mut keeper = Command::new("sh");
        keeper.arg("-c").arg("cat; \"$0/pg_ctl\" -D \"$1/data\" -m immediate stop; rm -rf \"$1\"");
        keeper.arg(&programs).arg(&folder).stdin(Stdio::piped());
        keeper.stdout(Stdio::null()).stderr(Stdio::null());
        let keeper = as_owner(&mut keeper, owner).spawn().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let cluster = Self { programs, folder, port, options: options.into(), owner, keeper };
        let data = cluster.data();
        let password = format!("--pwfile={}", cluster.folder.join("password").display());
        let arguments = ["-D", &data, "-U", "postgres", "--auth=scram-sha-256", &password];
        cluster.run("initdb", &[&arguments[..], &["-E", "UTF8", "--locale=C", "-N"]].concat());
        cluster.resume();
        cluster
    }

    fn data(&self) -> String {
        self.folder.join("data").display().to_string()
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Starts the server that was stopped.
    pub fn resume(&self) {
        let options = format!(
            "-c port={} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c shared_buffers=16MB {}",
            self.port, self.options
        );
        let log = self.folder.join("log").display().to_string();
        self.run("pg_ctl", &["-D", &self.data(), "-l", &log, "-w", "-o", &options, "start"]);
    }

    /// Stops the server: `fast` ends connections in order, `immediate` is a crash.
    pub fn stop(&self, mode: &str) {
        self.run("pg_ctl", &["-D", &self.data(), "-w", "-m", mode, "stop"]);
    }

    /// Sends a signal to the server and all its processes.
    pub fn signal(&self, signal: &str) {
        let id = fs::read_to_string(self.folder.join("data/postmaster.pid")).unwrap();
        let id = id.lines().next().unwrap();
        let kill = format!("kill {signal} {id} $(cat /proc/{id}/task/{id}/children)");
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new(self.programs.join(program));
        command.args(arguments).stdin(Stdio::null());
        // The server that it starts would keep pipes open.
        let said = tempfile::NamedTempFile::new().unwrap();
        command.stdout(Stdio::null()).stderr(said.reopen().unwrap());
        let output = as_owner(&mut command, self.owner).output().unwrap();
        let said = fs::read_to_string(said.path()).unwrap();
        let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        assert!(output.status.success(), "{program} {arguments:?}: {said}\n{log}");
        output
    }

    /// Runs statements as the administrator, and gives what they answer, a line a row.
    pub fn sql(&self, database: &str, statements: &str) -> String {
        let mut command = Command::new(self.programs.join("psql"));
        command.args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-U", "postgres"]);
        command.args(["-p", &self.port.to_string(), "-d", database, "-c", statements]);
        let output = command.env("PGPASSWORD", PASSWORD).stdin(Stdio::null()).output().unwrap();
        assert!(
            output.status.success(),
            "{statements}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// A new, empty database.
    pub fn database(&self) -> Database<'_> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
        Database { cluster: self, name }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

/// A database of a cluster.
pub struct Database<'a> {
    cluster: &'a Cluster,
    name: String,
}

impl Database<'_> {
    /// As the administrator.
    pub fn url(&self) -> String {
        self.url_of("postgres", PASSWORD)
    }

    pub fn url_of(&self, user: &str, password: &str) -> String {
        self.url_at(user, password, self.cluster.port)
    }

    /// By way of another port, as of a proxy.
    pub fn url_at(&self, user: &str, password: &str, port: u16) -> String {
        format!("postgres://{user}:{password}@127.0.0.1:{port}/{}", self.name)
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn sql(&self, statements: &str) -> String {
        self.cluster.sql(&self.name, statements)
    }
}

fn as_owner(command: &mut Command, owner: Option<(u32, u32)>) -> &mut Command {
    command.current_dir("/");
    match owner {
        Some((user, group)) => command.uid(user).gid(group),
        None => command,
    }
}

fn is_root() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    status.lines().any(|line| line.starts_with("Uid:\t0\t"))
}

/// User and group that the server may run as.
fn unprivileged() -> (u32, u32) {
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let find = |name: &str| {
        let fields = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
        let user = fields.into_iter().find(|fields| fields[0] == name)?;
        Some((user[2].parse().ok()?, user[3].parse().ok()?))
    };
    find("postgres").or_else(|| find("nobody")).expect("a user `postgres` or `nobody`")
}

/// The folder of the newest PostgreSQL's programs.
fn programs() -> PathBuf {
    let has_all = |folder: &PathBuf| {
        ["initdb", "pg_ctl", "postgres", "psql"].iter().all(|name| folder.join(name).exists())
    };
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut found: Vec<PathBuf> = std::env::split_paths(&path).filter(has_all).collect();
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<PathBuf> = versions.map(|entry| entry.path().join("bin")).collect();
    let number = |folder: &PathBuf| {
        let name = folder.parent()?.file_name()?.to_str()?;
        name.parse::<u32>().ok()
    };
    versions.sort_by_key(|folder| std::cmp::Reverse(number(folder)));
    found.extend(versions.into_iter().filter(has_all));
    found.into_iter().next().expect(
        "these tests start a PostgreSQL of their own, and found none in PATH or /usr/lib/postgresql: run \
         `scripts/setup/run postgres`, or install PostgreSQL 13 or newer (Debian: postgresql)",
    )
}

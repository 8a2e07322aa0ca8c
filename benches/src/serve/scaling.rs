//! How throughput and latency change with the number of clients and of cores.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::program::{Places, Precision, Program, Server, Setup};
use super::run::Run;

/// Clients at once.
const CLIENTS: [usize; 9] = [1, 2, 4, 8, 16, 32, 64, 128, 256];

/// Clients for each core where the number of cores changes.
const CLIENTS_A_CORE: usize = 8;

/// Both programs with the fp32 model.
pub const PROGRAMS: [Program; 2] = [Program::Ours, Program::Peer];

/// One point of a chart.
#[derive(Debug, Clone, Copy)]
pub struct Point {
    /// How many cores each server had.
    pub cores: usize,
    /// The runs of [`PROGRAMS`].
    pub runs: [Run; 2],
}

/// Measures 1 to 256 clients, all cores.
///
/// # Errors
/// When a program does not start or answers nothing.
pub fn clients(
    places: &Places,
    requests: &[Vec<u8>],
    cores: usize,
    measured: Duration,
) -> Result<Vec<Point>> {
    let servers = PROGRAMS.map(|program| start(places, program, cores, None));
    let [ours, peer] = servers;
    let servers = [ours?, peer?];
    let mut points = Vec::new();
    for clients in CLIENTS {
        eprintln!("scaling: {clients} clients");
        points.push(Point { cores, runs: both(&servers, requests, clients, measured)? });
    }
    Ok(points)
}

/// Measures 1 core to all; the load generator is held on the same cores as the server.
///
/// # Errors
/// As [`clients`], and when `taskset` is not there.
pub fn cores(places: &Places, requests: &[Vec<u8>], measured: Duration) -> Result<Vec<Point>> {
    let allowed = allowed_cores()?;
    let mut points = Vec::new();
    for count in 1..=allowed.len() {
        eprintln!("scaling: {count} of {} cores", allowed.len());
        let cores = list(&allowed[..count]);
        let [ours, peer] = PROGRAMS.map(|program| start(places, program, count, Some(&cores)));
        let servers = [ours?, peer?];
        pin(&cores)?;
        let runs = both(&servers, requests, CLIENTS_A_CORE * count, measured);
        pin(&list(&allowed))?;
        points.push(Point { cores: count, runs: runs? });
    }
    Ok(points)
}

fn start(places: &Places, program: Program, workers: usize, cores: Option<&str>) -> Result<Server> {
    Server::start(places, &Setup { program, precision: Precision::Fp32, workers }, cores)
}

fn both(
    servers: &[Server; 2],
    requests: &[Vec<u8>],
    clients: usize,
    measured: Duration,
) -> Result<[Run; 2]> {
    let [ours, peer] = servers;
    Ok([
        Run::measure(ours, requests, clients, measured)?,
        Run::measure(peer, requests, clients, measured)?,
    ])
}

/// Holds the main thread, which is the one that makes the load, on these cores.
fn pin(cores: &str) -> Result<()> {
    let id = std::process::id().to_string();
    let done = Command::new("taskset").args(["-p", "-c", cores, &id]).output();
    let done = done.context("taskset, of util-linux, is needed")?;
    ensure!(done.status.success(), "taskset: {}", String::from_utf8_lossy(&done.stderr));
    Ok(())
}

fn allowed_cores() -> Result<Vec<usize>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    parse_list(line.context("no Cpus_allowed_list in /proc/self/status")?.trim())
}

/// `0-2,5` → 0, 1, 2, 5.
fn parse_list(text: &str) -> Result<Vec<usize>> {
    let mut cores = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let number = |text: &str| text.parse::<usize>().with_context(|| format!("cores {part:?}"));
        cores.extend(number(first)?..=number(last)?);
    }
    Ok(cores)
}

fn list(cores: &[usize]) -> String {
    cores.iter().map(usize::to_string).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_cores_have_ranges() {
        assert_eq!(parse_list("0-2,5").unwrap(), [0, 1, 2, 5]);
        assert_eq!(parse_list("3").unwrap(), [3]);
        assert!(parse_list("a").is_err());
        assert_eq!(list(&[0, 5]), "0,5");
    }

    #[test]
    fn this_thread_may_use_some_core() {
        assert!(!allowed_cores().unwrap().is_empty());
    }
}

//! sdd-server against FastAPI and ONNX Runtime; `make bench-serve` builds both and runs this.
//!
//! Prints its tables, and unless `--dry-run` writes them with their charts to `results/` beside this
//! package's manifest and into the README, between its markers.

#![allow(clippy::print_stdout, reason = "the tables are this program's result")]

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::{Parser, ValueEnum};
use sdd_benches::machine::{load_average, processor};
use sdd_benches::publish;
use sdd_benches::serve::compare::{Contest, Effort, Workload};
use sdd_benches::serve::images::{self, Images};
use sdd_benches::serve::program::Places;
use sdd_benches::serve::scaling::{self, Point};
use sdd_benches::serve::{growth, report, results, start, upload};

/// Compares sdd-server with FastAPI and ONNX Runtime.
#[derive(Debug, Parser)]
struct Arguments {
    /// What to measure
    #[arg(long, value_enum, default_value = "speed")]
    mode: Mode,
    /// Upload the images of this folder instead of drawn ones
    #[arg(long)]
    images: Option<PathBuf>,
    /// Rounds of the comparison
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// Seconds of one run
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    seconds: u16,
    /// Only print the tables
    #[arg(long)]
    dry_run: bool,
    /// What `cargo bench` adds
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Mode {
    /// Throughput, latency, cost, scaling.
    Speed,
    /// Growth of memory over 10,000 uploads of mixed sizes.
    Memory,
}

impl Mode {
    /// The name of the place in the README.
    fn place(self) -> &'static str {
        match self {
            Self::Speed => "bench-serve",
            Self::Memory => "bench-serve-memory",
        }
    }
}

const README: &str = "README.md";

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let places = Places::find()?;
    let cores = std::thread::available_parallelism()?.get();
    if !arguments.dry_run {
        // Known before minutes of measuring rather than after.
        publish::check_place(&places.root.join(README), arguments.mode.place())?;
    }
    if let Some(load) = load_average().filter(|load| *load > 0.5) {
        eprintln!("warning: a load average of {load}: what else runs here is measured, too");
    }
    let given = arguments.images.as_deref().map(images::of_folder).transpose()?;
    match arguments.mode {
        Mode::Speed => speed(&arguments, &places, cores, given),
        Mode::Memory => memory(&arguments, &places, cores, given),
    }
}

fn speed(
    arguments: &Arguments,
    places: &Places,
    cores: usize,
    given: Option<Images>,
) -> Result<()> {
    let kinds = match given {
        Some(images) => vec![images],
        None => vec![images::drawn(images::PART)?, images::drawn(images::FULL_HD)?],
    };
    let effort = Effort {
        rounds: arguments.rounds.into(),
        measured: Duration::from_secs(arguments.seconds.into()),
    };
    let starts = start::measure(places, cores)?;
    let mut contest = Contest::start(places, cores)?;
    let workloads = kinds.iter().map(|images| contest.measure(images, effort));
    let workloads = workloads.collect::<Result<Vec<Workload>>>()?;
    drop(contest);
    let first = &kinds[0];
    let requests: Vec<Vec<u8>> = first.files.iter().map(|file| upload::request(file)).collect();
    let measured = effort.measured / 2;
    let by_clients = scaling::clients(places, &requests, cores, measured)?;
    let by_cores = scaling::cores(places, &requests, measured)?;

    let origin = origin(places)?;
    let text = format!(
        "{origin} Medians of {} alternating rounds of {} s; ratios are taken within a round.\n\n{}\n\
         {}\n{}\n",
        arguments.rounds,
        arguments.seconds,
        report::throughput(&workloads),
        report::costs(&workloads[0], &starts),
        report::notes(&workloads),
    );
    println!("{text}");
    print_scaling(&by_clients, &by_cores);
    if arguments.dry_run {
        return Ok(());
    }
    let caption = format!("{}, fp32 model; {}", first.name, processor());
    let charts = results::charts(&caption, &by_clients, &by_cores)?;
    let mut published = text;
    for (file, svg) in charts {
        results::write(file, &svg)?;
        write!(published, "\n![{}](benches/results/{file})", title(file))?;
    }
    results::write("serve.csv", &results::csv(&workloads, &by_clients, &by_cores))?;
    publish::publish(&places.root.join(README), arguments.mode.place(), &published)
}

fn title(file: &str) -> &'static str {
    match file {
        "serve_latency.svg" => "Latency by the number of clients",
        "serve_cores.svg" => "Throughput by the number of cores",
        _ => "Throughput by the number of clients",
    }
}

fn memory(
    arguments: &Arguments,
    places: &Places,
    cores: usize,
    given: Option<Images>,
) -> Result<()> {
    let growths = growth::measure(places, given, cores)?;
    let text = format!("{}\n\n{}", origin(places)?, report::growth(&growths));
    println!("{text}");
    if arguments.dry_run {
        return Ok(());
    }
    results::write("serve_memory.csv", &results::growth_csv(&growths))?;
    publish::publish(&places.root.join(README), arguments.mode.place(), &text)
}

fn print_scaling(by_clients: &[Point], by_cores: &[Point]) {
    for (what, points) in [("clients", by_clients), ("cores", by_cores)] {
        println!(
            "{what:>8} {:>12} {:>12} {:>14} {:>14}",
            "ours/s", "peer/s", "ours p99", "peer p99"
        );
        for point in points {
            let [ours, peer] = &point.runs;
            let count = if what == "cores" { point.cores } else { ours.clients };
            println!(
                "{count:>8} {:>12.1} {:>12.1} {:>11.0} ms {:>11.0} ms",
                ours.throughput,
                peer.throughput,
                1e3 * ours.latency_s[2],
                1e3 * peer.latency_s[2]
            );
        }
    }
}

/// The machine, the day and the versions.
fn origin(places: &Places) -> Result<String> {
    let script = "import datetime, platform, importlib.metadata as m; \
        print(datetime.date.today(), 'Python', platform.python_version(), \
        *(f'{p} {m.version(p)},' for p in ('fastapi', 'uvicorn', 'pillow', 'onnxruntime')))";
    let done = Command::new(&places.python).args(["-c", script]).output()?;
    let text = String::from_utf8(done.stdout).context("what Python says of its packages")?;
    let (day, versions) = text.trim().split_once(' ').context("what Python says of itself")?;
    Ok(format!(
        "{}, {day}. The peer, a process a core: {}. \
         ONNX Runtime is the same in both.",
        processor(),
        versions.trim_end_matches(',')
    ))
}

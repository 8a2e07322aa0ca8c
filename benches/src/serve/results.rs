//! Where the results go: files beside this package's manifest.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow};

use super::compare::Workload;
use super::growth::Growth;
use super::program::{Precision, Setup};
use super::run::Run;
use super::scaling::{PROGRAMS, Point};
use crate::chart::{Axis, Frame, Line, Ticks, draw, duration};

/// Writes a file of results.
///
/// # Errors
/// When it cannot be written.
pub fn write(name: &str, text: &str) -> Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("results");
    fs::create_dir_all(&folder)?;
    let path = folder.join(name);
    // Renamed when whole: an interrupted run leaves the last results.
    let whole: PathBuf = folder.join(format!(".{name}.new"));
    fs::write(&whole, text)
        .and_then(|()| fs::rename(&whole, &path))
        .with_context(|| path.display().to_string())
}

/// One line a run.
pub fn csv(workloads: &[Workload], clients: &[Point], cores: &[Point]) -> String {
    let mut text = String::from(
        "part,images,round,server,model,workers,clients,answered,failed,requests_per_s,p50_ms,\
         p90_ms,p99_ms,cpu_ms,cpu_workers_ms,cpu_others_ms,client_cpu_ms,resident_kib,\
         proportional_kib,limit_alone_cpu_ms,limit_together_cpu_ms,limit_alone_wall_ms\n",
    );
    for workload in workloads {
        for (number, round) in workload.rounds.iter().enumerate() {
            for (part, runs) in [("loaded", &round.loaded), ("single", &round.single)] {
                for (setup, run) in workload.setups.iter().zip(runs) {
                    let limit = round.limit(setup.precision);
                    let limits =
                        [limit.alone.cpu_s, limit.together.cpu_s, limit.alone.wall_s].map(Some);
                    let from = format!("{part},\"{}\",{}", workload.images, number + 1);
                    row(&mut text, &from, setup, run, limits);
                }
            }
        }
    }
    for (part, points) in [("clients", clients), ("cores", cores)] {
        for point in points {
            for (program, run) in PROGRAMS.into_iter().zip(&point.runs) {
                let setup = Setup { program, precision: Precision::Fp32, workers: point.cores };
                row(&mut text, &format!("{part},,"), &setup, run, [None; 3]);
            }
        }
    }
    text
}

fn row(text: &mut String, from: &str, setup: &Setup, run: &Run, limits_s: [Option<f64>; 3]) {
    let ms = |seconds: f64| format!("{:.3}", seconds * 1e3);
    let mut cells = vec![
        from.to_owned(),
        setup.program.name().into(),
        setup.precision.name().into(),
        setup.workers.to_string(),
        run.clients.to_string(),
        run.answered.to_string(),
        run.failed.to_string(),
        format!("{:.2}", run.throughput),
    ];
    cells.extend(run.latency_s.map(ms));
    let usage = &run.usage;
    let times = [usage.total, usage.workers, usage.others, run.client_cpu];
    cells.extend(times.map(|time| format!("{:.3}", run.ms_each(time))));
    cells.push((run.memory.resident >> 10).to_string());
    cells.push((run.memory.proportional >> 10).to_string());
    cells.extend(limits_s.map(|seconds| seconds.map(ms).unwrap_or_default()));
    // Writing into a String cannot fail.
    let _ = writeln!(text, "{}", cells.join(","));
}

/// Memory after each thousand uploads, one line a look.
pub fn growth_csv(growths: &[Growth]) -> String {
    let mut text = String::from("server,thousand_uploads,resident_kib,proportional_kib\n");
    for Growth { setup, memory } in growths {
        for (thousands, memory) in memory.iter().enumerate() {
            let [resident, proportional] = [memory.resident, memory.proportional].map(|b| b >> 10);
            // Writing into a String cannot fail.
            let _ =
                writeln!(text, "{},{thousands},{resident},{proportional}", setup.program.name());
        }
    }
    text
}

/// The charts of clients and of cores, as (file name, SVG).
///
/// # Errors
/// When they cannot be drawn.
pub fn charts(
    caption: &str,
    clients: &[Point],
    cores: &[Point],
) -> Result<Vec<(&'static str, String)>> {
    let by_clients = |point: &Point| point.runs[0].clients as f64;
    let rate = |points: &[Point], x: &dyn Fn(&Point) -> f64| {
        let line = |i: usize| Line {
            name: PROGRAMS[i].name().to_owned(),
            points: points.iter().map(|p| (x(p), p.runs[i].throughput)).collect(),
        };
        [line(0), line(1)]
    };
    let latency = [(0, 2, "99 %"), (0, 0, "median"), (1, 2, "99 %"), (1, 0, "median")].map(
        |(i, quantile, what)| Line {
            name: format!("{},\n{what}", PROGRAMS[i].name()),
            points: clients
                .iter()
                .map(|p| (by_clients(p), p.runs[i].latency_s[quantile]))
                .collect(),
        },
    );
    let whole = |number: f64| format!("{number:.0}");
    let of_clients = Axis { name: "clients at once", label: whole, ticks: Ticks::Values };
    let of_cores = Axis { name: "cores", label: whole, ticks: Ticks::Values };
    let of_rate = Axis { name: "requests a second", label: whole, ticks: Ticks::Even };
    let of_time = Axis { name: "latency", label: duration, ticks: Ticks::Decades };
    let chart = |title: &str, x: &Axis, y: &Axis, lines: &[Line]| {
        let frame = Frame { title, caption, x: x.clone(), y: y.clone() };
        draw(&frame, lines).map_err(|error| anyhow!("{title}: {error}"))
    };
    Ok(vec![
        (
            "serve_clients.svg",
            chart("Throughput by clients", &of_clients, &of_rate, &rate(clients, &by_clients))?,
        ),
        ("serve_latency.svg", chart("Latency by clients", &of_clients, &of_time, &latency)?),
        (
            "serve_cores.svg",
            chart(
                "Throughput by cores",
                &of_cores,
                &of_rate,
                &rate(cores, &|point| point.cores as f64),
            )?,
        ),
    ])
}

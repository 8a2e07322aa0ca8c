//! What recording one image costs, in an `SQLite` file, with 1, 16 and 100 streams that have a verdict of their own.
//!
//! A calibration of 40 groups of 8 images; each stream has had 3 groups, so that all have tests. Then images come to the
//! streams in turn, 8 of a group, a transaction each. Prints the median and the 99th percentile of the time for one, the
//! mean with the images that complete a group, and how large the state is. `SDD_BENCH_SECONDS` is the time for each line.

#![allow(clippy::print_stdout, reason = "the table is this program's result")]

use std::error::Error;
use std::time::{Duration, Instant};

use fastrand::Rng;
use sdd_benches::machine::processor;
use sdd_drift::Properties;
use sdd_monitor::{
    Baseline, CalibratedImage, Monitor, MonitorSettings, MonitorStore, Observation, PairId,
    SqliteMonitorStore,
};

const STREAMS: [usize; 3] = [1, 16, 100];
const GROUP: usize = 8;

fn main() -> Result<(), Box<dyn Error>> {
    let seconds = std::env::var("SDD_BENCH_SECONDS").ok().map(|text| text.parse::<f64>());
    let budget = Duration::try_from_secs_f64(seconds.transpose()?.unwrap_or(5.0))?;
    let mut random = Rng::with_seed(1);
    let calibrated = |i: usize| CalibratedImage {
        group: Some(format!("part {}", i / GROUP)),
        class: if i.is_multiple_of(5) { "defect" } else { "good" }.into(),
        score: random.f64(),
        properties: Some(properties(&mut random)),
    };
    let baseline = Baseline::new(0.05, (0..40 * GROUP).map(calibrated).collect());
    let settings = MonitorSettings { streams: 100, ..MonitorSettings::default() };
    let monitor = Monitor::new(settings, Some(baseline))?;
    println!("one image, one transaction; {}\n", processor());
    println!(
        "{:>8} {:>12} {:>12} {:>12} {:>10} {:>12}",
        "streams", "median", "p99", "mean", "images", "file"
    );
    for streams in STREAMS {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("monitor.sqlite");
        let mut store = SqliteMonitorStore::open(&path, 10_000)?;
        let pair = PairId { model_sha256: "m".into(), reference_sha256: "r".into() };
        let image = |i: usize, random: &mut Rng| Observation {
            time_ms: i64::try_from(i).unwrap_or_default(),
            request_id: format!("{i:036}"),
            predicted_class: if i.is_multiple_of(7) { "defect" } else { "good" }.into(),
            confidence: 0.9,
            score: random.f64(),
            p_value: Some(random.f64().max(1e-3)),
            out_of_distribution: Some(i.is_multiple_of(20)),
            stream: Some(format!("camera {}", i / GROUP % streams)),
            group: Some(format!("part {}", i / GROUP)),
            properties: Some(properties(random)),
            ..Observation::default()
        };
        let first: Vec<_> = (0..3 * GROUP * streams).map(|i| image(i, &mut random)).collect();
        store.apply(&pair, &monitor, &first)?;
        let (started, mut times) = (Instant::now(), Vec::new());
        while started.elapsed() < budget {
            let next = [image(first.len() + times.len(), &mut random)];
            let asked = Instant::now();
            store.apply(&pair, &monitor, &next)?;
            times.push(asked.elapsed());
        }
        let mean = times.iter().sum::<Duration>().as_secs_f64() / times.len() as f64;
        times.sort_unstable();
        let at = |share: usize| 1e3 * times[times.len() * share / 100].as_secs_f64();
        println!(
            "{streams:>8} {:>9.3} ms {:>9.3} ms {:>9.3} ms {:>10} {:>9} kB",
            at(50),
            at(99),
            1e3 * mean,
            times.len(),
            std::fs::metadata(&path)?.len() / 1000
        );
    }
    Ok(())
}

fn properties(random: &mut Rng) -> Properties {
    Properties::of_array([180.0 + 9.0 * random.f64(), 40.0, 3.0 + random.f64(), 1.0, 0.01])
}

//! What one drift score costs: one embedding against 2,000 and 10,000 reference images, one thread.
//!
//! Prints a table: median and 99th percentile of single calls, with the score alone and with the three
//! nearest images named as in an answer; then how long a reference takes to be ready, which for the
//! Mahalanobis distance is the fit of its covariances. `SDD_BENCH_SECONDS` is the time for each cell.

#![allow(clippy::print_stdout, reason = "the table is this program's result")]

use std::collections::BTreeMap;
use std::error::Error;
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use ndarray::Array2;
use sdd_benches::chart::duration;
use sdd_benches::machine::processor;
use sdd_drift::{Query, Reference, Score, ScoreMethod};
use sdd_index::{FileStore, Normalization, Record, StoreContents, check_cpu, limit_threads};

const SIZES: [(usize, usize); 3] = [(2_000, 512), (2_000, 672), (10_000, 512)];
const READY: [(usize, usize); 3] = [(279, 672), (2_000, 672), (10_000, 672)];
const CLASSES: [&str; 2] = ["defect", "non_defect"];
const QUERIES: usize = 64;
const NEIGHBORS: [usize; 2] = [0, 3];

fn main() -> Result<(), Box<dyn Error>> {
    check_cpu()?;
    limit_threads(1);
    let seconds = match std::env::var("SDD_BENCH_SECONDS") {
        Ok(text) => text.parse().map_err(|_| {
            format!("expected a number of seconds in SDD_BENCH_SECONDS, found {text:?}")
        })?,
        Err(_) => 2.0,
    };
    let budget = Duration::try_from_secs_f64(seconds)?;
    println!(
        "one embedding, one thread; median and 99th percentile of single calls; {}\n",
        processor()
    );
    println!(
        "{:>6} {:>4}  {:<18} {:>10} {:>10} {:>14} {:>10}",
        "rows", "D", "score", "median", "p99", "+ 3 neighbors", "p99"
    );
    for (rows, dimension) in SIZES {
        let folder = tempfile::tempdir()?;
        write(folder.path(), rows, dimension)?;
        for method in ScoreMethod::ALL {
            let reference = open(folder.path(), method)?;
            let [alone, with_neighbors] =
                NEIGHBORS.map(|neighbors| measure(&reference, neighbors, budget));
            let ((alone, alone_p99), (with, with_p99)) = (alone?, with_neighbors?);
            println!(
                "{rows:>6} {dimension:>4}  {:<18} {:>10} {:>10} {:>14} {:>10}",
                method.name(),
                duration(alone),
                duration(alone_p99),
                duration(with),
                duration(with_p99),
            );
        }
    }
    println!("\nready to score, the store being open (median of 5):");
    for (rows, dimension) in READY {
        let folder = tempfile::tempdir()?;
        write(folder.path(), rows, dimension)?;
        for method in [ScoreMethod::MeanL1, ScoreMethod::Mahalanobis] {
            let mut times = Vec::new();
            for _ in 0..5 {
                let store = FileStore::open(folder.path())?;
                let start = Instant::now();
                black_box(Reference::uncalibrated(store, Score::new(method, 5)?)?);
                times.push(start.elapsed().as_secs_f64());
            }
            times.sort_by(f64::total_cmp);
            println!("{rows:>6} {dimension:>4}  {:<18} {:>10}", method.name(), duration(times[2]));
        }
    }
    Ok(())
}

fn open(folder: &Path, method: ScoreMethod) -> Result<Reference, Box<dyn Error>> {
    let store = FileStore::open(folder)?;
    Ok(Reference::uncalibrated(store, Score::new(method, 5)?)?)
}

/// Seconds of a call: median and 99th percentile.
fn measure(
    reference: &Reference,
    neighbors: usize,
    budget: Duration,
) -> Result<(f64, f64), Box<dyn Error>> {
    let queries = embeddings(7, QUERIES, reference.store().dimension());
    let mut times = Vec::new();
    let start = Instant::now();
    while times.len() < 1_000 || start.elapsed() < budget {
        let embedding = queries.row(times.len() % QUERIES).to_vec();
        let query = Query::new(&embedding).of_class(CLASSES[times.len() % 2]);
        let call = Instant::now();
        black_box(reference.assess(black_box(&query), neighbors)?);
        times.push(call.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    Ok((times[times.len() / 2], times[times.len() * 99 / 100]))
}

fn write(folder: &Path, rows: usize, dimension: usize) -> Result<(), Box<dyn Error>> {
    let record = |row: usize| Record {
        id: row.to_string(),
        label: Some(CLASSES[usize::from(!row.is_multiple_of(5))].to_owned()),
    };
    let contents = StoreContents {
        model: None,
        normalization: Normalization::L2,
        embeddings: embeddings(1, rows, dimension),
        records: (0..rows).map(record).collect(),
        attachments: BTreeMap::new(),
    };
    FileStore::write(folder, &contents)?;
    Ok(())
}

/// Rows that look like a network's last layer after a rectifier: half zeros, the rest up to 1.
fn embeddings(seed: u64, rows: usize, dimension: usize) -> Array2<f32> {
    let mut random = fastrand::Rng::with_seed(seed);
    Array2::from_shape_simple_fn((rows, dimension), || (2.0 * random.f32() - 1.0).max(0.0))
}

//! What scoring a reference's own images costs, each among those of other groups, beside one search for each of them.
//!
//! 100,000 rows of 512 values in 12,500 groups of 1 to 15, on all cores. Blocks of both are taken in turn, as many as
//! `SDD_BENCH_SECONDS` allows for each.

#![allow(clippy::print_stdout, reason = "the table is this program's result")]

use std::collections::BTreeMap;
use std::error::Error;
use std::hint::black_box;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ndarray::{Array2, ArrayView2, Axis, s};
use sdd_benches::machine::processor;
use sdd_drift::leave_one_group_out::Row;
use sdd_drift::{Query, Reference, Score, ScoreMethod};
use sdd_index::{FileStore, Normalization, Record, StoreContents, check_cpu, limit_threads};

const ROWS: usize = 100_000;
const DIMENSION: usize = 512;
const GROUPS: usize = 12_500;
const K: usize = 5;
/// As many as are scored together.
const BLOCK: usize = 128;

fn main() -> Result<(), Box<dyn Error>> {
    check_cpu()?;
    let seconds = std::env::var("SDD_BENCH_SECONDS").ok().map(|text| text.parse::<f64>());
    let budget = Duration::try_from_secs_f64(seconds.transpose()?.unwrap_or(30.0))?;
    let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let groups = groups();
    let ids: Vec<String> = (0..ROWS).map(|row| row.to_string()).collect();
    let embeddings = embeddings(&groups);
    let contents = StoreContents {
        model: None,
        normalization: Normalization::L2,
        embeddings: embeddings.clone(),
        records: ids.iter().map(|id| Record { id: id.clone(), label: None }).collect(),
        attachments: BTreeMap::new(),
    };
    let store = Box::new(FileStore::in_memory(&contents)?);
    drop(contents);
    let reference = Reference::uncalibrated(store, Score::new(ScoreMethod::Knn, K)?)?;
    let names: Vec<String> = groups.iter().map(ToString::to_string).collect();
    let row = |(id, group): (&'static str, &'static str)| Row {
        id,
        label: None,
        predicted_class: None,
        group,
    };
    let rows = leak(ids).iter().map(String::as_str).zip(leak(names).iter().map(String::as_str));
    let started = Instant::now();
    let left_out = reference.leave_one_group_out(rows.map(row).collect())?;
    let prepared = started.elapsed();

    let search = |block: usize| {
        let first = block * BLOCK % (ROWS - BLOCK);
        let rows = embeddings.slice(s![first..first + BLOCK, ..]);
        black_box(scores(&reference, rows));
        BLOCK
    };
    // In an order that is not that of the groups' sizes.
    let blocks = left_out.blocks();
    let leave_out = |block: usize| {
        let scores = left_out.scores(block * 7919 % blocks).expect("a search of known rows");
        black_box(scores).len()
    };
    let (mut searched, mut left) = (Rate::default(), Rate::default());
    let (mut next, each) = (0, 4 * threads);
    while searched.time < budget {
        searched.add(on_all_cores(threads, next..next + each, &search));
        left.add(on_all_cores(threads, next..next + each, &leave_out));
        next += each;
    }
    println!("{ROWS} x {DIMENSION} in {GROUPS} groups, {threads} cores, {}", processor());
    println!("prepared in {:.1} s", prepared.as_secs_f64());
    println!("{:<24} {:>10} {:>14}", "", "rows", "per row");
    for (name, rate) in [("one search", &searched), ("own group left out", &left)] {
        println!("{name:<24} {:>10} {:>11.3} ms", rate.rows, 1e3 * rate.seconds_per_row());
    }
    println!("ratio {:.2}", left.seconds_per_row() / searched.seconds_per_row());
    Ok(())
}

#[derive(Default)]
struct Rate {
    rows: usize,
    time: Duration,
}

impl Rate {
    fn add(&mut self, (rows, time): (usize, Duration)) {
        self.rows += rows;
        self.time += time;
    }

    fn seconds_per_row(&self) -> f64 {
        self.time.as_secs_f64() / self.rows as f64
    }
}

/// How many rows were scored, and how long it took.
fn on_all_cores(
    threads: usize,
    blocks: std::ops::Range<usize>,
    work: &(impl Fn(usize) -> usize + Sync),
) -> (usize, Duration) {
    let (next, rows, started) =
        (AtomicUsize::new(blocks.start), AtomicUsize::new(0), Instant::now());
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                limit_threads(1);
                loop {
                    let block = next.fetch_add(1, Ordering::Relaxed);
                    if block >= blocks.end {
                        return;
                    }
                    rows.fetch_add(work(block), Ordering::Relaxed);
                }
            });
        }
    });
    (rows.into_inner(), started.elapsed())
}

#[expect(clippy::needless_pass_by_value, reason = "a view is a pointer")]
fn scores(reference: &Reference, rows: ArrayView2<'_, f32>) -> Vec<sdd_drift::Result<f64>> {
    let rows: Vec<Vec<f32>> = rows.axis_iter(Axis(0)).map(|row| row.to_vec()).collect();
    let queries: Vec<Query<'_>> = rows.iter().map(|row| Query::new(row)).collect();
    reference.scores(&queries)
}

/// 1, 2, … 15 rows of a group in turn.
fn groups() -> Vec<usize> {
    let sizes = (0..GROUPS).map(|group| 1 + group % 15);
    let rows = sizes.enumerate().flat_map(|(group, size)| std::iter::repeat_n(group, size));
    rows.chain(std::iter::repeat(GROUPS - 1)).take(ROWS).collect()
}

/// Rows of a group lie around a point of its own.
fn embeddings(groups: &[usize]) -> Array2<f32> {
    let mut random = fastrand::Rng::with_seed(1);
    let mut centers = Array2::zeros((GROUPS, DIMENSION));
    centers.mapv_inplace(|_: f32| random.f32());
    Array2::from_shape_fn((ROWS, DIMENSION), |(row, column)| {
        centers[[groups[row], column]] + 0.2 * random.f32()
    })
}

/// For as long as the program runs.
fn leak(names: Vec<String>) -> &'static [String] {
    names.leak()
}

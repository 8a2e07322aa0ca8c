//! The FAISS flat index against brute force: one query, three neighbors, 512 dimensions.
//!
//! Prints a table, and writes `results/flat_vs_brute.csv` and `results/flat_vs_brute.svg` beside
//! this package's manifest.
//!
//! `SDD_BENCH_MAX_ROWS` leaves out the larger sizes; then, or where a size needs more memory than
//! there is, the files are not written.

#![allow(
    clippy::print_stdout,
    clippy::needless_pass_by_value,
    reason = "the table is this program's result; an ndarray view is a reference already"
)]

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use ndarray::{Array2, ArrayView1, Axis};
use sdd_benches::brute_force::{Neighbor, fused, naive};
use sdd_benches::chart::{Line, duration, time_against_rows};
use sdd_benches::machine::{available_memory, processor};
use sdd_benches::samples::Samples;
use sdd_index::{FlatIndex, check_cpu, limit_threads};

const SIZES: [usize; 5] = [96, 960, 9_600, 96_000, 960_000];
const DIMENSION: usize = 512;
const K: usize = 3;
const QUERIES: usize = 16;
const MIN_ROUNDS: usize = 9;
const BUDGET: Duration = Duration::from_secs(15);

const NAIVE: usize = 0;
const FUSED: usize = 1;
const FAISS: usize = 2;

struct Measured {
    rows: usize,
    samples: Samples<3>,
}

fn main() -> Result<(), Box<dyn Error>> {
    check_cpu()?;
    // One query runs on one thread in FAISS whatever this says; it is said for the reader.
    limit_threads(1);
    let largest = match std::env::var("SDD_BENCH_MAX_ROWS") {
        Ok(text) => text.parse().map_err(|_| {
            format!("expected a number of rows in SDD_BENCH_MAX_ROWS, found {text:?}")
        })?,
        Err(_) => usize::MAX,
    };
    println!("one query, k = {K}, {DIMENSION} x f32, one thread for each way; {}", processor());
    println!("naive: N x {DIMENSION} differences in memory, squared, summed, sorted");
    println!("fused: one pass, AVX2, the {K} nearest so far are kept");
    println!("FAISS: IndexFlatL2 through sdd_index::FlatIndex\n");
    println!(
        "{:>8} {:>7} {:>10} {:>10} {:>10} {:>12} {:>12}",
        "rows", "rounds", "naive", "fused", "FAISS", "naive/FAISS", "fused/FAISS"
    );
    let mut measured = Vec::new();
    for rows in SIZES {
        if let Some(reason) = reason_to_skip(rows, largest) {
            println!("{rows:>8} left out: {reason}");
            continue;
        }
        let samples = measure(rows)?;
        println!(
            "{rows:>8} {:>7} {:>10} {:>10} {:>10} {:>12.2} {:>12.2}",
            samples.rounds(),
            duration(samples.seconds(NAIVE).median),
            duration(samples.seconds(FUSED).median),
            duration(samples.seconds(FAISS).median),
            samples.ratio(NAIVE, FAISS).median,
            samples.ratio(FUSED, FAISS).median,
        );
        measured.push(Measured { rows, samples });
    }
    println!("\nAll three found the same {K} neighbors of all {QUERIES} queries at every size.");
    if measured.len() < SIZES.len() {
        println!("Not all sizes were measured, so results/ stays as it is.");
        return Ok(());
    }
    write_results(&measured)
}

fn reason_to_skip(rows: usize, largest: usize) -> Option<String> {
    if rows > largest {
        return Some(format!("SDD_BENCH_MAX_ROWS is {largest}"));
    }
    // The rows twice, in FAISS and first as they are made and then as differences, and a margin.
    let needed = 2 * rows * DIMENSION * size_of::<f32>() + (1 << 30);
    let available = available_memory()?;
    (available < needed).then(|| {
        format!(
            "it needs {} MiB of memory, and {} MiB are available",
            needed >> 20,
            available >> 20
        )
    })
}

fn measure(rows: usize) -> Result<Samples<3>, Box<dyn Error>> {
    let index = FlatIndex::from_rows(embeddings(1, rows).view())?;
    let queries = embeddings(2, QUERIES);
    for query in queries.outer_iter() {
        same_neighbors(&index, query)?;
    }
    let mut failure = None;
    let samples = Samples::measure(MIN_ROUNDS, BUDGET, |way, i| {
        let query = queries.row(i % QUERIES);
        // All three read the very same memory.
        match way {
            NAIVE => drop(black_box(naive(index.rows(), black_box(query), K))),
            FUSED => drop(black_box(fused(index.rows(), black_box(query), K))),
            _ => match index.search(black_box(query.insert_axis(Axis(0))), K) {
                Ok(found) => drop(black_box(found)),
                Err(error) => failure = Some(error),
            },
        }
    });
    match failure {
        Some(error) => Err(error.into()),
        None => Ok(samples),
    }
}

/// Compares what the three ways find: the same rows, and distances that differ by rounding only.
fn same_neighbors(index: &FlatIndex, query: ArrayView1<'_, f32>) -> Result<(), Box<dyn Error>> {
    let found = index.search(query.insert_axis(Axis(0)), K)?;
    let faiss: Vec<Neighbor> = found[0].iter().map(|n| (n.row, n.distance_squared)).collect();
    for other in [naive(index.rows(), query, K), fused(index.rows(), query, K)] {
        let same = faiss.len() == other.len()
            && faiss.iter().zip(&other).all(|((row, distance), (other_row, other_distance))| {
                row == other_row && (distance - other_distance).abs() <= 1e-5 * distance
            });
        if !same {
            return Err(format!("FAISS found {faiss:?}, brute force {other:?}").into());
        }
    }
    Ok(())
}

/// Rows that look like a network's last layer after a rectifier: half zeros, the rest up to 1.
fn embeddings(seed: u64, rows: usize) -> Array2<f32> {
    let mut state = seed;
    Array2::from_shape_simple_fn((rows, DIMENSION), || {
        // SplitMix64.
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^= bits >> 31;
        let value = (bits >> 40) as f32 / (1 << 23) as f32 - 1.0;
        value.max(0.0)
    })
}

fn write_results(measured: &[Measured]) -> Result<(), Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("results");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("flat_vs_brute.csv"), csv(measured)?)?;
    let line = |name: &str, way| Line {
        name: name.to_owned(),
        points: measured
            .iter()
            .map(|size| (size.rows as f64, size.samples.seconds(way).median))
            .collect(),
    };
    let svg = time_against_rows(
        "Exact nearest neighbors: FAISS flat index against brute force",
        &format!(
            "one query, k = {K}, {DIMENSION} dimensions, one thread, medians; {}",
            processor()
        ),
        &[
            line("brute force,\nwith arrays", NAIVE),
            line("brute force,\none fused loop", FUSED),
            line("FAISS\nIndexFlatL2", FAISS),
        ],
    )?;
    fs::write(folder.join("flat_vs_brute.svg"), svg)?;
    println!("Wrote flat_vs_brute.csv and flat_vs_brute.svg into benches/results.");
    Ok(())
}

fn csv(measured: &[Measured]) -> Result<String, std::fmt::Error> {
    let mut text = String::from(
        "rows,dimension,k,threads,rounds,naive_us,naive_q1_us,naive_q3_us,fused_us,fused_q1_us,\
         fused_q3_us,faiss_us,faiss_q1_us,faiss_q3_us,naive_over_faiss,fused_over_faiss,processor\n",
    );
    for Measured { rows, samples } in measured {
        write!(text, "{rows},{DIMENSION},{K},1,{}", samples.rounds())?;
        for way in [NAIVE, FUSED, FAISS] {
            let seconds = samples.seconds(way);
            for quartile in [seconds.median, seconds.lower, seconds.upper] {
                write!(text, ",{:.2}", quartile * 1e6)?;
            }
        }
        for way in [NAIVE, FUSED] {
            write!(text, ",{:.3}", samples.ratio(way, FAISS).median)?;
        }
        writeln!(text, ",\"{}\"", processor())?;
    }
    Ok(text)
}

//! MMD² with 999 permutations at once against one permutation after the other: 1000 reference and 100 current
//! rows of 512 values, bandwidth included.
//!
//! Prints a table, and writes `results/mmd.csv` beside this package's manifest.

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

use fastrand::Rng;
use ndarray::{Array2, ArrayView2, Axis, concatenate};
use sdd_benches::machine::processor;
use sdd_benches::samples::Samples;
use sdd_stats::two_sample::mmd::{Bandwidth, Mmd};
use sdd_stats::two_sample::permutation_p_value;

const REFERENCE: usize = 1000;
const CURRENT: usize = 100;
const DIMENSION: usize = 512;
const PERMUTATIONS: usize = 999;
const MIN_ROUNDS: usize = 9;
const BUDGET: Duration = Duration::from_secs(30);

const AT_ONCE: usize = 0;
const ONE_BY_ONE: usize = 1;

fn main() -> Result<(), Box<dyn Error>> {
    let mut random = Rng::with_seed(1);
    let reference = embeddings(&mut random, REFERENCE);
    let current = embeddings(&mut random, CURRENT);
    let (reference, current) = (reference.view(), current.view());

    let mmd = Mmd::new(reference, current, Bandwidth::PooledMedian)?;
    let (kernel, observed) = (full_kernel(reference, current, mmd.sigma())?, mmd.mmd2());
    let by_definition = estimate(&kernel, &(0..REFERENCE + CURRENT).collect::<Vec<_>>());
    if (observed - by_definition).abs() > 1e-12 {
        return Err(format!("{observed} is not {by_definition}").into());
    }

    let mut failure = None;
    let samples = Samples::<2>::measure(MIN_ROUNDS, BUDGET, |way, i| {
        let mut random = Rng::with_seed(i as u64);
        let p_value = match way {
            AT_ONCE => at_once(reference, current, &mut random),
            _ => one_by_one(reference, current, &mut random),
        };
        match p_value {
            Ok(p_value) => drop(black_box(p_value)),
            Err(error) => failure = Some(error),
        }
    });
    if let Some(error) = failure {
        return Err(error);
    }
    report(&samples)
}

fn report(samples: &Samples<2>) -> Result<(), Box<dyn Error>> {
    println!(
        "MMD², {REFERENCE}/{CURRENT} x {DIMENSION}, {PERMUTATIONS} permutations; {}, {} rounds",
        processor(),
        samples.rounds()
    );
    let mut csv = String::from(
        "way,reference,current,dimension,permutations,rounds,seconds,q1,q3,processor\n",
    );
    for (way, name) in [(AT_ONCE, "all in one product"), (ONE_BY_ONE, "one by one")] {
        let seconds = samples.seconds(way);
        println!(
            "{name:<20} {:.3} s ({:.3} to {:.3})",
            seconds.median, seconds.lower, seconds.upper
        );
        writeln!(
            csv,
            "{name},{REFERENCE},{CURRENT},{DIMENSION},{PERMUTATIONS},{},{:.4},{:.4},{:.4},\"{}\"",
            samples.rounds(),
            seconds.median,
            seconds.lower,
            seconds.upper,
            processor()
        )?;
    }
    println!("{:.1} times as fast", samples.ratio(ONE_BY_ONE, AT_ONCE).median);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("results");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("mmd.csv"), csv)?;
    Ok(())
}

fn at_once(
    reference: ArrayView2<'_, f32>,
    current: ArrayView2<'_, f32>,
    random: &mut Rng,
) -> Result<f64, Box<dyn Error>> {
    let mmd = Mmd::new(reference, current, Bandwidth::PooledMedian)?;
    Ok(permutation_p_value(mmd.mmd2(), &mmd.random_permutations(PERMUTATIONS, random)))
}

/// The same, each permutation with a pass of its own over the kernel matrix, on one thread.
fn one_by_one(
    reference: ArrayView2<'_, f32>,
    current: ArrayView2<'_, f32>,
    random: &mut Rng,
) -> Result<f64, Box<dyn Error>> {
    let sigma = Mmd::new(reference, current, Bandwidth::PooledMedian)?.sigma();
    let kernel = full_kernel(reference, current, sigma)?;
    let mut order: Vec<usize> = (0..REFERENCE + CURRENT).collect();
    let observed = estimate(&kernel, &order);
    let mut permuted = Vec::with_capacity(PERMUTATIONS);
    for _ in 0..PERMUTATIONS {
        random.shuffle(&mut order);
        permuted.push(estimate(&kernel, &order));
    }
    Ok(permutation_p_value(observed, &permuted))
}

fn full_kernel(
    reference: ArrayView2<'_, f32>,
    current: ArrayView2<'_, f32>,
    sigma: f64,
) -> Result<Array2<f64>, Box<dyn Error>> {
    let rows = concatenate(Axis(0), &[reference, current])?.mapv(f64::from);
    let norms = rows.mapv(|value| value * value).sum_axis(Axis(1));
    let mut kernel = rows.dot(&rows.t());
    for ((i, j), value) in kernel.indexed_iter_mut() {
        let distance = (norms[i] + norms[j] - 2.0 * *value).max(0.0);
        *value = if i == j { 0.0 } else { (-distance / (2.0 * sigma * sigma)).exp() };
    }
    Ok(kernel)
}

/// MMD² where the first rows of `order` are the reference.
fn estimate(kernel: &Array2<f64>, order: &[usize]) -> f64 {
    let mut is_current = vec![0.0; order.len()];
    for &row in &order[REFERENCE..] {
        is_current[row] = 1.0;
    }
    let (mut x, mut y, mut across) = (0.0, 0.0, 0.0);
    for (row, &of_current) in kernel.rows().into_iter().zip(&is_current) {
        let to_current: f64 = row.iter().zip(&is_current).map(|(k, mark)| k * mark).sum();
        let to_reference = row.sum() - to_current;
        if of_current > 0.0 {
            y += to_current;
        } else {
            x += to_reference;
            across += to_current;
        }
    }
    let (n, m) = (REFERENCE as f64, CURRENT as f64);
    x / (n * (n - 1.0)) + y / (m * (m - 1.0)) - 2.0 * across / (n * m)
}

/// Rows as after a rectifier: half zeros, the rest up to 1.
fn embeddings(random: &mut Rng, rows: usize) -> Array2<f32> {
    Array2::from_shape_simple_fn((rows, DIMENSION), || (2.0 * random.f32() - 1.0).max(0.0))
}

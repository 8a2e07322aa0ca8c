//! The classifier two-sample test, to compare with: can a classifier learn to tell the samples apart?
//!
//! A ridge classifier is trained on half of the rows and scores the other half; its statistic is how often a
//! current row scores above a reference row (the area under the ROC curve), its p-value from permutations of
//! the held-out labels. After Lopez-Paz and Oquab, “Revisiting classifier two-sample tests”, ICLR 2017, with
//! the area in place of the accuracy, which loses less of what the scores say.

use fastrand::Rng;
use ndarray::{Array1, Array2, ArrayView2, Axis};
use sdd_stats::two_sample::permutation_p_value;

/// Added to the kernel's diagonal, in units of its mean.
const RIDGE: f64 = 0.1;
const ITERATIONS: usize = 100;

/// The p-value of `current` against `reference`.
pub fn p_value(
    reference: ArrayView2<'_, f32>,
    current: ArrayView2<'_, f32>,
    permutations: usize,
    random: &mut Rng,
) -> f64 {
    let labeled = |rows: ArrayView2<'_, f32>, label: f64| -> Vec<(Array1<f64>, f64)> {
        rows.rows().into_iter().map(|row| (row.mapv(f64::from), label)).collect()
    };
    let mut rows = [labeled(reference, -1.0), labeled(current, 1.0)].concat();
    random.shuffle(&mut rows);
    let (train, test) = rows.split_at(rows.len() / 2);
    let scores = scores(train, test);
    let mut labels: Vec<f64> = test.iter().map(|(_, label)| *label).collect();
    let observed = area(&scores, &labels);
    let permuted: Vec<f64> = (0..permutations)
        .map(|_| {
            random.shuffle(&mut labels);
            area(&scores, &labels)
        })
        .collect();
    permutation_p_value(observed, &permuted)
}

/// `f(x) = Σ_i a_i k(x_i, x)` with the linear kernel of centered rows, `(K + λI) a = y`.
fn scores(train: &[(Array1<f64>, f64)], test: &[(Array1<f64>, f64)]) -> Vec<f64> {
    let dimension = train.first().map_or(0, |(row, _)| row.len());
    let matrix = |rows: &[(Array1<f64>, f64)]| {
        Array2::from_shape_fn((rows.len(), dimension), |(i, j)| rows[i].0[j])
    };
    let (mut train_rows, mut test_rows) = (matrix(train), matrix(test));
    let mean = train_rows.mean_axis(Axis(0)).unwrap_or_default();
    train_rows -= &mean;
    test_rows -= &mean;
    let labels: Array1<f64> = train.iter().map(|(_, label)| *label).collect();
    let labels = &labels - labels.mean().unwrap_or(0.0);
    let kernel = train_rows.dot(&train_rows.t());
    let ridge = RIDGE * kernel.diag().mean().unwrap_or(1.0);
    let weights = train_rows.t().dot(&solve(&kernel, ridge, &labels));
    test_rows.dot(&weights).to_vec()
}

/// Conjugate gradients: `(K + λI) a = y`.
fn solve(kernel: &Array2<f64>, ridge: f64, right: &Array1<f64>) -> Array1<f64> {
    let mut solution = Array1::<f64>::zeros(right.len());
    let (mut residual, mut direction) = (right.clone(), right.clone());
    let mut squared = residual.dot(&residual);
    for _ in 0..ITERATIONS {
        if squared < 1e-16 * right.dot(right) {
            break;
        }
        let product = kernel.dot(&direction) + ridge * &direction;
        let step = squared / direction.dot(&product);
        solution.scaled_add(step, &direction);
        residual.scaled_add(-step, &product);
        let next = residual.dot(&residual);
        direction = &residual + (next / squared) * &direction;
        squared = next;
    }
    solution
}

/// The share of pairs of a current and a reference row in which the current one scores higher.
fn area(scores: &[f64], labels: &[f64]) -> f64 {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_unstable_by(|&a, &b| scores[a].total_cmp(&scores[b]));
    let (mut below, mut pairs, mut current) = (0_usize, 0_usize, 0_usize);
    for row in order {
        if labels[row] > 0.0 {
            pairs += below;
            current += 1;
        } else {
            below += 1;
        }
    }
    pairs as f64 / (below * current).max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_apart_is_told_apart_and_what_is_not_is_not() {
        let mut random = Rng::with_seed(5);
        let draw = |random: &mut Rng, shift: f32| {
            Array2::from_shape_simple_fn((40, 5), || random.f32() + shift)
        };
        let (x, y, z) = (draw(&mut random, 0.0), draw(&mut random, 0.0), draw(&mut random, 0.6));
        assert!(p_value(x.view(), y.view(), 199, &mut random) > 0.05);
        assert!(p_value(x.view(), z.view(), 199, &mut random) <= 0.01);
    }

    #[test]
    fn the_area_is_the_share_of_pairs_in_order() {
        let area = area(&[1.0, 2.0, 3.0, 4.0], &[-1.0, 1.0, -1.0, 1.0]);
        assert!((area - 0.75).abs() < 1e-12);
    }
}

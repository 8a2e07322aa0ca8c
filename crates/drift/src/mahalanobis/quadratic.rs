//! A quadratic form that is quick to evaluate.

#![expect(
    clippy::inline_always,
    reason = "pulp compiles for AVX2 only what is inlined into its closure"
)]

use ndarray::Array2;

/// Sums that are kept beside each other, so that the processor adds several numbers at a time.
const LANES: usize = 8;

/// `q(y) = γ·‖y‖² + pᵀ·B·p`, with `p = R·y` where there are rows `R` to project on, else `p = y`.
///
/// For D values it takes D²/2 multiplications without a projection, and nD + n²/2 with n rows.
#[derive(Debug, Clone)]
pub(super) struct QuadraticForm {
    gamma: f64,
    /// n x D, row after row.
    projection: Option<Box<[f64]>>,
    /// The lower half of `B`, row after row; what is beside the diagonal counts twice.
    half: Box<[f64]>,
}

impl QuadraticForm {
    /// `yᵀ·B·y` with a symmetric `B`, D x D.
    pub fn new(b: &Array2<f64>) -> Self {
        Self { gamma: 0.0, projection: None, half: half(b) }
    }

    /// `γ·‖y‖² + (R·y)ᵀ·B·(R·y)` with `rows` R, n x D, and a symmetric `b`, n x n.
    pub fn projected(gamma: f64, rows: &Array2<f64>, b: &Array2<f64>) -> Self {
        let projection = Some(rows.iter().copied().collect());
        Self { gamma, projection, half: half(b) }
    }

    /// The value at `y`, of D values.
    pub fn value(&self, y: &[f64]) -> f64 {
        // Compiled for the widest registers; the same sums in the same order on every processor.
        pulp::Arch::new().dispatch(
            #[inline(always)]
            || self.evaluate(y),
        )
    }

    #[inline(always)]
    fn evaluate(&self, y: &[f64]) -> f64 {
        let Some(rows) = &self.projection else { return triangle(&self.half, y) };
        let projected: Vec<f64> = rows.chunks_exact(y.len()).map(|row| dot(row, y)).collect();
        self.gamma * dot(y, y) + triangle(&self.half, &projected)
    }
}

fn half(b: &Array2<f64>) -> Box<[f64]> {
    let row =
        |i: usize| (0..=i).map(move |j| if j < i { b[[i, j]] + b[[j, i]] } else { b[[i, i]] });
    (0..b.nrows()).flat_map(row).collect()
}

#[inline(always)]
fn triangle(half: &[f64], y: &[f64]) -> f64 {
    let mut rest = half;
    let mut sum = 0.0;
    for i in 0..y.len() {
        let (row, below) = rest.split_at(i + 1);
        sum += y[i] * dot(row, &y[..=i]);
        rest = below;
    }
    sum
}

#[inline(always)]
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (a, a_rest) = a.as_chunks::<LANES>();
    let (b, b_rest) = b.as_chunks::<LANES>();
    let mut lanes = [0.0; LANES];
    for (a, b) in a.iter().zip(b) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += a * b;
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    lanes.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, Array2};

    use super::*;

    #[test]
    fn both_ways_give_the_form() {
        let size = 19;
        let square = |factor: usize| {
            Array2::from_shape_fn((size, size), |(i, j)| ((i * factor + j * 5) % 17) as f64 - 8.0)
        };
        let b = square(3) + square(3).t();
        let y = Array1::from_shape_fn(size, |i| i as f64 / 4.0 - 2.0);
        let expected = y.dot(&b.dot(&y));
        let direct = QuadraticForm::new(&b).value(&y.to_vec());
        assert!((direct - expected).abs() < 1e-9 * expected.abs(), "{direct} {expected}");

        let rows = square(7);
        let p = rows.dot(&y);
        let expected = 0.25 * y.dot(&y) + p.dot(&b.dot(&p));
        let projected = QuadraticForm::projected(0.25, &rows, &b).value(&y.to_vec());
        assert!((projected - expected).abs() < 1e-9 * expected.abs(), "{projected} {expected}");
    }
}

//! Distances between all pairs of rows, and the kernel of them.

use ndarray::linalg::general_mat_mul;
use ndarray::{Array1, Array2, ArrayView1, Axis, s};

use crate::two_sample::parallel::blocks_in_parallel;

/// Rows of a triangle that are worked on at once: few enough to leave out most of the other half, and enough
/// for the matrix product to be at its best.
pub(super) const BLOCK_ROWS: usize = 128;

/// Below this share of the squares that it is the difference of, a distance is taken value by value: the product has
/// lost too many of its digits.
const CANCELED: f64 = 1e-4;

/// `‖a − b‖²` of all pairs of rows, below the diagonal; 0 elsewhere. Equal rows are at distance 0 exactly.
pub(super) fn squared_distances(rows: &Array2<f32>) -> Array2<f64> {
    let given = rows;
    let mut rows = given.mapv(f64::from);
    // A distance does not depend on where the rows lie, and the squares that it is made of do.
    if let Some(mean) = rows.mean_axis(Axis(0)) {
        rows -= &mean;
    }
    let norms: Array1<f64> = rows.rows().into_iter().map(|row| row.dot(&row)).collect();
    let mut distances = Array2::zeros((rows.nrows(), rows.nrows()));
    blocks_in_parallel(&mut distances, BLOCK_ROWS, |first, mut block| {
        let end = first + block.nrows();
        let (of_block, above) = (rows.slice(s![first..end, ..]), rows.slice(s![..end, ..]));
        general_mat_mul(1.0, &of_block, &above.t(), 0.0, &mut block.slice_mut(s![.., ..end]));
        for (i, mut products) in (first..).zip(block.rows_mut()) {
            for (j, product) in products.iter_mut().enumerate().take(i) {
                let squares = norms[i] + norms[j];
                let distance = squares - 2.0 * *product;
                *product = if distance > CANCELED * squares {
                    distance
                } else {
                    squared_distance(given.row(i), given.row(j))
                };
            }
            products.slice_mut(s![i..end]).fill(0.0);
        }
    });
    distances
}

fn squared_distance(a: ArrayView1<'_, f32>, b: ArrayView1<'_, f32>) -> f64 {
    a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum()
}

/// The kernel in place of the squared distances.
pub(super) fn apply_kernel(distances: &mut Array2<f64>, sigma: f64) {
    let scale = -0.5 / (sigma * sigma);
    blocks_in_parallel(distances, BLOCK_ROWS, |first, mut block| {
        for (i, mut values) in (first..).zip(block.rows_mut()) {
            values.slice_mut(s![..i]).mapv_inplace(|distance| (scale * distance).exp());
        }
    });
}

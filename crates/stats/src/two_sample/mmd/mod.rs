//! The maximum mean discrepancy: how far are two samples apart, in all components at once?
//!
//! With n rows x of the reference, m rows y of the current sample and the kernel
//! `k(a, b) = exp(−‖a − b‖² / (2σ²))`, the unbiased estimate is
//!
//! ```text
//! MMD² = Σ_{i≠j} k(x_i, x_j) / (n(n − 1)) + Σ_{i≠j} k(y_i, y_j) / (m(m − 1)) − 2/(nm) · Σ_ij k(x_i, y_j)
//! ```
//!
//! It is near 0, and as often below, where both are from one distribution. Its p-value is from
//! permutations, which call other rows of the pooled sample current. All of them take one matrix product:
//! with the kernel matrix `K` of the pooled rows, its diagonal 0, and a matrix `U` of a column a
//! permutation, 1 where a row is called current and 0 elsewhere, column b of `U ∘ KU` sums to
//! `Σ_{i≠j} k(y_i, y_j)`, and the other two sums follow from it and from the row sums of `K`. `K` is
//! symmetric, so that its lower triangle is enough, for half the work.
//!
//! Source: Gretton, Borgwardt, Rasch, Schölkopf, Smola, “A kernel two-sample test”, JMLR 13, 2012.

mod bandwidth;
mod distances;

use fastrand::Rng;
use ndarray::linalg::general_mat_mul;
use ndarray::{Array1, Array2, ArrayView2, Axis, s};

pub use self::bandwidth::Bandwidth;
use self::distances::{BLOCK_ROWS, apply_kernel, squared_distances};
use super::parallel::in_parallel;
use super::permutation::draw;
use super::strata::{Comparison, Stratum};
use crate::error::{Error, Result};

/// Two samples as MMD sees them: the kernel between all rows.
#[derive(Debug, Clone)]
pub struct Mmd {
    /// `K` below its diagonal, 0 elsewhere; (n + m) x (n + m), the reference's rows first.
    kernel: Array2<f64>,
    /// Of the whole of `K`, and their sum.
    row_sums: Array1<f64>,
    total: f64,
    n: usize,
    m: usize,
    sigma: f64,
}

impl Mmd {
    /// Compares `reference` (n x d) with `current` (m x d), in double precision. Takes O((n + m)² d) and
    /// 8 (n + m)² bytes.
    ///
    /// Where the median distance is 0, the root of half the mean squared distance is σ instead.
    ///
    /// # Errors
    ///
    /// [`Error::SampleTooSmall`] for fewer than two rows in either; [`Error::WrongDimension`];
    /// [`Error::NotFinite`]; [`Error::InvalidArgument`] for a fixed σ that is not positive and finite.
    pub fn new(
        reference: ArrayView2<'_, f32>,
        current: ArrayView2<'_, f32>,
        bandwidth: Bandwidth,
    ) -> Result<Self> {
        let all = [Stratum::all(reference.nrows(), current.nrows())];
        let samples = Comparison { reference, current, strata: &all, permutations: 0 };
        samples.check()?;
        check_sizes(reference.nrows(), current.nrows())?;
        Self::of_pooled(&samples.pooled(&all[0]), reference.nrows(), bandwidth)
    }

    /// Of the first `n` of `rows` against the rest, of which either may be too few for an estimate: it is 0 then.
    pub(super) fn of_pooled(rows: &Array2<f32>, n: usize, bandwidth: Bandwidth) -> Result<Self> {
        let m = rows.nrows() - n;
        if rows.nrows() < 2 {
            let (sample, found) = ("the two samples together".into(), rows.nrows());
            return Err(Error::SampleTooSmall { sample, required: 2, found });
        }
        let mut kernel = squared_distances(rows);
        let sigma = bandwidth.sigma(&kernel)?;
        apply_kernel(&mut kernel, sigma);
        let row_sums = kernel.sum_axis(Axis(1)) + kernel.sum_axis(Axis(0));
        let total = row_sums.sum();
        Ok(Self { kernel, row_sums, total, n, m, sigma })
    }

    /// The bandwidth σ of the kernel.
    #[must_use]
    pub fn sigma(&self) -> f64 {
        self.sigma
    }

    /// The unbiased estimate of MMD²; it may be negative.
    #[must_use]
    pub fn mmd2(&self) -> f64 {
        let x = 2.0 * self.kernel.slice(s![..self.n, ..self.n]).sum();
        let y = 2.0 * self.kernel.slice(s![self.n.., self.n..]).sum();
        let across = self.kernel.slice(s![self.n.., ..self.n]).sum();
        Weighed::new([x, y, across], self.n as f64, self.m as f64).mmd2
    }

    /// MMD² for each column of `current` ((n + m) x B), where 1 marks the rows that are called current, 0 the others.
    #[must_use]
    pub fn mmd2_of(&self, current: ArrayView2<'_, f64>) -> Vec<f64> {
        self.of_marks(current).into_iter().map(|found| found.mmd2).collect()
    }

    /// MMD² of `permutations` random relabelings.
    pub fn random_permutations(&self, permutations: usize, random: &mut Rng) -> Vec<f64> {
        let divisions = draw(self.n + self.m, self.m, permutations, random);
        self.of_divisions(&divisions).into_iter().map(|found| found.mmd2).collect()
    }

    /// The estimate for each way to call rows current, whatever their number.
    pub(super) fn of_divisions(&self, divisions: &[Vec<bool>]) -> Vec<Weighed> {
        let marks = Array2::from_shape_fn((self.n + self.m, divisions.len()), |(row, division)| {
            f64::from(divisions[division][row])
        });
        self.of_marks(marks.view())
    }

    fn of_marks(&self, current: ArrayView2<'_, f64>) -> Vec<Weighed> {
        let columns = |range| self.of_columns(current.slice(s![.., range]));
        in_parallel(current.ncols(), columns).concat()
    }

    fn of_columns(&self, current: ArrayView2<'_, f64>) -> Vec<Weighed> {
        let mut within_current = Array1::<f64>::zeros(current.ncols());
        let mut product = Array2::zeros((BLOCK_ROWS, current.ncols()));
        let blocks = self.kernel.axis_chunks_iter(Axis(0), BLOCK_ROWS);
        for (block, first) in blocks.zip((0..).step_by(BLOCK_ROWS)) {
            let (rows, end) = (block.nrows(), first + block.nrows());
            let mut product = product.slice_mut(s![..rows, ..]);
            let (block, above) = (block.slice(s![.., ..end]), current.slice(s![..end, ..]));
            general_mat_mul(2.0, &block, &above, 0.0, &mut product);
            product *= &current.slice(s![first..end, ..]);
            within_current += &product.sum_axis(Axis(0));
        }
        let from_current = current.t().dot(&self.row_sums);
        let sizes = current.sum_axis(Axis(0));
        let sums = within_current.iter().zip(&from_current).zip(&sizes);
        let estimates = sums.map(|((&y, &from_current), &m)| {
            let across = from_current - y;
            let x = self.total - from_current - across;
            Weighed::new([x, y, across], self.kernel.nrows() as f64 - m, m)
        });
        estimates.collect()
    }
}

/// An estimate of MMD², and what it weighs among those of several classes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weighed {
    mmd2: f64,
    /// `nm/(n + m)`
    weight: f64,
}

impl Weighed {
    /// From the sums over ordered pairs within the reference, within the current rows, and across. Of fewer
    /// than two rows in either there is no estimate, and 0 stands for it.
    fn new([x, y, across]: [f64; 3], n: f64, m: f64) -> Self {
        if n < 2.0 || m < 2.0 {
            return Self { mmd2: 0.0, weight: 0.0 };
        }
        let mmd2 = x / (n * (n - 1.0)) + y / (m * (m - 1.0)) - 2.0 * across / (n * m);
        Self { mmd2, weight: n * m / (n + m) }
    }

    pub(super) fn weighed(self) -> f64 {
        self.weight * self.mmd2
    }

    /// Of the samples as they are.
    pub(super) fn observed(mmd: &Mmd) -> Self {
        let (n, m) = (mmd.n as f64, mmd.m as f64);
        Self { mmd2: mmd.mmd2(), weight: n * m / (n + m) }
    }
}

/// Both samples have rows enough for an estimate.
pub(super) fn check_sizes(n: usize, m: usize) -> Result<()> {
    for (sample, found) in [("reference", n), ("current", m)] {
        if found < 2 {
            let sample = format!("the {sample} sample");
            return Err(Error::SampleTooSmall { sample, required: 2, found });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    fn normal(random: &mut Rng, rows: usize, columns: usize, shift: f64) -> Array2<f32> {
        // Irwin–Hall: near enough to normal for a test, and no crate needed.
        #[expect(clippy::cast_possible_truncation)]
        let mut value = || ((0..12).map(|_| random.f64()).sum::<f64>() - 6.0 + shift) as f32;
        Array2::from_shape_simple_fn((rows, columns), &mut value)
    }

    /// By the definition, pair by pair.
    fn by_pairs(x: &Array2<f32>, y: &Array2<f32>, sigma: f64) -> f64 {
        let kernel = |a: ndarray::ArrayView1<'_, f32>, b: ndarray::ArrayView1<'_, f32>| {
            let squares = a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2));
            (-squares.sum::<f64>() / (2.0 * sigma * sigma)).exp()
        };
        let mean_within = |rows: &Array2<f32>| {
            let mut sum = 0.0;
            for (i, a) in rows.rows().into_iter().enumerate() {
                for (j, b) in rows.rows().into_iter().enumerate() {
                    sum += if i == j { 0.0 } else { kernel(a, b) };
                }
            }
            sum / (rows.nrows() * (rows.nrows() - 1)) as f64
        };
        let mut across = 0.0;
        for a in x.rows() {
            for b in y.rows() {
                across += kernel(a, b);
            }
        }
        mean_within(x) + mean_within(y) - 2.0 * across / (x.nrows() * y.nrows()) as f64
    }

    #[test]
    fn estimates_are_those_of_the_definition() {
        let mut random = Rng::with_seed(3);
        let (x, y) = (normal(&mut random, 13, 5, 0.0), normal(&mut random, 7, 5, 0.4));
        for bandwidth in [Bandwidth::PooledMedian, Bandwidth::Fixed(0.7)] {
            let mmd = Mmd::new(x.view(), y.view(), bandwidth).unwrap();
            let expected = by_pairs(&x, &y, mmd.sigma());
            assert!((mmd.mmd2() - expected).abs() < 1e-13, "{bandwidth}");
            // The other way round it is the same distance.
            let other = Mmd::new(y.view(), x.view(), Bandwidth::Fixed(mmd.sigma())).unwrap().mmd2();
            assert!((mmd.mmd2() - other).abs() < 1e-13, "{bandwidth}");
        }
    }

    /// Far from 0 the products that distances are made of are large, and their differences small.
    #[test]
    fn an_offset_changes_nothing_and_equal_rows_are_at_distance_0() {
        let mut random = Rng::with_seed(6);
        // Multiples of 1/64, so that float32 holds them beside the offset.
        let rows = |random: &mut Rng, rows| {
            normal(random, rows, 6, 0.0).mapv(|value| (value * 64.0).round() / 64.0)
        };
        let (x, y) = (rows(&mut random, 20), rows(&mut random, 15));
        let near = Mmd::new(x.view(), y.view(), Bandwidth::PooledMedian).unwrap();
        let (x, y) = (x + 30_000.0, y + 30_000.0);
        let far = Mmd::new(x.view(), y.view(), Bandwidth::PooledMedian).unwrap();
        assert!((near.mmd2() - far.mmd2()).abs() < 1e-12, "{} {}", near.mmd2(), far.mmd2());
        // One outlier, which no centering takes away; the others are of two kinds.
        let mut x =
            Array2::<f32>::from_shape_fn((12, 3), |(row, _)| if row % 2 == 0 { 0.1 } else { 0.7 });
        x.row_mut(0).fill(1e6);
        let distances = squared_distances(&x);
        assert_eq!((distances[[4, 2]], distances[[7, 5]]), (0.0, 0.0));
        let apart = 3.0 * (f64::from(0.7_f32) - f64::from(0.1_f32)).powi(2);
        assert!((distances[[3, 2]] / apart - 1.0).abs() < 1e-12);
    }

    #[test]
    fn equal_rows_and_wrong_input_are_told() {
        let ones = Array2::<f32>::ones((3, 2));
        let mmd = Mmd::new(ones.view(), ones.view(), Bandwidth::PooledMedian).unwrap();
        assert_eq!((mmd.mmd2(), mmd.sigma()), (0.0, 1.0));
        let code = |x: Array2<f32>, bandwidth| {
            Mmd::new(ones.view(), x.view(), bandwidth).unwrap_err().code()
        };
        assert_eq!(code(array![[1.0, 1.0]], Bandwidth::default()), "sample_too_small");
        assert_eq!(code(array![[1.0], [2.0]], Bandwidth::default()), "wrong_dimension");
        assert_eq!(code(array![[1.0, f32::NAN], [1.0, 1.0]], Bandwidth::default()), "not_finite");
        assert_eq!(code(ones.clone(), Bandwidth::Fixed(0.0)), "invalid_argument");
    }
}

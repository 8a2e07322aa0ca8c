//! The mean L1 distance from a query to every reference row, without visiting every row.

use ndarray::Array2;

use crate::error::{Error, Result};

/// `score(q) = (1/N) Σ_i Σ_j |q_j − x_ij|`, over all `N` reference rows and `D` components.
///
/// The sum over rows splits by component, and within one component the rows below `q_j` contribute
/// `c·q_j − Σ x` and those above `Σ x − (N − c)·q_j`. With every column sorted and its prefix sums
/// kept, a query costs `D` binary searches, O(D log N) instead of O(D·N), and the answer is exact up
/// to rounding (sums in f64, taken relative to the column's median, so that columns far from zero
/// lose no digits).
///
/// Memory: 12 bytes a component and row, `12·N·D`: 4.6 MB for 300 x 1280, 614 MB for 100,000 x 512.
#[derive(Debug, Clone)]
pub struct MeanL1 {
    rows: usize,
    columns: Vec<Column>,
}

#[derive(Debug, Clone)]
struct Column {
    /// Ascending.
    values: Box<[f32]>,
    /// `prefix[c]` is the sum of the first `c` values, each less the median; one longer than `values`.
    prefix: Box<[f64]>,
    median: f64,
}

impl MeanL1 {
    /// Sorts the columns of `reference`, N x D.
    ///
    /// # Errors
    ///
    /// [`Error::EmptyReference`] without rows, [`Error::NotFinite`] for NaN or infinity.
    pub fn new(reference: &Array2<f32>) -> Result<Self> {
        if reference.nrows() == 0 {
            return Err(Error::EmptyReference);
        }
        for (row, values) in reference.rows().into_iter().enumerate() {
            if let Some(position) = values.iter().position(|value| !value.is_finite()) {
                return Err(Error::NotFinite {
                    vector: format!("reference row {row}"),
                    position,
                    value: values[position],
                });
            }
        }
        let columns = reference.columns().into_iter().map(|column| Column::new(column.to_vec()));
        Ok(Self { rows: reference.nrows(), columns: columns.collect() })
    }

    /// The mean L1 distance of `query` (raw, not normalized) to the reference rows.
    ///
    /// # Errors
    ///
    /// [`Error::WrongDimension`], [`Error::NotFinite`].
    pub fn score(&self, query: &[f32]) -> Result<f64> {
        crate::score::check_embedding(query, self.columns.len())?;
        let total: f64 =
            self.columns.iter().zip(query).map(|(column, value)| column.distance_sum(*value)).sum();
        Ok(total / self.rows as f64)
    }
}

impl Column {
    fn new(mut values: Vec<f32>) -> Self {
        values.sort_unstable_by(f32::total_cmp);
        let median = f64::from(values[values.len() / 2]);
        let mut prefix = Vec::with_capacity(values.len() + 1);
        let mut sum = 0.0;
        prefix.push(sum);
        for value in &values {
            sum += f64::from(*value) - median;
            prefix.push(sum);
        }
        Self { values: values.into(), prefix: prefix.into(), median }
    }

    /// `Σ_i |value − x_i|`.
    fn distance_sum(&self, value: f32) -> f64 {
        let below = self.values.partition_point(|x| *x < value);
        let above = self.values.len() - below;
        let total = self.prefix[self.values.len()];
        let centered = f64::from(value) - self.median;
        let sum_below = below as f64 * centered - self.prefix[below];
        let sum_above = (total - self.prefix[below]) - above as f64 * centered;
        sum_below.max(0.0) + sum_above.max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    fn naive(reference: &Array2<f32>, query: &[f32]) -> f64 {
        let row_distance = |row: ndarray::ArrayView1<'_, f32>| -> f64 {
            row.iter().zip(query).map(|(x, q)| (f64::from(*q) - f64::from(*x)).abs()).sum()
        };
        reference.rows().into_iter().map(row_distance).sum::<f64>() / reference.nrows() as f64
    }

    #[test]
    fn agrees_with_the_definition() {
        let reference = array![[0.0_f32, 1.0], [2.0, -1.0], [2.0, 5.0]];
        let fast = MeanL1::new(&reference).unwrap();
        for query in [[0.0, 0.0], [2.0, 1.0], [-3.0, 9.0], [2.0, 5.0]] {
            assert_eq!(fast.score(&query).unwrap(), naive(&reference, &query));
        }
        assert_eq!(fast.score(&[0.0, 0.0]).unwrap(), 11.0 / 3.0);
    }

    #[test]
    fn a_column_far_from_zero_loses_no_digits() {
        let reference = array![[1e30_f32], [1e30], [1e30]];
        let fast = MeanL1::new(&reference).unwrap();
        assert_eq!(fast.score(&[1e30]).unwrap(), 0.0);
        let query = [1e30_f32.next_up()];
        assert_eq!(fast.score(&query).unwrap(), naive(&reference, &query));
    }

    #[test]
    fn refuses_what_has_no_distance() {
        let empty = Array2::<f32>::zeros((0, 3));
        assert!(matches!(MeanL1::new(&empty), Err(Error::EmptyReference)));
        let bad = array![[0.0_f32, 1.0], [f32::NAN, 1.0]];
        assert!(matches!(MeanL1::new(&bad), Err(Error::NotFinite { position: 0, .. })));
        let fast = MeanL1::new(&array![[0.0_f32, 1.0]]).unwrap();
        assert!(matches!(fast.score(&[1.0]), Err(Error::WrongDimension { .. })));
        assert!(matches!(fast.score(&[1.0, f32::INFINITY]), Err(Error::NotFinite { .. })));
    }
}

//! Row checks that every vector passes before FAISS sees it, and division by the Euclidean norm.

use std::borrow::Cow;
use std::fmt;

use ndarray::{Array2, ArrayView1, ArrayView2, CowArray, Ix2};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::limits::MAX_NORM;

/// What is done to embeddings before they are stored and to queries before they are searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Normalization {
    /// Nothing: distances are Euclidean distances of the embeddings as they are.
    None,
    /// Division by the Euclidean norm, as for the k-nearest-neighbor score of
    /// [Sun et al. 2022](https://arxiv.org/abs/2204.06507). A zero vector stays zero.
    L2,
}

impl fmt::Display for Normalization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::L2 => "l2",
        })
    }
}

/// The Euclidean norm, summed in double precision: no `f32` input overflows it.
pub(crate) fn norm(row: ArrayView1<'_, f32>) -> f64 {
    row.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt()
}

/// Refuses NaN and infinities.
pub(crate) fn check_finite(what: &'static str, rows: ArrayView2<'_, f32>) -> Result<()> {
    for (row, values) in rows.outer_iter().enumerate() {
        if let Some(column) = values.iter().position(|x| !x.is_finite()) {
            return Err(Error::NotFinite { what, row, column, value: values[column] });
        }
    }
    Ok(())
}

/// Refuses NaN, infinities and vectors whose squared distances could overflow.
pub(crate) fn check_rows(what: &'static str, rows: ArrayView2<'_, f32>) -> Result<()> {
    check_finite(what, rows)?;
    for (row, values) in rows.outer_iter().enumerate() {
        let norm = norm(values);
        if norm > MAX_NORM {
            return Err(Error::NormTooLarge { what, row, norm });
        }
    }
    Ok(())
}

/// Writes `row / norm` into `out`, rounded once; a zero norm leaves the row as it is.
#[expect(clippy::cast_possible_truncation, reason = "rounding to f32 is the point")]
pub(crate) fn scale_down(row: ArrayView1<'_, f32>, norm: f64, mut out: impl FnMut(f32)) {
    for &x in row {
        out(if norm > 0.0 { (f64::from(x) / norm) as f32 } else { x });
    }
}

/// Queries as they are to be searched, checked. Borrowed where nothing has to change.
pub(crate) fn prepare_queries(
    normalization: Normalization,
    queries: ArrayView2<'_, f32>,
) -> Result<CowArray<'_, f32, Ix2>> {
    match normalization {
        Normalization::None => {
            check_rows("queries", queries)?;
            Ok(queries.into())
        }
        Normalization::L2 => {
            check_finite("queries", queries)?;
            let mut unit = Vec::with_capacity(queries.len());
            for query in queries.outer_iter() {
                scale_down(query, norm(query), |x| unit.push(x));
            }
            let unit = Array2::from_shape_vec(queries.raw_dim(), unit)
                .map_err(|error| Error::contents(error.to_string()))?;
            Ok(unit.into())
        }
    }
}

/// A row as a store keeps it, as something that can be looked up: equal for embeddings that no search tells apart.
///
/// The same image through the same model has the same one, whatever its file is called and however it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RowKey([u8; 32]);

impl RowKey {
    /// Of an embedding as a model made it.
    #[must_use]
    pub fn new(normalization: Normalization, embedding: ArrayView1<'_, f32>) -> Self {
        match normalization {
            Normalization::None => Self::of_values(embedding.iter().copied()),
            Normalization::L2 => {
                let mut unit = Vec::with_capacity(embedding.len());
                scale_down(embedding, norm(embedding), |x| unit.push(x));
                Self::of_values(unit.into_iter())
            }
        }
    }

    /// Of a row that a store has already.
    pub(crate) fn of_stored(row: ArrayView1<'_, f32>) -> Self {
        Self::of_values(row.iter().copied())
    }

    fn of_values(values: impl Iterator<Item = f32>) -> Self {
        // Both zeros are the same number.
        let bytes: Vec<u8> = values.flat_map(|x| (x + 0.0).to_le_bytes()).collect();
        Self(Sha256::digest(bytes).into())
    }
}

/// The values of a matrix row by row in one slice; copied only when they do not lie that way.
pub(crate) fn contiguous(rows: ArrayView2<'_, f32>) -> Cow<'_, [f32]> {
    match rows.to_slice() {
        Some(values) => Cow::Borrowed(values),
        None => Cow::Owned(rows.iter().copied().collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{array, aview1};

    #[test]
    fn a_key_is_that_of_the_stored_row() {
        let key = |normalization, row: [f32; 2]| RowKey::new(normalization, aview1(&row));
        let (none, l2) = (Normalization::None, Normalization::L2);
        assert_eq!(key(none, [3.0, 4.0]), key(none, [3.0, 4.0]));
        assert_ne!(key(none, [3.0, 4.0]), key(none, [6.0, 8.0]));
        assert_eq!(key(l2, [3.0, 4.0]), key(l2, [6.0, 8.0]));
        assert_ne!(key(l2, [3.0, 4.0]), key(l2, [3.0, 4.000001]));
        assert_eq!(key(none, [0.0, 1.0]), key(none, [-0.0, 1.0]));
        // Too close for a squared distance in 32 bits.
        assert_ne!(key(none, [1e-30, 0.0]), key(none, [2e-30, 0.0]));
        assert_eq!(RowKey::of_stored(aview1(&[0.6, 0.8])), key(l2, [3.0, 4.0]));
    }

    #[test]
    fn unit_queries_have_norm_one_and_zero_stays_zero() -> Result<()> {
        let queries = array![[3.0_f32, 4.0], [0.0, 0.0], [f32::MAX, f32::MAX], [1e-45, 0.0]];
        let unit = prepare_queries(Normalization::L2, queries.view())?;
        assert_eq!(unit.row(0).to_vec(), [0.6, 0.8]);
        assert_eq!(unit.row(1).to_vec(), [0.0, 0.0]);
        assert!((norm(unit.row(2)) - 1.0).abs() < 1e-7);
        assert_eq!(unit.row(3).to_vec(), [1.0, 0.0]);
        Ok(())
    }

    #[test]
    fn the_longest_accepted_vectors_keep_finite_distances() {
        // The largest possible distance: opposite vectors, both of the greatest norm.
        let squared = (2.0 * MAX_NORM) * (2.0 * MAX_NORM);
        assert!(squared < f64::from(f32::MAX) / 2.0);
    }
}

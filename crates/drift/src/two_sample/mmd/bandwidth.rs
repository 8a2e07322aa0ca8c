//! The width of the kernel.

use std::fmt;

use ndarray::{Array2, s};

use crate::error::{Error, Result};

/// How σ is chosen. Bandwidths differ between implementations, and with them the statistic.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Bandwidth {
    /// `pooled-median`: `σ = √(v / 2)`, v the lower median of the squared distances between distinct rows
    /// of the pooled sample. It is the same for every permutation, so that their p-value is exact.
    #[default]
    PooledMedian,
    /// `reference-median`: the same among the reference rows alone, as alibi-detect does by default. It
    /// depends on which rows are the reference, and stays that of the observed samples in permutations.
    ReferenceMedian,
    /// `cross-median`: the same over the n · m squared distances between reference and current rows.
    CrossMedian,
    /// This σ.
    Fixed(f64),
}

impl fmt::Display for Bandwidth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PooledMedian => f.pad("pooled-median"),
            Self::ReferenceMedian => f.pad("reference-median"),
            Self::CrossMedian => f.pad("cross-median"),
            Self::Fixed(sigma) => write!(f, "{sigma}"),
        }
    }
}

impl Bandwidth {
    /// σ for these squared distances, the first `n` rows being the reference.
    pub(super) fn sigma(self, distances: &Array2<f64>, n: usize) -> Result<f64> {
        let median = |mut values: Vec<f64>, position: usize| {
            let (_, median, _) = values.select_nth_unstable_by(position, f64::total_cmp);
            let median = *median;
            // More than half of the rows are the same; where all are, every kernel value is 1.
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            let scale = if median > 0.0 { median } else { mean };
            if scale > 0.0 { (scale / 2.0).sqrt() } else { 1.0 }
        };
        let among = |rows: usize| {
            let row = |i: usize| distances.slice(s![i, ..i]).to_vec();
            let values: Vec<f64> = (0..rows).flat_map(row).collect();
            let position = (values.len() - 1) / 2;
            median(values, position)
        };
        match self {
            Self::PooledMedian => Ok(among(distances.nrows())),
            Self::ReferenceMedian => Ok(among(n)),
            Self::CrossMedian => {
                let values: Vec<f64> = distances.slice(s![n.., ..n]).iter().copied().collect();
                let position = (values.len() / 2).saturating_sub(1);
                Ok(median(values, position))
            }
            Self::Fixed(sigma) if sigma > 0.0 && sigma.is_finite() => Ok(sigma),
            Self::Fixed(found) => Err(Error::InvalidBandwidth { found }),
        }
    }
}

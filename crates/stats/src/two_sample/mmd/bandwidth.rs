//! The width of the kernel.

use std::fmt;

use ndarray::{Array2, s};

use crate::error::{Error, Result};

/// How σ is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Bandwidth {
    /// `pooled-median`: `σ = √(v / 2)`, v the lower median of the squared distances between distinct rows
    /// of the pooled sample. It is the same for every permutation, so that their p-value is exact.
    #[default]
    PooledMedian,
    /// This σ.
    Fixed(f64),
}

impl fmt::Display for Bandwidth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PooledMedian => f.pad("pooled-median"),
            Self::Fixed(sigma) => write!(f, "{sigma}"),
        }
    }
}

impl Bandwidth {
    /// σ for these squared distances between the rows of the pooled sample.
    pub(super) fn sigma(self, distances: &Array2<f64>) -> Result<f64> {
        match self {
            Self::PooledMedian => Ok(pooled_median(distances)),
            Self::Fixed(sigma) if sigma > 0.0 && sigma.is_finite() => Ok(sigma),
            Self::Fixed(found) => {
                Err(Error::invalid_argument("sigma", "a positive, finite number", found))
            }
        }
    }
}

fn pooled_median(distances: &Array2<f64>) -> f64 {
    let row = |i: usize| distances.slice(s![i, ..i]).to_vec();
    let mut values: Vec<f64> = (0..distances.nrows()).flat_map(row).collect();
    let middle = (values.len() - 1) / 2;
    let (_, median, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    let median = *median;
    // More than half of the rows are the same; where all are, every kernel value is 1.
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let scale = if median > 0.0 { median } else { mean };
    if scale > 0.0 { (scale / 2.0).sqrt() } else { 1.0 }
}

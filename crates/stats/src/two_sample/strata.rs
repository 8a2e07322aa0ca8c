//! Comparing like with like: rows of both samples by their predicted class.

use std::collections::BTreeMap;

use ndarray::{Array2, ArrayView2, Axis};

use crate::error::{Error, Result};

/// The rows of one class in both samples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stratum {
    /// The class; `None` where rows are not told apart.
    pub class: Option<String>,
    /// Rows of the reference sample.
    pub reference: Vec<usize>,
    /// Rows of the current sample.
    pub current: Vec<usize>,
}

/// Two samples, and which of their rows are compared with which.
#[derive(Debug, Clone, Copy)]
pub struct Comparison<'a> {
    /// The reference sample, n x d.
    pub reference: ArrayView2<'a, f32>,
    /// The current sample, m x d.
    pub current: ArrayView2<'a, f32>,
    /// The rows that are compared with each other.
    pub strata: &'a [Stratum],
    /// Random relabelings, where a p-value takes them.
    pub permutations: usize,
}

impl Stratum {
    /// All rows of both samples, whatever their class.
    #[must_use]
    pub fn all(reference: usize, current: usize) -> Self {
        Self { class: None, reference: (0..reference).collect(), current: (0..current).collect() }
    }

    /// One stratum a class, in alphabetical order; classes of either sample alone have no rows of the
    /// other.
    #[must_use]
    pub fn by_class(reference: &[&str], current: &[&str]) -> Vec<Self> {
        let mut strata: BTreeMap<&str, (Vec<usize>, Vec<usize>)> = BTreeMap::new();
        for (row, class) in reference.iter().enumerate() {
            strata.entry(class).or_default().0.push(row);
        }
        for (row, class) in current.iter().enumerate() {
            strata.entry(class).or_default().1.push(row);
        }
        let stratum = |(class, (reference, current)): (&str, _)| Self {
            class: Some(class.to_owned()),
            reference,
            current,
        };
        strata.into_iter().map(stratum).collect()
    }
}

impl Comparison<'_> {
    /// Both samples have rows of the same number of finite values, and there is something to compare.
    pub(super) fn check(&self) -> Result<()> {
        let (expected, found) = (self.reference.ncols(), self.current.ncols());
        if expected != found {
            return Err(Error::WrongDimension { expected, found });
        }
        for (sample, rows) in [("reference", self.reference), ("current", self.current)] {
            for (row, values) in rows.rows().into_iter().enumerate() {
                if let Some(position) = values.iter().position(|value| !value.is_finite()) {
                    let vector = format!("row {row} of the {sample} sample");
                    let value = f64::from(values[position]);
                    return Err(Error::NotFinite { vector, position, value });
                }
            }
        }
        check_strata(self.strata)
    }

    /// The rows of a stratum, the reference's first.
    pub(super) fn pooled(&self, stratum: &Stratum) -> Array2<f32> {
        let mut pooled = self.reference.select(Axis(0), &stratum.reference);
        let current = self.current.select(Axis(0), &stratum.current);
        if pooled.append(Axis(0), current.view()).is_err() {
            debug_assert!(false, "samples of different dimensions");
        }
        pooled
    }
}

pub(super) fn check_strata(strata: &[Stratum]) -> Result<()> {
    if strata.is_empty() {
        let sample = "the classes to compare".into();
        return Err(Error::SampleTooSmall { sample, required: 1, found: 0 });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_found_by_class() {
        let strata = Stratum::by_class(&["b", "a", "b"], &["c", "b"]);
        let rows: Vec<_> = strata
            .iter()
            .map(|stratum| {
                (stratum.class.as_deref().unwrap(), &*stratum.reference, &*stratum.current)
            })
            .collect();
        assert_eq!(rows, [("a", &[1][..], &[][..]), ("b", &[0, 2], &[1]), ("c", &[], &[0])]);
    }
}

//! A full check of a store, for a person or a job that wants to know before serving from it.

use std::path::Path;

use crate::error::{Error, Result};
use crate::file_store::FileStore;
use crate::layout::{FileEntry, Manifest};
use crate::normalize::{Normalization, norm};
use crate::store::{Filter, LabelCount, ReferenceStore};

/// How far a stored unit vector's norm may be from 1: ten times what rounding in single precision
/// can do.
const UNIT_TOLERANCE: f64 = 1e-5;

/// What [`verify()`] found in a sound store.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct Verification {
    /// The store's manifest.
    pub manifest: Manifest,
    /// The labels with their numbers of rows, in the order of the rows.
    pub labels: Vec<LabelCount>,
    /// The length of all data files together.
    pub bytes: u64,
    /// The smallest Euclidean norm of an embedding as it was given.
    pub min_norm: f64,
    /// The largest one.
    pub max_norm: f64,
    /// How many embeddings are zero vectors. More than a few speak for a broken model.
    pub zero_rows: usize,
}

/// Opens the store in `dir` with all its checks, and checks every row on top: with normalization
/// l2, that it has length 1, or is zero where its norm is 0.
///
/// # Errors
///
/// As [`FileStore::open`], and [`Error::Damaged`] for a row of another length.
pub fn verify(dir: &Path) -> Result<Verification> {
    let store = FileStore::open(dir)?;
    let manifest = store.manifest().clone();
    let stored: Vec<f64> = store
        .groups(Filter::All)
        .flat_map(|group| group.index.rows().outer_iter().map(norm).collect::<Vec<_>>())
        .collect();
    let given = match manifest.normalization {
        Normalization::None => stored.as_slice(),
        Normalization::L2 => {
            check_unit(&dir.join(&manifest.index.file), &stored, store.norms())?;
            store.norms()
        }
    };
    Ok(Verification {
        labels: store.labels(),
        bytes: manifest.files().map(|FileEntry { bytes, .. }| bytes).sum(),
        min_norm: given.iter().copied().fold(f64::INFINITY, f64::min),
        max_norm: given.iter().copied().fold(0.0, f64::max),
        zero_rows: given.iter().filter(|&&norm| norm == 0.0).count(),
        manifest,
    })
}

fn check_unit(path: &Path, stored: &[f64], given: &[f64]) -> Result<()> {
    for (row, (&length, &norm)) in stored.iter().zip(given).enumerate() {
        let expected = if norm > 0.0 { 1.0 } else { 0.0 };
        if (length - expected).abs() > UNIT_TOLERANCE {
            let reason = format!("expected length {expected} at row {row}, found {length}");
            return Err(Error::damaged(path, reason));
        }
    }
    Ok(())
}

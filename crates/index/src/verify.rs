//! A full check of a store, for a person or a job that wants to know before serving from it.

use crate::file_store::{FileStore, LabelCount};
use crate::layout::{FileEntry, Manifest};
use crate::normalize::{Normalization, norm};

/// What is in a sound store, summed up.
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

impl Verification {
    /// Of a store that was opened, and thereby checked.
    #[must_use]
    pub fn of(store: &FileStore) -> Self {
        let manifest = store.manifest().clone();
        let stored = store.rows.of_each(norm);
        let given = match manifest.normalization {
            Normalization::None => stored.as_slice(),
            Normalization::L2 => store.norms(),
        };
        Self {
            labels: store.labels(),
            bytes: manifest.files().map(|FileEntry { bytes, .. }| bytes).sum(),
            min_norm: given.iter().copied().fold(f64::INFINITY, f64::min),
            max_norm: given.iter().copied().fold(0.0, f64::max),
            zero_rows: given.iter().filter(|&&norm| norm == 0.0).count(),
            manifest,
        }
    }
}

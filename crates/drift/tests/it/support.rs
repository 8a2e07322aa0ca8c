//! Drawn numbers and stores.

#![allow(dead_code, reason = "the tests of drift-index use it, too, and not all of it")]

use std::collections::BTreeMap;
use std::path::Path;

use ndarray::Array2;
use sdd_index::{FileStore, Normalization, Record, StoreContents};
use tempfile::TempDir;

/// A folder that is gone after the test.
pub fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// A store of `rows` with ids `0`, `1`, … and these labels, or none if there are no labels.
pub fn store(
    folder: &Path,
    rows: Array2<f32>,
    normalization: Normalization,
    labels: &[&str],
    attachments: &[(&str, Vec<u8>)],
) -> FileStore {
    let record = |row: usize| Record {
        id: row.to_string(),
        label: labels.get(row).map(|&label| label.to_owned()),
    };
    let attachments = attachments.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.clone()));
    let contents = StoreContents {
        model: None,
        normalization,
        records: (0..rows.nrows()).map(record).collect(),
        embeddings: rows,
        attachments: attachments.collect::<BTreeMap<_, _>>(),
    };
    FileStore::write(folder, &contents).unwrap();
    FileStore::open(folder).unwrap()
}

/// `SplitMix64`: the same numbers for a seed for ever, which a crate does not promise.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Uniform in [0, 1).
    #[allow(clippy::cast_precision_loss)]
    pub fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        (bits >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Standard normal, by Box and Muller.
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    #[allow(clippy::cast_possible_truncation)]
    pub fn normal_matrix(&mut self, rows: usize, columns: usize) -> Array2<f32> {
        Array2::from_shape_simple_fn((rows, columns), || self.normal() as f32)
    }
}

//! Matrices as files: read, and written whole or not at all.

use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result};
use ndarray::Array2;

use sdd_core::regular_file;
use sdd_drift::npy;

use crate::whole_file;

/// Reads a matrix of finite numbers.
pub fn read(path: &Path) -> Result<Array2<f32>> {
    let read = || -> Result<_> {
        let (file, length) = regular_file::open(path)?;
        Ok(npy::read(file, length)?)
    };
    read().with_context(|| format!("cannot read the matrix {}", path.display()))
}

/// Writes float32 numbers, N x D, row after row, to a file that has its name only once it is
/// complete. A file that was there is replaced.
pub fn write(path: &Path, matrix: &Array2<f32>) -> Result<()> {
    whole_file::write_with(path, |file| {
        let mut writer = BufWriter::new(file);
        writer.write_all(&npy::header_of_rows(matrix.dim()))?;
        for value in matrix {
            writer.write_all(&value.to_le_bytes())?;
        }
        Ok(writer.flush()?)
    })
}

//! Reading one image file.

use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result};
use sdd_core::{Error, ImageError};

/// The mark of an error that is the file's own.
#[derive(Debug, thiserror::Error)]
#[error("the file cannot be read")]
pub struct Unreadable;

/// Reads a file of at most `max_bytes`; of a longer one, nothing.
pub fn read(path: &Path, max_bytes: usize) -> Result<Vec<u8>> {
    let (file, file_length) = sdd_core::regular_file::open(path).context(Unreadable)?;
    let length = usize::try_from(file_length).unwrap_or(usize::MAX);
    if length > max_bytes {
        return Err(
            Error::from(ImageError::TooManyBytes { bytes: length, limit: max_bytes }).into()
        );
    }
    let mut bytes = Vec::with_capacity(length);
    // A file that grows meanwhile is cut; its decoder then finds it damaged.
    file.take(file_length).read_to_end(&mut bytes).context(Unreadable)?;
    Ok(bytes)
}

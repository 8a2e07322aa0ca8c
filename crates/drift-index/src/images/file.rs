//! Reading one image file, and what may be wrong with it alone.

use std::fmt;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result};
use sdd_core::{Error, ImageError};

/// The mark of an error that is the file's own.
#[derive(Debug)]
pub struct Unreadable;

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the file cannot be read")
    }
}

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

/// Whether the image is at fault, so that others can still be answered; otherwise it is the model.
pub fn is_to_blame(error: &Error) -> bool {
    matches!(error, Error::Image(_) | Error::Output { .. })
}

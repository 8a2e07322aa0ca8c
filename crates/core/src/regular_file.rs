//! Opening what must be a file, and not a folder, a pipe or a device.

use std::fs::{self, File};
use std::io;
use std::path::Path;

/// Opens a regular file; gives its length in bytes, too.
///
/// # Errors
/// What the operating system says, and [`io::ErrorKind::InvalidInput`] for what is not a file.
pub fn open(path: &Path) -> io::Result<(File, u64)> {
    // Before it is opened: opening a pipe waits for whoever writes to it.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a file"));
    }
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    Ok((file, length))
}

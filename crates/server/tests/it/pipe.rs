//! A named pipe in the place of a file: whoever reads it waits for whoever writes, and so the program
//! stands still where it reads, for as long as a test wants.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A pipe in a folder.
pub fn make(folder: &Path) -> PathBuf {
    let path = folder.join("pipe");
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    path
}

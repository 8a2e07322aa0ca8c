//! Images on their way into a data set: all of them or, where it does not come to that, none.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tempfile::TempDir;

use super::labels::LabeledImage;

const PREFIX: &str = ".drift-index-label-";

/// How often a new folder may be taken for one that was left behind before it can be locked.
const ATTEMPTS: usize = 10;

/// Whole files in a folder of their own, which goes with them unless they are moved to where they belong.
pub struct Staging {
    dataset: PathBuf,
    folder: TempDir,
    /// The folder, locked for as long as somebody works in it; `None` where the file system locks no folders.
    _lock: Option<File>,
    /// From the data set's folder.
    files: Vec<String>,
}

impl Staging {
    /// On the data set's file system, so that files can be moved: in the data set or, where there is none yet, in the
    /// nearest folder above it. What others left behind that were killed is removed.
    pub fn new(dataset: &Path) -> Result<Self> {
        let is_folder = |folder: &&Path| !folder.as_os_str().is_empty() && folder.is_dir();
        let above = || dataset.ancestors().skip(1).find(is_folder).unwrap_or(Path::new("."));
        let existing = if dataset.is_dir() { dataset } else { above() };
        remove_left_behind(above());
        remove_left_behind(existing);
        let (folder, lock) = new_folder(existing)
            .with_context(|| format!("cannot write into {}", existing.display()))?;
        Ok(Self { dataset: dataset.to_owned(), folder, _lock: lock, files: Vec::new() })
    }

    pub fn add(&mut self, image: &LabeledImage, bytes: &[u8]) -> Result<()> {
        let path = self.folder.path().join(self.files.len().to_string());
        let write = || -> io::Result<()> {
            let mut file = File::create_new(&path)?;
            file.write_all(bytes)?;
            // An image that is there by its name is not copied again: it must not be there without its content.
            file.sync_all()
        };
        write().with_context(|| format!("cannot write {}", path.display()))?;
        self.files.push(image.file());
        Ok(())
    }

    /// Moves all files to where they belong.
    pub fn commit(self) -> Result<()> {
        for (position, file) in self.files.iter().enumerate() {
            let target = self.dataset.join(file);
            let class = target.parent().unwrap_or(&self.dataset);
            let from = self.folder.path().join(position.to_string());
            fs::create_dir_all(class)
                .and_then(|()| fs::rename(from, &target))
                .with_context(|| format!("cannot write {}", target.display()))?;
        }
        Ok(())
    }
}

/// A folder that nobody takes for one that was left behind.
fn new_folder(above: &Path) -> io::Result<(TempDir, Option<File>)> {
    for _ in 0..ATTEMPTS {
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(above)?;
        let lock = match File::open(folder.path()) {
            Ok(lock) => lock,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        match lock.try_lock() {
            Ok(()) if folder.path().is_dir() => return Ok((folder, Some(lock))),
            Err(TryLockError::Error(_)) => return Ok((folder, None)),
            // Somebody who tidies up was faster.
            Ok(()) | Err(TryLockError::WouldBlock) => {}
        }
    }
    Err(io::Error::other("what is made there is removed at once"))
}

/// Removes the folders of those who do not work in them any more: a lock ends with its process. Where folders cannot be
/// listed or locked, nothing is known of them and they stay.
fn remove_left_behind(above: &Path) {
    let Ok(entries) = fs::read_dir(above) else { return };
    for entry in entries.flatten() {
        let is_ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
        if is_ours && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            let removed = File::open(entry.path()).and_then(|folder| {
                folder.try_lock()?;
                fs::remove_dir_all(entry.path())
            });
            // Somebody works there, or tidies up at the same time.
            drop(removed);
        }
    }
}

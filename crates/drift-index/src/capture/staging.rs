//! Images on their way into a data set: all of them or, where it does not come to that, none.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use super::labels::LabeledImage;

const PREFIX: &str = ".drift-index-label-";

/// Whole files in a folder of their own, which goes with them unless they are moved to where they belong.
pub struct Staging {
    dataset: PathBuf,
    /// Whether there was no data set: without files it goes again, too.
    is_new: bool,
    /// In the data set, so that files can be moved.
    folder: TempDir,
    /// What keeps others away from the data set, where anything does.
    _alone: Option<File>,
    /// From the data set's folder.
    files: Vec<String>,
}

impl Staging {
    /// Fails where another process writes the data set: two at once would each replace the list of the other.
    pub fn new(dataset: &Path) -> Result<Self> {
        let is_new = !dataset.is_dir();
        let place = || format!("cannot write into {}", dataset.display());
        fs::create_dir_all(dataset).with_context(place)?;
        let alone = File::open(dataset).with_context(place)?;
        let alone = match alone.try_lock() {
            Ok(()) => Some(alone),
            Err(TryLockError::WouldBlock) => bail!(
                "{} is being written by another process: wait for it to finish",
                dataset.display()
            ),
            // Some file systems lock no folders.
            Err(TryLockError::Error(_)) => None,
        };
        if alone.is_some() {
            remove_left_behind(dataset);
        }
        let folder =
            tempfile::Builder::new().prefix(PREFIX).tempdir_in(dataset).with_context(place)?;
        Ok(Self { dataset: dataset.to_owned(), is_new, folder, _alone: alone, files: Vec::new() })
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

impl Drop for Staging {
    fn drop(&mut self) {
        if self.is_new {
            // What cannot be removed is removed by the next one; a data set with files in it stays.
            let _ = fs::remove_dir_all(self.folder.path());
            let _ = fs::remove_dir(&self.dataset);
        }
    }
}

/// Removes the folders of those that were killed, as far as that can be done: nobody else is at work.
fn remove_left_behind(dataset: &Path) {
    for entry in fs::read_dir(dataset).into_iter().flatten().flatten() {
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_folder && entry.file_name().to_string_lossy().starts_with(PREFIX) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

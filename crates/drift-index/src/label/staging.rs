//! Images on their way into a data set: all of them or, where it does not come to that, none.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tempfile::TempDir;

use super::file_of;
use crate::captured::LabeledImage;

const PREFIX: &str = ".drift-index-label-";

/// Whole files in a folder of their own, which goes with them unless they are moved to where they belong.
pub struct Staging {
    dataset: PathBuf,
    folder: TempDir,
    /// From the data set's folder.
    files: Vec<String>,
}

impl Staging {
    /// On the data set's file system, so that files can be moved. Who is `alone` there removes what others left behind
    /// that were killed.
    pub fn new(dataset: &Path, alone: Option<&File>) -> Result<Self> {
        if alone.is_some() {
            remove_left_behind(dataset)
                .with_context(|| format!("cannot tidy up in {}", dataset.display()))?;
        }
        let is_folder = |folder: &&Path| !folder.as_os_str().is_empty() && folder.is_dir();
        let existing = dataset.ancestors().find(is_folder).unwrap_or(Path::new("."));
        let folder = tempfile::Builder::new()
            .prefix(PREFIX)
            .tempdir_in(existing)
            .with_context(|| format!("cannot write into {}", existing.display()))?;
        Ok(Self { dataset: dataset.to_owned(), folder, files: Vec::new() })
    }

    pub fn add(&mut self, image: &LabeledImage, bytes: &[u8]) -> Result<()> {
        let path = self.folder.path().join(self.files.len().to_string());
        let write = || -> std::io::Result<()> {
            let mut file = File::create_new(&path)?;
            file.write_all(bytes)?;
            // An image that is there by its name is not copied again: it must not be there without its content.
            file.sync_all()
        };
        write().with_context(|| format!("cannot write {}", path.display()))?;
        self.files.push(file_of(image));
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

fn remove_left_behind(dataset: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(dataset)? {
        let entry = entry?;
        let is_ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
        if is_ours && entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

//! One file of a store while it is written.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::lock::WriterLock;
use super::manifest::FileEntry;
use crate::error::{Error, Result};

/// A file that did not exist before, its length and its checksum.
pub(super) struct NewFile {
    path: PathBuf,
    name: String,
    file: BufWriter<File>,
    bytes: u64,
    hash: Sha256,
}

impl NewFile {
    /// A file that the journal lists by name. Never opens one that is there already: that is not ours.
    pub(super) fn create(dir: &Path, name: String, lock: &mut WriterLock) -> Result<Self> {
        let created = Self::create_unlisted(dir, name)?;
        lock.identify(&created.name, created.file.get_ref())?;
        Ok(created)
    }

    /// The same for a name that is always ours.
    pub(super) fn create_unlisted(dir: &Path, name: String) -> Result<Self> {
        let path = dir.join(&name);
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .custom_flags(libc::O_NOFOLLOW)
            .open(&path)
            .map_err(Error::io("create", &path))?;
        let file = BufWriter::with_capacity(1 << 20, file);
        Ok(Self { path, name, file, bytes: 0, hash: Sha256::new() })
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        self.file.write_all(bytes).map_err(Error::io("write", &self.path))
    }

    /// Returns once the bytes are on disk.
    pub(super) fn finish(mut self) -> Result<FileEntry> {
        self.file
            .flush()
            .and_then(|()| self.file.get_ref().sync_all())
            .map_err(Error::io("write", &self.path))?;
        let sha256 = format!("{:x}", self.hash.finalize());
        Ok(FileEntry { file: self.name, bytes: self.bytes, sha256 })
    }
}

//! One file of a store while it is read.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::manifest::FileEntry;
use super::regular_file;
use crate::error::{Error, Result};

/// What is read at a time.
pub(super) const BUFFER_BYTES: usize = 1 << 20;

/// Checks that a file of the store is there and what its manifest says.
pub(super) fn check_file(dir: &Path, entry: &FileEntry) -> Result<()> {
    match DataFile::open(dir, entry)? {
        Ok(file) => file.check(),
        Err(missing) => Err(missing_file(&missing)),
    }
}

pub(super) fn missing_file(path: &Path) -> Error {
    Error::damaged(path, "the manifest names this file, and it is missing")
}

/// An open data file whose length is the manifest's, hashed as it is read.
pub(super) struct DataFile {
    pub(super) path: PathBuf,
    file: File,
    pub(super) bytes: u64,
    sha256: String,
    hash: Sha256,
}

impl DataFile {
    pub(super) fn open(dir: &Path, entry: &FileEntry) -> Result<Result<Self, PathBuf>> {
        let path = dir.join(&entry.file);
        let Some(file) = regular_file::open(&path)? else {
            return Ok(Err(path));
        };
        let found = file.metadata().map_err(Error::io("examine", &path))?.len();
        if found != entry.bytes {
            let reason = format!("expected {} bytes, found {found}", entry.bytes);
            let pointer = regular_file::pointer(&path, &file);
            return Err(pointer.unwrap_or_else(|| Error::damaged(&path, reason)));
        }
        let sha256 = entry.sha256.clone();
        Ok(Ok(Self { path, file, bytes: entry.bytes, sha256, hash: Sha256::new() }))
    }

    /// Reads all of the file, at most `longest` bytes.
    pub(super) fn read_to_end(mut self, longest: u64) -> Result<Vec<u8>> {
        if self.bytes > longest {
            let found = self.bytes;
            return Err(Error::damaged(
                &self.path,
                format!("expected at most {longest} bytes, found {found}"),
            ));
        }
        let mut bytes = Vec::new();
        let expected = usize::try_from(self.bytes).unwrap_or(usize::MAX);
        reserve(&mut bytes, expected, "a file of the store")?;
        (&self.file)
            .take(self.bytes)
            .read_to_end(&mut bytes)
            .map_err(Error::io("read", &self.path))?;
        self.hash.update(&bytes);
        self.finish()?;
        Ok(bytes)
    }

    pub(super) fn read_exact(&mut self, buffer: &mut [u8]) -> Result<()> {
        self.file.read_exact(buffer).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                Error::damaged(&self.path, "it was cut short while it was being read")
            }
            _ => Error::io("read", &self.path)(error),
        })?;
        self.hash.update(buffer);
        Ok(())
    }

    /// Reads all of the file for its checksum alone.
    fn check(mut self) -> Result<()> {
        let mut buffer = vec![0; BUFFER_BYTES];
        let mut remaining = self.bytes;
        while remaining > 0 {
            let part = usize::try_from(remaining).unwrap_or(BUFFER_BYTES).min(BUFFER_BYTES);
            self.read_exact(&mut buffer[..part])?;
            remaining -= part as u64;
        }
        self.finish()
    }

    /// Compares the checksum of what was read.
    pub(super) fn finish(self) -> Result<()> {
        let found = format!("{:x}", self.hash.finalize());
        if found == self.sha256 {
            return Ok(());
        }
        let reason = format!("expected SHA-256 {}, found {found}", self.sha256);
        Err(Error::damaged(&self.path, reason))
    }
}

/// Makes room, or says that there is none.
pub(super) fn reserve<T>(values: &mut Vec<T>, count: usize, what: &'static str) -> Result<()> {
    let bytes = count.saturating_mul(size_of::<T>());
    values.try_reserve_exact(count).map_err(|_| Error::OutOfMemory { what, bytes })
}

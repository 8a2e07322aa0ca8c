//! The writer's lock, which is also its journal.
//!
//! `.lock` lists the files that a writer is about to make and to remove. A writer that is killed
//! leaves the list behind, and the next one removes exactly those files: nothing is ever removed
//! because its name looks like one of ours.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::names;
use crate::error::{Error, Result};

const FIRST_LINE: &str = "sdd-reference-store writer lock; files it may leave behind:";
const MAX_JOURNAL_BYTES: u64 = 1 << 20;

/// The exclusive right to write into a folder, given back when dropped or when the process ends.
#[derive(Debug)]
pub(super) struct WriterLock {
    path: PathBuf,
    file: File,
}

impl WriterLock {
    /// Takes the lock without waiting.
    pub(super) fn acquire(dir: &Path) -> Result<Self> {
        let path = dir.join(names::LOCK);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
            .open(&path)
            .map_err(Error::io("open", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { path, file }),
            Err(TryLockError::WouldBlock) => Err(Error::Locked { path: dir.to_owned() }),
            Err(TryLockError::Error(source)) => Err(Error::Io { action: "lock", path, source }),
        }
    }

    /// The files that earlier writers may have left behind. Empty for a new lock file; an error for
    /// a file that is no lock of ours.
    pub(super) fn journal(&mut self) -> Result<BTreeSet<String>> {
        let mut text = String::new();
        self.file.seek(SeekFrom::Start(0)).map_err(Error::io("read", &self.path))?;
        (&self.file)
            .take(MAX_JOURNAL_BYTES)
            .read_to_string(&mut text)
            .map_err(Error::io("read", &self.path))?;
        // A writer killed while it wrote this list had not made a file yet, so a list that is cut
        // short misses nothing. A last line without its end is not believed.
        let complete = text.rsplit_once('\n').map_or("", |(complete, _)| complete);
        let mut lines = complete.lines();
        match lines.next() {
            Some(FIRST_LINE) => {
                Ok(lines.filter(|name| names::is_numbered(name)).map(str::to_owned).collect())
            }
            None if FIRST_LINE.starts_with(&text) => Ok(BTreeSet::new()),
            _ => Err(Error::Occupied {
                path: self.path.parent().unwrap_or(&self.path).to_owned(),
                reason: "expected the file .lock in it to be a writer's lock, found something else"
                    .to_owned(),
            }),
        }
    }

    /// Replaces the list, and returns once it is on disk.
    pub(super) fn set_journal(&mut self, files: &BTreeSet<String>) -> Result<()> {
        let mut text = String::from(FIRST_LINE);
        text.push('\n');
        for file in files {
            text.push_str(file);
            text.push('\n');
        }
        self.file
            .set_len(0)
            .and_then(|()| self.file.seek(SeekFrom::Start(0)))
            .and_then(|_| self.file.write_all(text.as_bytes()))
            .and_then(|()| self.file.sync_all())
            .map_err(Error::io("write", &self.path))
    }
}

impl Drop for WriterLock {
    /// Closing the file is not enough: a process that another thread is just starting holds a copy
    /// of every open file until it runs its own program, and with it the lock.
    fn drop(&mut self) {
        // If this fails, closing the file gives the lock back a moment later.
        let _ = self.file.unlock();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_of_the_open_file_does_not_keep_the_lock() -> Result<()> {
        let folder = tempfile::tempdir().map_err(Error::io("create", Path::new("a folder")))?;
        let lock = WriterLock::acquire(folder.path())?;
        // What a process has between fork and exec.
        let copy = lock.file.try_clone().map_err(Error::io("copy", &lock.path))?;
        assert!(matches!(WriterLock::acquire(folder.path()), Err(Error::Locked { .. })));
        drop(lock);
        WriterLock::acquire(folder.path())?;
        drop(copy);
        Ok(())
    }
}

//! The writer's lock, which is also its journal.
//!
//! `.lock` lists the files that a writer is about to make and to remove, and which files these are once they are there.
//! A writer that is killed leaves the list behind, and the next one removes exactly those files: nothing is ever
//! removed because its name looks like one of ours, and another file under a listed name is not the one that is meant.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::names;
use crate::error::{Error, Result};

const FIRST_LINE: &str = "sdd-reference-store writer lock; files it may leave behind:";
const MAX_JOURNAL_BYTES: u64 = 1 << 20;

/// Names of files in the folder, with their [identity]. Without one a file was not there when its name was listed,
/// and has none of our bytes yet.
pub(super) type Journal = BTreeMap<String, Option<String>>;

/// Tells a file from another one that stands under its name later: its number, and when it was made, in nanoseconds
/// since 1970 (0 where the file system does not know). The number alone would not do: file systems give it to another
/// file once the first one is removed.
pub(super) fn identity(found: &Metadata) -> String {
    let created = found.created().ok();
    let since_1970 = created.and_then(|created| created.duration_since(UNIX_EPOCH).ok());
    format!("{}-{}", found.ino(), since_1970.map_or(0, |duration| duration.as_nanos()))
}

/// The exclusive right to write into a folder, given back when dropped or when the process ends.
#[derive(Debug)]
pub(super) struct WriterLock {
    path: PathBuf,
    file: File,
    journal: Journal,
}

impl WriterLock {
    /// Takes the lock without waiting, and reads what earlier writers may have left behind.
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
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::Locked { path: dir.to_owned() }),
            Err(TryLockError::Error(source)) => {
                return Err(Error::Io { action: "lock", path, source });
            }
        }
        let mut text = String::new();
        (&file)
            .take(MAX_JOURNAL_BYTES)
            .read_to_string(&mut text)
            .map_err(Error::io("read", &path))?;
        let journal = parse(&text).ok_or_else(|| Error::Occupied {
            path: dir.to_owned(),
            reason: "expected the file .lock in it to be a writer's lock, found something else"
                .to_owned(),
        })?;
        Ok(Self { path, file, journal })
    }

    pub(super) fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Replaces the list, and returns once it is on disk.
    pub(super) fn set_journal(&mut self, journal: Journal) -> Result<()> {
        let mut text = format!("{FIRST_LINE}\n");
        for (name, identity) in &journal {
            text.push_str(&line(name, identity.as_deref()));
        }
        self.journal = journal;
        self.file
            .set_len(0)
            .and_then(|()| self.file.seek(SeekFrom::Start(0)))
            .and_then(|_| self.file.write_all(text.as_bytes()))
            .and_then(|()| self.file.sync_all())
            .map_err(Error::io("write", &self.path))
    }

    /// Says which file it is that was made under a listed name, and returns once that is on disk.
    pub(super) fn identify(&mut self, name: &str, file: &File) -> Result<()> {
        let found = file.metadata().map_err(Error::io("examine", &self.path))?;
        let identity = identity(&found);
        let line = line(name, Some(&identity));
        self.journal.insert(name.to_owned(), Some(identity));
        self.file
            .write_all(line.as_bytes())
            .and_then(|()| self.file.sync_data())
            .map_err(Error::io("write", &self.path))
    }

    /// Removes the listed files of these names that are still the ones that are meant.
    pub(super) fn remove_listed(&self, which: impl Fn(&str) -> bool) -> Result<()> {
        let dir = self.path.parent().unwrap_or(Path::new("."));
        for (name, identity) in self.journal.iter().filter(|(name, _)| which(name)) {
            let path = dir.join(name);
            let removed = match fs::symlink_metadata(&path) {
                Ok(found) if is_meant(&found, identity.as_deref()) => fs::remove_file(&path),
                Ok(_) => Ok(()),
                Err(error) => Err(error),
            };
            match removed {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(Error::Io { action: "remove", path, source: error });
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// A writer that was killed before it could say which file it had made had not written into it either.
fn is_meant(found: &Metadata, listed: Option<&str>) -> bool {
    match listed {
        Some(listed) => identity(found) == listed,
        None => found.is_file() && found.len() == 0,
    }
}

fn line(name: &str, identity: Option<&str>) -> String {
    identity.map_or_else(|| format!("{name}\n"), |identity| format!("{name} {identity}\n"))
}

/// `None` for a file that is no lock of ours; nothing is listed in a new one.
fn parse(text: &str) -> Option<Journal> {
    // A writer killed while it wrote the list had not made a file yet, so a list that is cut short misses nothing. A
    // last line without its end is not believed.
    let complete = text.rsplit_once('\n').map_or("", |(complete, _)| complete);
    let mut lines = complete.lines();
    match lines.next() {
        Some(FIRST_LINE) => {}
        None if FIRST_LINE.starts_with(text) => return Some(Journal::new()),
        _ => return None,
    }
    let entry = |line: &str| match line.split_once(' ') {
        Some((name, identity)) => (name.to_owned(), Some(identity.to_owned())),
        None => (line.to_owned(), None),
    };
    let entries = lines.map(entry).filter(|(name, _)| names::is_numbered(name));
    // Of two lines of one name the later one counts.
    Some(entries.collect())
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

    #[test]
    fn another_file_under_the_name_is_another_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let look = || identity(&fs::symlink_metadata(&path).unwrap());
        fs::write(&path, "ours").unwrap();
        let ours = look();
        fs::write(&path, "ours, and longer").unwrap();
        assert_eq!(look(), ours);
        fs::write(folder.path().join("other"), "another").unwrap();
        fs::rename(folder.path().join("other"), &path).unwrap();
        assert_ne!(look(), ours);
    }
}

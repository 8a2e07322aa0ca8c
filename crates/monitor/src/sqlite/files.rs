//! The files that a connection has open, which may no longer be those at their paths: an open handle goes on working on
//! a file that was moved or removed, and nobody who asks by the path sees what is written.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::error::{Error, Result};

/// The file, and those that write-ahead mode has beside it.
const ENDINGS: [&str; 3] = ["", "-wal", "-shm"];

/// Device and number on it; a file that was moved keeps them on its device, and no other has them.
pub(super) type Identity = (u64, u64);

/// The files of a connection as they were when it was opened.
#[derive(Debug)]
pub(super) struct OpenFiles(Vec<(PathBuf, Option<Identity>)>);

impl OpenFiles {
    /// Of a connection that has read something, so that all of them are there.
    pub fn at(path: &Path) -> Self {
        let file = |ending: &&str| {
            let path = beside(path, ending);
            let identity = identity(&path);
            (path, identity)
        };
        Self(ENDINGS.iter().map(file).collect())
    }

    /// Whether the paths still lead to them. A few microseconds.
    pub fn are_there(&self) -> bool {
        self.0.iter().all(|(path, known)| known.is_none() || identity(path) == *known)
    }

    /// To be called where they are not: writes what stands in the log alone into the file itself, wherever that is
    /// now, and takes away what is left beside its old path, which would be taken for that of the next file there.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`] where that cannot be had yet, and else always [`Error::FileGone`].
    pub fn leave(&self, connection: &Connection, path: &Path) -> Result<()> {
        let busy = |source: Box<dyn std::error::Error + Send + Sync>| Error::Busy {
            path: path.to_owned(),
            reason: "it was moved, removed or replaced, and its last transactions cannot be written to it yet",
            source,
        };
        let checkpoint = "PRAGMA wal_checkpoint(FULL)";
        let done = connection.query_row(checkpoint, [], |row| {
            let [is_busy, logged, written] = [row.get(0)?, row.get(1)?, row.get::<_, i64>(2)?];
            Ok(is_busy == 0 && logged == written)
        });
        match done {
            Ok(true) => {}
            Ok(false) => return Err(busy("another process uses it".into())),
            Err(error) => return Err(busy(error.into())),
        }
        for (path, known) in &self.0[1..] {
            if known.is_some() && identity(path) == *known {
                // What is not to be had stays, and is told of by whoever opens the next file.
                drop(fs::remove_file(path));
            }
        }
        Err(Error::FileGone { path: path.to_owned() })
    }
}

/// Takes away what shared memory of an earlier file is left where there is no file to go with it: who still uses it
/// must not share it with the next one. It holds nothing that the log does not.
pub(super) fn remove_stale(path: &Path) {
    if identity(path).is_none() {
        drop(fs::remove_file(beside(path, "-shm")));
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut path = OsString::from(path);
    path.push(ending);
    path.into()
}

/// `None` where there is no file.
pub(super) fn identity(path: &Path) -> Option<Identity> {
    fs::metadata(path).ok().map(|found| (found.dev(), found.ino()))
}

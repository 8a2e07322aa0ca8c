//! What can go wrong with the folder.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why nothing can be kept.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CaptureError {
    /// The operating system says no.
    #[error("cannot {action} {path}", path = path.display())]
    Io {
        /// What was tried, as `write`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the operating system says.
        #[source]
        source: io::Error,
    },
    /// Another server keeps its images in the same folder.
    #[error(
        "the folder {path} belongs to another server that is running: give each its own",
        path = path.display()
    )]
    Locked {
        /// The folder.
        path: PathBuf,
    },
    /// There is something in the way that was not made by a server.
    #[error("expected {path} to be {expected}, found something else", path = path.display())]
    Occupied {
        /// The path.
        path: PathBuf,
        /// What should be there.
        expected: &'static str,
    },
}

impl CaptureError {
    /// For `map_err`.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, path: path.to_owned(), source }
    }

    /// Whether there is no room left: a fault that goes by itself when something is removed.
    pub(crate) fn is_storage_full(&self) -> bool {
        use io::ErrorKind::{QuotaExceeded, StorageFull};
        matches!(self, Self::Io { source, .. } if matches!(source.kind(), StorageFull | QuotaExceeded))
    }
}

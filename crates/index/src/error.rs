//! The one error type of the crate.

use std::io;
use std::path::{Path, PathBuf};

/// What every fallible function of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong with a reference store.
///
/// Each message says what was expected, what was found, where, and what to do about it. Errors of
/// other crates appear only as sources.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// This processor lacks instructions that FAISS was compiled for.
    #[error(
        "FAISS was compiled for other processors ({march}), and this one lacks {}: run this program on a newer \
         processor, or compile FAISS for this one: `cargo clean --release -p faiss-sys`, and build again with \
         {flags}=-march=native in the environment",
        missing.join(", "),
        march = env!("FAISS_MARCH"),
        flags = env!("FAISS_CXXFLAGS_NAME"),
    )]
    UnsupportedCpu {
        /// The missing instruction sets, by Rust's names for them.
        missing: Vec<&'static str>,
    },

    /// A dimension of zero, or one past [`MAX_DIMENSION`](crate::MAX_DIMENSION).
    #[error("expected a vector dimension of 1 to {max}, found {found}", max = crate::limits::MAX_DIMENSION)]
    DimensionOutOfRange {
        /// The dimension that was asked for.
        found: usize,
    },

    /// Rows or queries whose width is not the index's dimension.
    #[error(
        "expected {what} of dimension {expected}, found {found}: were they computed by another model?"
    )]
    DimensionMismatch {
        /// "rows" or "queries".
        what: &'static str,
        /// The index's dimension.
        expected: usize,
        /// The width of what was given.
        found: usize,
    },

    /// NaN or an infinity where a number was expected.
    #[error(
        "expected finite numbers, found {value} in {what} at row {row}, column {column}: \
         nearest neighbors of it are undefined; look at the input that produced this row"
    )]
    NotFinite {
        /// "rows" or "queries".
        what: &'static str,
        /// Zero-based row.
        row: usize,
        /// Zero-based column.
        column: usize,
        /// The value found.
        value: f32,
    },

    /// A vector so long that its squared distances would overflow `f32`.
    #[error(
        "expected vectors of Euclidean norm at most {max:e}, found {norm:e} in {what} at row {row}: \
         its squared distances would overflow 32-bit floats; rescale it",
        max = crate::limits::MAX_NORM
    )]
    NormTooLarge {
        /// "rows" or "queries".
        what: &'static str,
        /// Zero-based row.
        row: usize,
        /// Its norm.
        norm: f64,
    },

    /// A search for zero neighbors.
    #[error("expected k of at least 1, found 0: ask for at least one neighbor")]
    ZeroNeighbors,

    /// More vectors than this machine's memory holds.
    #[error("expected {bytes} bytes of memory for {what}, and the system refused them")]
    OutOfMemory {
        /// What the memory was for.
        what: &'static str,
        /// How much of it.
        bytes: usize,
    },

    /// FAISS itself reported a failure.
    #[error("FAISS failed to {action}")]
    Faiss {
        /// What was being done.
        action: &'static str,
        /// What FAISS said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// Contents that cannot be written as a store.
    #[error("these contents cannot be stored: {reason}")]
    InvalidContents {
        /// What was expected and what was found.
        reason: String,
    },

    /// The folder holds no store.
    #[error(
        "{path} is no reference store: expected a file manifest.json in it, found none; build a store there first"
    )]
    NotAStore {
        /// The folder.
        path: PathBuf,
    },

    /// The folder holds something else than a store, so nothing is written into it.
    #[error(
        "refused to write a reference store into {path}: {reason}; choose a new or an empty folder"
    )]
    Occupied {
        /// The folder.
        path: PathBuf,
        /// What was found there.
        reason: String,
    },

    /// Another process is writing this store right now.
    #[error(
        "{path} is being written by another process (it holds the lock on .lock): wait for it to finish"
    )]
    Locked {
        /// The folder.
        path: PathBuf,
    },

    /// The store has been written since what is to replace it was made from it.
    #[error(
        "{path} is at generation {found} and no longer at {expected}, which this change was made from: \
         another process has written it in the meantime; run the command again"
    )]
    Superseded {
        /// The folder.
        path: PathBuf,
        /// The generation that the change was made from.
        expected: u64,
        /// The generation that is current.
        found: u64,
    },

    /// A generation that the store does not keep.
    #[error("{path} keeps no generation {generation}: it has {kept}")]
    UnknownGeneration {
        /// The folder.
        path: PathBuf,
        /// The one asked for.
        generation: u64,
        /// Those that are kept, for people.
        kept: String,
    },

    /// The store was written by a version of this crate that this one does not read.
    #[error(
        "{path} has format version {found}, and this program reads version {supported} alone: build it again"
    )]
    UnsupportedVersion {
        /// The manifest.
        path: PathBuf,
        /// Its version.
        found: u64,
        /// The version that is read.
        supported: u32,
    },

    /// A file of the store is missing, cut short, altered or forged.
    #[error("{path} is damaged: {reason}; {}", remedy(way_back.as_ref()))]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was expected and what was found.
        reason: String,
        /// A generation that is kept beside it and does not need this file.
        way_back: Option<WayBack>,
    },

    /// A file of the store is kept elsewhere by a tool that versions data, and has not been fetched.
    #[error("{path} is not on this machine: found {found} in its place; fetch it with {fetch}")]
    NotFetched {
        /// The file.
        path: PathBuf,
        /// What stands there.
        found: String,
        /// The command that fetches it, for people.
        fetch: &'static str,
    },

    /// The store was replaced again and again while it was being opened.
    #[error(
        "{path} was replaced {attempts} times while it was being opened: \
         try again once its writer has finished"
    )]
    Unstable {
        /// The folder.
        path: PathBuf,
        /// How often opening was tried.
        attempts: usize,
    },

    /// The operating system refused a file operation.
    #[error("could not {action} {path}")]
    Io {
        /// What was being done.
        action: &'static str,
        /// To which file or folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// An earlier generation that can be made the current one again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WayBack {
    /// The store's folder.
    pub store: PathBuf,
    /// The newest one whose files are all there.
    pub generation: u64,
    /// A folder stands in the place of the manifest, and has to be moved away first: a file cannot take its name.
    pub folder_in_the_way: bool,
}

fn remedy(way_back: Option<&WayBack>) -> String {
    match way_back {
        None => "restore the folder from a backup or build the store again".to_owned(),
        Some(WayBack { generation, folder_in_the_way: false, .. }) => {
            format!("generation {generation} is kept beside it and can be brought back")
        }
        Some(WayBack { generation, folder_in_the_way: true, .. }) => format!(
            "move that folder away; then generation {generation}, which is kept beside it, can be brought back"
        ),
    }
}

impl Error {
    /// Where this is damage that an earlier generation does not have: that generation.
    #[must_use]
    pub fn way_back(&self) -> Option<&WayBack> {
        match self {
            Self::Damaged { way_back, .. } => way_back.as_ref(),
            _ => None,
        }
    }

    /// For `map_err`: an operating system error with what was being done to which file.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, path: path.to_owned(), source }
    }

    pub(crate) fn damaged(path: &Path, reason: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_owned(), reason: reason.into(), way_back: None }
    }

    pub(crate) fn contents(reason: impl Into<String>) -> Self {
        Self::InvalidContents { reason: reason.into() }
    }
}

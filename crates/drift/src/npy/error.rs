//! Why a file is no matrix.

/// Why a file is not read as a matrix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NpyError(String);

impl NpyError {
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

impl From<std::io::Error> for NpyError {
    fn from(error: std::io::Error) -> Self {
        Self(error.to_string())
    }
}

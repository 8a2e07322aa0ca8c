//! Why a TIFF is not read.

use crate::error::ImageError;

/// Why a TIFF is not read.
#[derive(Debug)]
pub(super) enum Refusal {
    Damaged(String),
    /// A kind of TIFF, in a person's words.
    Unsupported(String),
    TooMuchMemory,
}

impl Refusal {
    pub fn damaged(reason: impl Into<String>) -> Self {
        Self::Damaged(reason.into())
    }

    pub fn unsupported(kind: impl Into<String>) -> Self {
        Self::Unsupported(kind.into())
    }
}

impl From<Refusal> for ImageError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Damaged(reason) => Self::Damaged { format: "TIFF", reason },
            Refusal::Unsupported(kind) => Self::Unsupported { what: format!("a TIFF with {kind}") },
            Refusal::TooMuchMemory => Self::TooMuchMemory { format: "TIFF" },
        }
    }
}

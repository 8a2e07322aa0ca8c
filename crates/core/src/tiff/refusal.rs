//! Why a TIFF is not read.

use crate::error::ImageError;

pub(super) fn damaged(reason: impl Into<String>) -> ImageError {
    ImageError::damaged("TIFF", reason)
}

/// Of a kind of TIFF, in a person's words.
pub(super) fn unsupported(kind: &str) -> ImageError {
    ImageError::unsupported(format!("a TIFF with {kind}"))
}

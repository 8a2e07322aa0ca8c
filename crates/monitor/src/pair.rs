//! Which model and which reference a stream was judged by.

use std::fmt;

use serde::{Deserialize, Serialize};

use sdd_drift::Reference;

/// A model and the reference that it is compared with: what was judged by one pair says nothing about another.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PairId {
    /// SHA-256 of the model file, 64 hexadecimal digits.
    pub model_sha256: String,
    /// SHA-256 of the reference's manifest, which names the SHA-256 of each of its files.
    pub reference_sha256: String,
}

impl PairId {
    /// Of the model file's SHA-256 and an open reference.
    #[must_use]
    pub fn of(model_sha256: &str, reference: &Reference) -> Self {
        Self {
            model_sha256: model_sha256.to_ascii_lowercase(),
            reference_sha256: reference.store().manifest().checksum.clone(),
        }
    }
}

/// `1f0c…/9ab3…`.
impl fmt::Display for PairId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = |text: &str| text.chars().take(12).collect::<String>();
        write!(f, "{}/{}", short(&self.model_sha256), short(&self.reference_sha256))
    }
}

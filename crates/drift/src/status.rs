//! The three answers to "is there drift?", of a batch and of a stream alike.

use serde::{Deserialize, Serialize};

/// Whether there is drift.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = DriftStatus))]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Nothing that the images at hand could show.
    Stable,
    /// A test says so; what stands beside it names it.
    Drifting,
    /// Too few images for a verdict.
    InsufficientData,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Stable, Self::Drifting, Self::InsufficientData];

    /// As in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::Drifting => "drifting",
            Self::InsufficientData => "insufficient_data",
        }
    }
}

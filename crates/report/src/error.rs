//! What can go wrong with a report.

/// What every fallible function of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong while a report is made or drawn.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The reference refused or failed.
    #[error(transparent)]
    Drift(#[from] sdd_drift::Error),

    /// The monitor or its memory refused or failed.
    #[error(transparent)]
    Monitor(#[from] sdd_monitor::Error),

    /// A number that no drawing can be made of.
    #[error(transparent)]
    Stats(#[from] sdd_stats::Error),

    /// The page cannot be written.
    #[error("the report cannot be written")]
    Page {
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Error {
    /// A stable name of the variant, for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Drift(error) => error.code(),
            Self::Monitor(error) => error.code(),
            Self::Stats(error) => error.code(),
            Self::Page { .. } => "page",
        }
    }
}

//! What statistics can be asked wrongly.

/// What every fallible function of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What a statistic is not defined for, or not worth anything with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A number that a statistic is not defined for.
    #[error("expected {expected} as `{name}`, found {found}")]
    InvalidArgument {
        /// What the number is called in the function's documentation.
        name: &'static str,
        /// What would be right.
        expected: &'static str,
        /// What was given.
        found: String,
    },

    /// No kind of p-value, or set of images for it, has this name.
    #[error("no kind of p-value is called `{found}`: expected one of {known}")]
    UnknownPValue {
        /// The name given.
        found: String,
        /// The names that there are.
        known: String,
    },

    /// A sample that is too small for a test.
    #[error("expected at least {required} rows in {sample}, found {found}: add images")]
    SampleTooSmall {
        /// Which sample.
        sample: String,
        /// Rows that the test takes.
        required: usize,
        /// Rows at hand.
        found: usize,
    },

    /// Samples of vectors that are not of one length.
    #[error("expected vectors of dimension {expected}, found {found}: are they of one model?")]
    WrongDimension {
        /// The first sample's dimension.
        expected: usize,
        /// The other's.
        found: usize,
    },

    /// NaN or an infinity.
    #[error(
        "expected finite numbers, found {value} in {vector} at position {position}: look at the input that produced it"
    )]
    NotFinite {
        /// Where.
        vector: String,
        /// Zero-based position in it.
        position: usize,
        /// The value found.
        value: f64,
    },
}

impl Error {
    /// A stable name of the variant, for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::InvalidArgument { .. } => "invalid_argument",
            Self::UnknownPValue { .. } => "unknown_p_value",
            Self::SampleTooSmall { .. } => "sample_too_small",
            Self::WrongDimension { .. } => "wrong_dimension",
            Self::NotFinite { .. } => "not_finite",
        }
    }

    /// [`Error::InvalidArgument`] of anything that can be printed.
    pub fn invalid_argument(
        name: &'static str,
        expected: &'static str,
        found: impl std::fmt::Display,
    ) -> Self {
        Self::InvalidArgument { name, expected, found: found.to_string() }
    }
}

/// Refuses what is no probability, level or share strictly between 0 and 1.
///
/// # Errors
///
/// [`Error::InvalidArgument`] unless `0 < value < 1`.
pub fn check_open_unit(name: &'static str, value: f64) -> Result<()> {
    if value > 0.0 && value < 1.0 {
        Ok(())
    } else {
        Err(Error::invalid_argument(name, "a number strictly between 0 and 1", value))
    }
}

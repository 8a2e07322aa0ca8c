//! Why an image has no answer.

use std::time::Duration;

use sdd_core::ImageError;
use thiserror::Error;

/// Why an image has no answer. Exhaustive on purpose: where a new kind is added, whoever tells others of these does not
/// compile until it is decided how it is told.
#[derive(Debug, Error)]
pub enum EngineError {
    /// The image cannot be classified.
    #[error(transparent)]
    Image(ImageError),
    /// The model has no answer for this input, as for a tensor of huge values.
    #[error("the model's output `{output}` is not usable for this input: {reason}")]
    UnusableOutput {
        /// The output's name.
        output: String,
        /// What was expected and found.
        reason: String,
    },
    /// There is no room for it now.
    #[error("{shortage}: try again in {retry_after:?}")]
    Overloaded {
        /// What there is too little of.
        shortage: EngineShortage,
        /// When there is likely to be room.
        retry_after: Duration,
    },
    /// The answer would have come too late.
    #[error("the time was over before it was answered")]
    DeadlineExceeded,
    /// The model fails, whatever it is asked, also in new sessions.
    #[error("the model fails again and again: it is tried again in {retry_after:?}")]
    Failing {
        /// When it is tried again.
        retry_after: Duration,
    },
    /// A fault of ours, or of the set-up.
    #[error("internal error")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// What there is too little of for an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum EngineShortage {
    /// All threads are busy, and as many images wait as may.
    #[error("too many images are waiting")]
    Room,
    /// So many images are waiting that the answer would come too late.
    #[error("so many images are waiting that the answer would come too late")]
    Time,
}

impl From<sdd_core::Error> for EngineError {
    fn from(error: sdd_core::Error) -> Self {
        match error {
            sdd_core::Error::Image(error) => Self::Image(error),
            sdd_core::Error::Output { output, reason } => Self::UnusableOutput { output, reason },
            error => Self::Internal(error.into()),
        }
    }
}

//! What goes wrong in the engine, as one of the errors that clients see.

use sdd_serving::engine::EngineError;

use crate::error::ApiError;

impl From<EngineError> for ApiError {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Image(error) => Self::Image(error),
            EngineError::UnusableOutput { output, reason } => {
                Self::UnusableOutput { output, reason }
            }
            EngineError::Overloaded { shortage, retry_after } => {
                Self::Overloaded { shortage: shortage.into(), retry_after }
            }
            EngineError::DeadlineExceeded => Self::DeadlineExceeded,
            EngineError::Failing { retry_after } => Self::EngineFailing { retry_after },
            EngineError::Internal(error) => Self::Internal(error),
        }
    }
}

//! What goes wrong in the engine, as one of the errors that clients see.

use sdd_serving::engine::{EngineError, EngineShortage};

use super::{ApiError, Shortage};

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

impl From<EngineShortage> for Shortage {
    fn from(shortage: EngineShortage) -> Self {
        match shortage {
            EngineShortage::Room => Self::Room,
            EngineShortage::Time => Self::Time,
        }
    }
}

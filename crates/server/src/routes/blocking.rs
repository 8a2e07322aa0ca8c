//! What takes long and asks nobody: off the threads that answer.

use actix_web::web;

use crate::error::ApiError;

/// Does `work` on a thread that may block.
pub async fn off_async<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ApiError> {
    web::block(work).await.map_err(|error| ApiError::Internal(error.into()))
}

//! A body that is one image.

use actix_web::HttpRequest;
use actix_web::web::Payload;
use futures_util::StreamExt;
use sdd_serving::Allowance;

use super::budget::Budget;
use super::{Upload, UploadLimits, why_unread};
use crate::error::ApiError;

pub(super) async fn read(
    request: &HttpRequest,
    mut body: Payload,
    content_type: String,
    limits: &UploadLimits<'_>,
    memory: &Allowance,
) -> Result<Upload, ApiError> {
    let mut budget = Budget::new(request, limits, memory);
    budget.check_announced()?;
    let mut image = budget.begin();
    while let Some(chunk) = body.next().await {
        let chunk =
            chunk.map_err(|error| ApiError::MalformedBody { reason: why_unread(&error) })?;
        budget.keep(&mut image, &chunk)?;
    }
    Ok(Upload { bytes: budget.end(image)?, content_type: Some(content_type), file_name: None })
}

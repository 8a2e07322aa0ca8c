//! A body that is one image.

use actix_web::HttpRequest;
use actix_web::web::Payload;
use futures_util::StreamExt;

use crate::error::ApiError;
use crate::uploads::budget::Budget;
use crate::uploads::limits::UploadLimits;
use crate::uploads::origin;
use crate::uploads::upload::{Upload, why_unread};

pub(crate) async fn read(
    request: &HttpRequest,
    mut body: Payload,
    content_type: String,
    limits: &UploadLimits<'_>,
) -> Result<Upload, ApiError> {
    let mut budget = Budget::new(request, limits);
    budget.check_announced()?;
    let mut image = budget.begin();
    while let Some(chunk) = body.next().await {
        let chunk =
            chunk.map_err(|error| ApiError::MalformedBody { reason: why_unread(&error) })?;
        budget.keep(&mut image, &chunk)?;
    }
    Ok(Upload {
        bytes: budget.end(image)?,
        content_type: Some(content_type),
        file_name: None,
        origin: origin::of_headers(request)?,
    })
}

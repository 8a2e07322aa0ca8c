//! Images out of a request's body, under limits of size, number, memory and time.
//!
//! A body is `multipart/form-data` with the images in fields named `file`, or one image as it is,
//! with an `image/*` type.

mod budget;
mod form;
mod limits;
mod multipart;
mod origin;
mod upload;

use std::time::{Duration, Instant};

use actix_web::HttpRequest;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use actix_web::web::Payload;
use bytes::Bytes;
use futures_util::StreamExt;

pub use limits::UploadLimits;
pub use origin::of_headers as origin_of;
pub use upload::Upload;

use self::budget::Budget;
use self::upload::why_unread;
use crate::error::ApiError;

/// Reads the images of a request, at least one.
pub async fn read(
    request: &HttpRequest,
    body: Payload,
    limits: UploadLimits<'_>,
) -> Result<Vec<Upload>, ApiError> {
    in_time(limits.timeout, limits.deadline, async {
        match BodyKind::of(request)? {
            BodyKind::FormData => multipart::read(request, body, limits).await,
            BodyKind::Image(content_type) => {
                let origin = origin_of(request)?;
                let bytes = whole(request, body, limits).await?;
                let content_type = Some(content_type);
                Ok(vec![Upload { bytes, content_type, file_name: None, origin }])
            }
        }
    })
    .await
}

/// Reads a body as it is, of at most `limits.max_bytes`.
pub async fn read_whole(
    request: &HttpRequest,
    body: Payload,
    limits: UploadLimits<'_>,
) -> Result<Bytes, ApiError> {
    in_time(limits.timeout, limits.deadline, whole(request, body, limits)).await
}

async fn whole(
    request: &HttpRequest,
    mut body: Payload,
    limits: UploadLimits<'_>,
) -> Result<Bytes, ApiError> {
    let mut budget = Budget::new(request, limits);
    budget.check_announced()?;
    let mut image = budget.begin();
    while let Some(chunk) = body.next().await {
        let chunk =
            chunk.map_err(|error| ApiError::MalformedBody { reason: why_unread(&error) })?;
        budget.keep(&mut image, &chunk)?;
    }
    budget.end(image)
}

async fn in_time<T>(
    timeout: Duration,
    deadline: Instant,
    reading: impl Future<Output = Result<T, ApiError>>,
) -> Result<T, ApiError> {
    let time_left = deadline.saturating_duration_since(Instant::now());
    match tokio::time::timeout(time_left.min(timeout), reading).await {
        Ok(read) => read,
        Err(_) if time_left < timeout => Err(ApiError::DeadlineExceeded),
        Err(_) => Err(ApiError::UploadTimeout { limit: timeout }),
    }
}

/// What a body says that it is.
enum BodyKind {
    FormData,
    /// One image, with its declared type.
    Image(String),
}

impl BodyKind {
    fn of(request: &HttpRequest) -> Result<Self, ApiError> {
        // Images are compressed as they are.
        if let Some(coding) = request.headers().get(CONTENT_ENCODING)
            && !coding.as_bytes().eq_ignore_ascii_case(b"identity")
        {
            let found = String::from_utf8_lossy(coding.as_bytes()).into_owned();
            return Err(ApiError::UnsupportedEncoding { found, supported: "none" });
        }
        let declared = request.headers().get(CONTENT_TYPE);
        let declared = declared.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        let essence = declared.as_deref().unwrap_or_default().split(';').next().unwrap_or_default();
        let essence = essence.trim().to_ascii_lowercase();
        // The other multipart types have no named fields.
        if essence == "multipart/form-data" {
            Ok(Self::FormData)
        } else if may_be_image(&essence) {
            Ok(Self::Image(essence))
        } else {
            let found = declared.unwrap_or_else(|| "none".into());
            Err(ApiError::NotAnUpload { found })
        }
    }
}

/// Whether something with this type may be an image, by what its sender says.
pub fn may_be_image(content_type: &str) -> bool {
    content_type.starts_with("image/") || content_type == "application/octet-stream"
}

//! Images out of a request's body, under limits of size, number, memory and time.
//!
//! A body is `multipart/form-data` with the images in fields named `file`, or one image as it is,
//! with an `image/*` type.

mod budget;
mod form;
mod multipart;
mod raw;

use std::time::{Duration, Instant};

use actix_web::HttpRequest;
use actix_web::error::PayloadError;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use actix_web::web::Payload;
use sdd_serving::causes::chain_of;
use sdd_serving::{Allowance, ReservedBytes};

pub use budget::Refusal;

use crate::error::{ApiError, Shortage};

/// An uploaded image.
#[derive(Debug)]
pub struct Upload {
    /// The encoded image.
    pub bytes: ReservedBytes,
    /// The type that the client declared for it.
    pub content_type: Option<String>,
    /// The name that the client gave the file.
    pub file_name: Option<String>,
}

/// What the uploads of one request may cost.
pub struct UploadLimits<'a> {
    /// Length of one image, in bytes.
    pub max_bytes: usize,
    /// Number of images.
    pub max_images: usize,
    /// Time that the client may take to send them.
    pub timeout: Duration,
    /// When the answer would come too late.
    pub deadline: Instant,
    /// Why the images will not be looked at, where that is known before they have come. Then the body is
    /// read, so that the client sees the answer, and thrown away.
    pub refusal: Option<Refusal>,
    /// What there is too little of at a moment for an image that comes to be answered in time, if anything.
    /// Asked while it comes.
    pub shortage: &'a dyn Fn() -> Option<Shortage>,
    /// When there is likely to be room again.
    pub wait: &'a dyn Fn() -> Duration,
}

/// Reads the images of a request, at least one.
///
/// # Errors
/// [`ApiError`]: the body is of another type, malformed, too large or too slow, or has no image.
/// [`ApiError::Overloaded`] when the uploads of all requests together take too much memory, or when the
/// answer would come too late; and what `limits.refusal` says.
pub async fn read(
    request: &HttpRequest,
    body: Payload,
    limits: &UploadLimits<'_>,
    memory: &Allowance,
) -> Result<Vec<Upload>, ApiError> {
    let reading = async {
        match BodyKind::of(request)? {
            BodyKind::FormData => multipart::read(request, body, limits, memory).await,
            BodyKind::Image(content_type) => {
                let upload = raw::read(request, body, content_type, limits, memory).await?;
                Ok(vec![upload])
            }
        }
    };
    in_time(limits, reading).await
}

/// Reads a body as it is, of at most `limits.max_bytes`.
///
/// # Errors
/// As [`read`].
pub async fn read_whole(
    request: &HttpRequest,
    body: Payload,
    limits: &UploadLimits<'_>,
    memory: &Allowance,
) -> Result<ReservedBytes, ApiError> {
    let reading = raw::read(request, body, String::new(), limits, memory);
    in_time(limits, reading).await.map(|upload| upload.bytes)
}

async fn in_time<T>(
    limits: &UploadLimits<'_>,
    reading: impl Future<Output = Result<T, ApiError>>,
) -> Result<T, ApiError> {
    let time_left = limits.deadline.saturating_duration_since(Instant::now());
    match tokio::time::timeout(time_left.min(limits.timeout), reading).await {
        Ok(read) => read,
        Err(_) if time_left < limits.timeout => Err(ApiError::DeadlineExceeded),
        Err(_) => Err(ApiError::UploadTimeout { limit: limits.timeout }),
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

/// Why a body could not be read to its end, for whoever sends it.
fn why_unread(error: &PayloadError) -> String {
    match error {
        PayloadError::Incomplete(_) => {
            "it ended before all of it had come: the connection broke off, or it is not as long as its Content-Length, or \
             its chunks, say"
                .into()
        }
        // It is decompressed elsewhere: the HTTP library says so of chunks.
        PayloadError::EncodingCorrupted => {
            "its chunks (Transfer-Encoding: chunked) are malformed: each begins with its length in hexadecimal digits"
                .into()
        }
        PayloadError::Io(error) => error.to_string(),
        error => chain_of(error),
    }
}

/// Whether something with this type may be an image, by what its sender says.
#[must_use]
pub fn may_be_image(content_type: &str) -> bool {
    content_type.starts_with("image/") || content_type == "application/octet-stream"
}

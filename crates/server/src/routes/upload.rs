//! The image out of a `multipart/form-data` body, under limits of size and time.

use std::time::Duration;

use actix_multipart::{Field, Multipart, MultipartError};
use actix_web::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use actix_web::web::Payload;
use actix_web::{FromRequest, HttpRequest};
use futures_util::{StreamExt, TryStreamExt};

use crate::error::ApiError;

/// The field that carries the image.
const FIELD: &str = "file";

/// Parts beside the image that are read and thrown away, as browsers' forms may send some.
const MAX_PARTS: usize = 16;

/// Bytes that the parts' headers and boundaries may take.
const MULTIPART_OVERHEAD: usize = 64 << 10;

/// How much of a body that is too large is read all the same, as a multiple of the limit: a client
/// that is cut off while it sends does not see the answer.
const DRAIN_FACTOR: usize = 4;

/// What an upload may cost.
#[derive(Debug, Clone)]
pub struct UploadLimits {
    /// Length of the image, in bytes.
    pub max_bytes: usize,
    /// Time from the first to the last byte.
    pub timeout: Duration,
}

/// An uploaded image.
#[derive(Debug)]
pub struct Upload {
    /// The encoded image.
    pub bytes: Vec<u8>,
    /// The type that the client declared for it.
    pub content_type: Option<String>,
}

/// Reads the image from a request.
///
/// # Errors
/// [`ApiError`]: the body is of another type, malformed, too large or too slow, or has not exactly
/// one field `file`.
pub async fn read(
    request: &HttpRequest,
    body: Payload,
    limits: &UploadLimits,
) -> Result<Upload, ApiError> {
    if !has_form_data(request) {
        return Err(not_form_data(request));
    }
    let mut body = body.into_inner();
    let multipart = Multipart::from_request(request, &mut body)
        .await
        .map_err(|error| ApiError::MalformedMultipart { reason: error.to_string() })?;
    tokio::time::timeout(limits.timeout, read_parts(request, multipart, limits))
        .await
        .unwrap_or(Err(ApiError::UploadTimeout { limit_s: limits.timeout.as_secs() }))
}

async fn read_parts(
    request: &HttpRequest,
    mut multipart: Multipart,
    limits: &UploadLimits,
) -> Result<Upload, ApiError> {
    let mut image: Option<Upload> = None;
    let mut budget = Budget::new(request, limits);
    // One turn more, to see that there is no further part.
    for _ in 0..=MAX_PARTS {
        let Some(mut part) =
            multipart.try_next().await.map_err(|error| explain(request, &error))?
        else {
            budget.check()?;
            return image.ok_or(ApiError::MissingFile);
        };
        let wanted = part.name() == Some(FIELD);
        let bytes = read_part(request, &mut part, &mut budget, wanted).await?;
        if wanted {
            if image.is_some() {
                return Err(ApiError::TooManyFiles);
            }
            let content_type = part.content_type().map(|mime| mime.essence_str().to_owned());
            image = Some(Upload { bytes, content_type });
        }
    }
    Err(ApiError::MalformedMultipart { reason: format!("it has more than {MAX_PARTS} parts") })
}

async fn read_part(
    request: &HttpRequest,
    part: &mut Field,
    budget: &mut Budget,
    keep: bool,
) -> Result<Vec<u8>, ApiError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = part.next().await {
        let chunk = chunk.map_err(|error| explain(request, &error))?;
        budget.spend(chunk.len())?;
        if keep && !budget.exceeded() {
            bytes.extend_from_slice(&chunk);
        }
    }
    Ok(bytes)
}

/// How many bytes of the body's parts may still come.
struct Budget {
    spent: usize,
    limit: usize,
}

impl Budget {
    fn new(request: &HttpRequest, limits: &UploadLimits) -> Self {
        let announced = request
            .headers()
            .get(CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok())
            .and_then(|text| text.parse::<usize>().ok())
            .unwrap_or(0);
        // A body announced as too large is known to be before its first byte is kept.
        let known_too_large = announced > limits.max_bytes.saturating_add(MULTIPART_OVERHEAD);
        Self {
            spent: if known_too_large { limits.max_bytes.saturating_add(1) } else { 0 },
            limit: limits.max_bytes,
        }
    }

    fn spend(&mut self, bytes: usize) -> Result<(), ApiError> {
        self.spent = self.spent.saturating_add(bytes);
        if self.spent > self.limit.saturating_mul(DRAIN_FACTOR) {
            return self.check();
        }
        Ok(())
    }

    fn exceeded(&self) -> bool {
        self.spent > self.limit
    }

    fn check(&self) -> Result<(), ApiError> {
        if self.exceeded() {
            return Err(ApiError::TooManyBytes { limit: self.limit });
        }
        Ok(())
    }
}

fn explain(request: &HttpRequest, error: &MultipartError) -> ApiError {
    match error {
        MultipartError::ContentTypeMissing
        | MultipartError::ContentTypeParse
        | MultipartError::ContentTypeIncompatible => not_form_data(request),
        error => ApiError::MalformedMultipart { reason: error.to_string() },
    }
}

/// The other multipart types have no named fields.
fn has_form_data(request: &HttpRequest) -> bool {
    let declared = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    declared.is_some_and(|text| {
        text.trim_start().to_ascii_lowercase().starts_with("multipart/form-data")
    })
}

fn not_form_data(request: &HttpRequest) -> ApiError {
    let found = request
        .headers()
        .get(CONTENT_TYPE)
        .map_or_else(|| "none".into(), |value| String::from_utf8_lossy(value.as_bytes()).into());
    ApiError::NotMultipart { found }
}

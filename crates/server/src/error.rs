//! Errors as clients see them: the one place that maps them to status and code.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use sdd_core::ImageError;
use serde::Serialize;
use serde_json::{Value, json};
use thiserror::Error;

/// What a request can be refused with. Codes are part of the interface: they do not change.
#[derive(Debug, Error)]
pub enum ApiError {
    /// The upload has no part named `file`.
    #[error(
        "the field `file` is missing: send the image as multipart/form-data with -F \"file=@part.jpg\""
    )]
    MissingFile,
    /// The upload has more than one part named `file`.
    #[error("the field `file` came more than once: send one image a request")]
    TooManyFiles,
    /// The body is not multipart/form-data.
    #[error("expected a body of the type multipart/form-data, found {found}")]
    NotMultipart {
        /// The request's content type, or that there is none.
        found: String,
    },
    /// The body says that it is multipart/form-data, and is not well-formed.
    #[error("the multipart body is malformed: {reason}")]
    MalformedMultipart {
        /// What is wrong with it.
        reason: String,
    },
    /// The part's declared type is not an image's, and neither is its content.
    #[error("the field `file` has the type {found}: expected an image")]
    NotAnImageType {
        /// The declared type.
        found: String,
    },
    /// The body is larger than an upload may be.
    #[error("the upload is larger than the limit of {limit} bytes")]
    TooManyBytes {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The body did not come in time.
    #[error("the upload took longer than {limit_s} s")]
    UploadTimeout {
        /// The limit, in seconds.
        limit_s: u64,
    },
    /// The image cannot be classified.
    #[error(transparent)]
    Image(ImageError),
    /// All workers are busy and the queue is full.
    #[error("too many requests are waiting: try again in a second")]
    Overloaded,
    /// No such path.
    #[error("there is no {path}: images go to POST /predict")]
    NotFound {
        /// The path asked for.
        path: String,
    },
    /// The path is there, the method is not.
    #[error("{path} does not take {method}: use {allowed}")]
    MethodNotAllowed {
        /// The path asked for.
        path: String,
        /// The method used.
        method: String,
        /// The methods that it takes.
        allowed: &'static str,
    },
    /// A fault of ours, or of the operator's set-up: the log has the chain, the client has not.
    #[error("internal error: the server's log has the details")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl ApiError {
    /// Status and stable code. No wildcard: a new variant does not compile until someone decides.
    fn status_and_code(&self) -> (StatusCode, &'static str) {
        match self {
            Self::MissingFile => (StatusCode::UNPROCESSABLE_ENTITY, "missing_file"),
            Self::TooManyFiles => (StatusCode::UNPROCESSABLE_ENTITY, "too_many_files"),
            Self::NotMultipart { .. } | Self::NotAnImageType { .. } => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type")
            }
            Self::MalformedMultipart { .. } => (StatusCode::BAD_REQUEST, "malformed_multipart"),
            Self::TooManyBytes { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
            Self::UploadTimeout { .. } => (StatusCode::REQUEST_TIMEOUT, "upload_timeout"),
            Self::Image(error) => (status(error), error.code()),
            Self::Overloaded => (StatusCode::SERVICE_UNAVAILABLE, "overloaded"),
            Self::NotFound { .. } => (StatusCode::NOT_FOUND, "not_found"),
            Self::MethodNotAllowed { .. } => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
            Self::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        }
    }

    fn body(&self) -> Body {
        // What clients of FastAPI services look for.
        let missing = || json!([{ "type": "missing", "loc": ["body", "file"], "msg": "Field required", "input": null }]);
        Body {
            error: Fault { code: self.status_and_code().1, message: self.to_string() },
            detail: matches!(self, Self::MissingFile).then(missing),
        }
    }
}

fn status(error: &ImageError) -> StatusCode {
    match error {
        ImageError::Empty | ImageError::NotAnImage | ImageError::Damaged { .. } => {
            StatusCode::BAD_REQUEST
        }
        ImageError::TooManyBytes { .. }
        | ImageError::TooManyPixels { .. }
        | ImageError::TooMuchMemory { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        ImageError::Unsupported { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
    }
}

/// The body of every answer that is not a success.
#[derive(Debug, Serialize)]
struct Body {
    error: Fault,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<Value>,
}

#[derive(Debug, Serialize)]
struct Fault {
    /// For programs: stable.
    code: &'static str,
    /// For people: what was expected, what was found, what to do.
    message: String,
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.status_and_code().0
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        match self {
            Self::Internal(error) => log_chain(error.as_ref()),
            Self::Overloaded => {
                response.insert_header((header::RETRY_AFTER, "1"));
            }
            Self::MethodNotAllowed { allowed, .. } => {
                response.insert_header((header::ALLOW, *allowed));
            }
            _ => {}
        }
        response.json(self.body())
    }
}

fn log_chain(error: &(dyn std::error::Error + 'static)) {
    let mut chain = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        chain = format!("{chain}: {error}");
        cause = error.source();
    }
    tracing::error!("{chain}");
}

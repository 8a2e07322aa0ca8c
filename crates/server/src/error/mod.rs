//! Errors as clients see them: the one place that maps them to status and code.

mod answer;
mod engine;
mod shortage;
mod text;
mod way_back;

use std::time::Duration;

use actix_web::http::StatusCode;
use sdd_core::ImageError;
use sdd_serving::causes::chain_of;
use thiserror::Error;

pub use self::answer::{Body, Fault};
pub use self::shortage::Shortage;
pub use self::text::readable_size;
use self::text::{too_many_files, whole_seconds};
pub use self::way_back::{chain_with_way_back, way_back};

/// What a request can be refused with. Codes are part of the interface: they do not change.
#[derive(Debug, Error)]
pub enum ApiError {
    #[error(
        "the field `file` is missing: send the image as multipart/form-data with -F \"file=@part.jpg\""
    )]
    MissingFile,
    #[error("{}", too_many_files(*limit))]
    TooManyFiles { limit: usize },
    #[error(
        "the form has more than {limit} fields beside `file`, which are not read: leave them out"
    )]
    TooManyFields { limit: usize },
    #[error("expected {expected}, in the field `{name}`")]
    InvalidField { name: &'static str, expected: String },
    /// The body is neither multipart/form-data nor an image.
    #[error(
        "expected an image, found the type {found}: send it as multipart/form-data with -F \"file=@part.jpg\", or as \
         the body with -H \"Content-Type: image/jpeg\" --data-binary @part.jpg"
    )]
    NotAnUpload {
        /// The request's content type, or that there is none.
        found: String,
    },
    #[error("the multipart body is malformed: {reason}")]
    MalformedMultipart { reason: String },
    #[error("the body is malformed: {reason}")]
    MalformedBody { reason: String },
    #[error("the header {name} is malformed: {reason}")]
    InvalidHeader { name: &'static str, reason: String },
    /// The part's declared type is not an image's, and neither is its content.
    #[error("the field `file` has the type {found}: expected an image, as image/jpeg or image/png")]
    NotAnImageType { found: String },
    #[error("the upload is larger than the limit of {} (see --max-bytes)", readable_size(*limit))]
    TooManyBytes { limit: usize },
    #[error("the form's fields beside `file` have more than the limit of {limit} bytes together")]
    TooLargeFields { limit: usize },
    #[error("the upload took longer than {limit:?}")]
    UploadTimeout { limit: Duration },
    #[error(transparent)]
    Image(ImageError),
    #[error("a key is needed, in the header `authorization: Bearer KEY` or `x-api-key: KEY`")]
    Unauthorized,
    /// A known key for something else: those for /admin are other ones than those for clients.
    #[error("this key is not for this path: /admin has keys of its own, and they are for it alone")]
    Forbidden,
    /// /admin is not for everybody's address without a key.
    #[error(
        "/admin is not at this address: --admin-address gives it one of its own on the server's machine, and \
         --admin-key-hashes a key with which it is here, too"
    )]
    AdminDisabled,
    #[error(
        "the server does not answer to the name {host}: if that name is meant to lead here, start it with \
         --allowed-hosts and the name, without a port, or *"
    )]
    HostNotAllowed { host: String },
    #[error(
        "pages of other sites may not do this, and {origin} is one: --cors-origins allows sites. If it is a page of this \
         server behind a proxy, the proxy has to pass on the header Host"
    )]
    CrossSiteRequest { origin: String },
    #[error("too many requests from this client: try again in {} s", whole_seconds(*retry_after))]
    RateLimited { retry_after: Duration },
    #[error("the request has more than {limit} headers")]
    TooManyHeaders { limit: usize },
    /// Nobody reads the answer any more: for the log.
    #[error("the client left before it was answered")]
    ClientLeft,
    /// One image of several cannot be classified, and the answer is for all or none.
    #[error("image {index}: {error}")]
    ImageAt { index: usize, error: ImageError },
    /// The model has no answer for this input, as for a tensor of huge values.
    #[error("the model's output `{output}` is not usable for this input: {reason}")]
    UnusableOutput { output: String, reason: String },
    /// The request is not one of the Open Inference Protocol, or not for this model.
    #[error("{reason}")]
    InvalidInference { reason: String },
    #[error("the content-encoding {found} is not supported here: use {supported}")]
    UnsupportedEncoding { found: String, supported: &'static str },
    #[error("there is no model {asked_for}: {served} is served")]
    UnknownModel {
        /// Name, and version where one was asked for.
        asked_for: String,
        served: String,
    },
    #[error("{what}")]
    NotSupported { what: &'static str },
    #[error("{shortage}: try again in {} s", whole_seconds(*retry_after))]
    Overloaded { shortage: Shortage, retry_after: Duration },
    #[error(
        "the request's time was over before it was answered: see --request-timeout, the header x-request-timeout-ms and, under /v2, the parameter timeout"
    )]
    DeadlineExceeded,
    #[error(
        "model and reference are being loaded already, perhaps from files that are older: try again when that is done"
    )]
    ReloadInProgress,
    #[error("the old model goes on answering: {reason}")]
    ReloadFailed {
        /// What is wrong with the new one: the whole chain of causes.
        reason: String,
    },
    #[error("drift over time is not watched: {reason}")]
    NoMonitor { reason: &'static str },
    #[error(
        "the drift monitor's file or database cannot be used now ({code}): the server's log has the details"
    )]
    MonitorUnavailable { code: &'static str },
    #[error("the query is malformed: {reason}")]
    InvalidQuery { reason: String },
    #[error("the server is stopping")]
    Stopping,
    #[error(
        "the model fails again and again, in new sessions, too: it is tried again in {} s, and the server's log has the details",
        whole_seconds(*retry_after)
    )]
    EngineFailing { retry_after: Duration },
    /// The server has lost one of its threads: it should be replaced.
    #[error("a thread of the server has ended: restart it")]
    ThreadLost,
    #[error("there is no {path}: images go to POST /predict")]
    NotFound { path: String },
    #[error("{path} does not take {method}: use {allowed}")]
    MethodNotAllowed { path: String, method: String, allowed: &'static str },
    /// A fault of ours, or of the operator's set-up: the log has the chain, the client has not.
    #[error("internal error: the server's log has the details")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl ApiError {
    /// Status and stable code. No wildcard: a new variant does not compile until someone decides.
    fn status_and_code(&self) -> (StatusCode, &'static str) {
        match self {
            Self::MissingFile => (StatusCode::UNPROCESSABLE_ENTITY, "missing_file"),
            Self::TooManyFiles { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "too_many_files"),
            Self::TooManyFields { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "too_many_fields"),
            Self::InvalidField { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "invalid_field"),
            Self::NotAnUpload { .. } | Self::NotAnImageType { .. } => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type")
            }
            Self::MalformedMultipart { .. } => (StatusCode::BAD_REQUEST, "malformed_multipart"),
            Self::MalformedBody { .. } => (StatusCode::BAD_REQUEST, "malformed_body"),
            Self::InvalidHeader { .. } => (StatusCode::BAD_REQUEST, "invalid_header"),
            Self::TooManyBytes { .. } | Self::TooLargeFields { .. } => {
                (StatusCode::PAYLOAD_TOO_LARGE, "too_large")
            }
            Self::UploadTimeout { .. } => (StatusCode::REQUEST_TIMEOUT, "upload_timeout"),
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "unauthorized"),
            Self::Forbidden => (StatusCode::FORBIDDEN, "forbidden"),
            Self::AdminDisabled => (StatusCode::FORBIDDEN, "admin_disabled"),
            Self::HostNotAllowed { .. } => (StatusCode::FORBIDDEN, "host_not_allowed"),
            Self::CrossSiteRequest { .. } => (StatusCode::FORBIDDEN, "cross_site_request"),
            Self::RateLimited { .. } => (StatusCode::TOO_MANY_REQUESTS, "rate_limited"),
            Self::TooManyHeaders { .. } => {
                (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "too_many_headers")
            }
            Self::ClientLeft => (client_left(), "client_left"),
            Self::Image(error) | Self::ImageAt { error, .. } => (status(error), error.code()),
            Self::UnusableOutput { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "unusable_output"),
            Self::InvalidInference { .. } => (StatusCode::BAD_REQUEST, "invalid_inference_request"),
            Self::UnsupportedEncoding { .. } => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_encoding")
            }
            Self::UnknownModel { .. } => (StatusCode::NOT_FOUND, "unknown_model"),
            Self::NotSupported { .. } => (StatusCode::BAD_REQUEST, "not_supported"),
            Self::Overloaded { .. } => (StatusCode::SERVICE_UNAVAILABLE, "overloaded"),
            Self::DeadlineExceeded => (StatusCode::GATEWAY_TIMEOUT, "deadline_exceeded"),
            Self::ReloadInProgress => (StatusCode::CONFLICT, "reload_in_progress"),
            Self::ReloadFailed { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "reload_failed"),
            Self::NoMonitor { .. } => (StatusCode::NOT_FOUND, "no_monitor"),
            Self::MonitorUnavailable { .. } => {
                (StatusCode::SERVICE_UNAVAILABLE, "monitor_unavailable")
            }
            Self::InvalidQuery { .. } => (StatusCode::BAD_REQUEST, "invalid_query"),
            Self::Stopping => (StatusCode::SERVICE_UNAVAILABLE, "stopping"),
            Self::EngineFailing { .. } => (StatusCode::SERVICE_UNAVAILABLE, ENGINE_FAILING),
            Self::ThreadLost => (StatusCode::SERVICE_UNAVAILABLE, "thread_lost"),
            Self::NotFound { .. } => (StatusCode::NOT_FOUND, "not_found"),
            Self::MethodNotAllowed { .. } => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
            Self::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        }
    }

    /// There is no room, nor is it known when there will be.
    pub fn overloaded(shortage: Shortage) -> Self {
        Self::Overloaded { shortage, retry_after: Duration::from_secs(1) }
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        self.status_and_code().1
    }

    /// Writes a fault of ours into the log, which clients are told to have the details.
    pub fn log_internal(&self) {
        if let Self::Internal(error) = self {
            tracing::error!("{}", chain_of(error.as_ref()));
        }
    }
}

/// The code of [`ApiError::EngineFailing`].
pub const ENGINE_FAILING: &str = "engine_failing";

/// The status of a request whose client left before the answer, as nginx writes it into its log; there
/// is no standard one. Nobody is sent it.
pub const CLIENT_LEFT: u16 = 499;

fn client_left() -> StatusCode {
    StatusCode::from_u16(CLIENT_LEFT).unwrap_or(StatusCode::BAD_REQUEST)
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
        ImageError::AmbiguousBitDepth { .. } | ImageError::BeyondBitDepth { .. } => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
    }
}

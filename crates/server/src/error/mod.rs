//! Errors as clients see them: the one place that maps them to status and code.

mod answer;
mod engine;
pub mod kinds;
mod shortage;
mod text;
mod way_back;

use std::time::Duration;

use sdd_core::ImageError;
use sdd_serving::causes::chain_of;
use thiserror::Error;

pub use self::answer::{Body, Fault};
use self::kinds::Kind;
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
    /// No wildcard: a new variant does not compile until someone decides.
    pub fn kind(&self) -> &'static Kind {
        match self {
            Self::MissingFile => &kinds::MISSING_FILE,
            Self::TooManyFiles { .. } => &kinds::TOO_MANY_FILES,
            Self::TooManyFields { .. } => &kinds::TOO_MANY_FIELDS,
            Self::InvalidField { .. } => &kinds::INVALID_FIELD,
            Self::NotAnUpload { .. } | Self::NotAnImageType { .. } => {
                &kinds::UNSUPPORTED_MEDIA_TYPE
            }
            Self::MalformedMultipart { .. } => &kinds::MALFORMED_MULTIPART,
            Self::MalformedBody { .. } => &kinds::MALFORMED_BODY,
            Self::InvalidHeader { .. } => &kinds::INVALID_HEADER,
            Self::TooManyBytes { .. } | Self::TooLargeFields { .. } => &kinds::TOO_LARGE,
            Self::UploadTimeout { .. } => &kinds::UPLOAD_TIMEOUT,
            Self::Unauthorized => &kinds::UNAUTHORIZED,
            Self::Forbidden => &kinds::FORBIDDEN,
            Self::AdminDisabled => &kinds::ADMIN_DISABLED,
            Self::HostNotAllowed { .. } => &kinds::HOST_NOT_ALLOWED,
            Self::CrossSiteRequest { .. } => &kinds::CROSS_SITE_REQUEST,
            Self::RateLimited { .. } => &kinds::RATE_LIMITED,
            Self::TooManyHeaders { .. } => &kinds::TOO_MANY_HEADERS,
            Self::ClientLeft => &kinds::CLIENT_LEFT,
            Self::Image(error) | Self::ImageAt { error, .. } => kinds::of_image(error),
            Self::UnusableOutput { .. } => &kinds::UNUSABLE_OUTPUT,
            Self::InvalidInference { .. } => &kinds::INVALID_INFERENCE_REQUEST,
            Self::UnsupportedEncoding { .. } => &kinds::UNSUPPORTED_ENCODING,
            Self::UnknownModel { .. } => &kinds::UNKNOWN_MODEL,
            Self::NotSupported { .. } => &kinds::NOT_SUPPORTED,
            Self::Overloaded { .. } => &kinds::OVERLOADED,
            Self::DeadlineExceeded => &kinds::DEADLINE_EXCEEDED,
            Self::ReloadInProgress => &kinds::RELOAD_IN_PROGRESS,
            Self::ReloadFailed { .. } => &kinds::RELOAD_FAILED,
            Self::NoMonitor { .. } => &kinds::NO_MONITOR,
            Self::MonitorUnavailable { .. } => &kinds::MONITOR_UNAVAILABLE,
            Self::InvalidQuery { .. } => &kinds::INVALID_QUERY,
            Self::Stopping => &kinds::STOPPING,
            Self::EngineFailing { .. } => &kinds::ENGINE_FAILING,
            Self::ThreadLost => &kinds::THREAD_LOST,
            Self::NotFound { .. } => &kinds::NOT_FOUND,
            Self::MethodNotAllowed { .. } => &kinds::METHOD_NOT_ALLOWED,
            Self::Internal(_) => &kinds::INTERNAL,
        }
    }

    /// There is no room, nor is it known when there will be.
    pub fn overloaded(shortage: Shortage) -> Self {
        Self::Overloaded { shortage, retry_after: Duration::from_secs(1) }
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        self.kind().code
    }

    /// Writes a fault of ours into the log, which clients are told to have the details.
    pub fn log_internal(&self) {
        if let Self::Internal(error) = self {
            tracing::error!("{}", chain_of(error.as_ref()));
        }
    }
}

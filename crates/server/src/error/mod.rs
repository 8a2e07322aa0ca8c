//! Errors as clients see them: the one place that maps them to status and code.

mod answer;
mod engine;
mod shortage;
mod text;

use std::time::Duration;

use actix_web::http::StatusCode;
use sdd_core::ImageError;
use sdd_serving::causes::chain_of;
use thiserror::Error;

pub use self::answer::{Body, Fault};
pub use self::shortage::Shortage;
pub use self::text::readable_size;
use self::text::{too_many_files, whole_seconds};

/// What a request can be refused with. Codes are part of the interface: they do not change.
#[derive(Debug, Error)]
pub enum ApiError {
    /// The upload has no part named `file`.
    #[error(
        "the field `file` is missing: send the image as multipart/form-data with -F \"file=@part.jpg\""
    )]
    MissingFile,
    /// The upload has more parts named `file` than the path takes.
    #[error("{}", too_many_files(*limit))]
    TooManyFiles {
        /// The limit.
        limit: usize,
    },
    /// The upload has more other parts than are read.
    #[error(
        "the form has more than {limit} fields beside `file`, which are not read: leave them out"
    )]
    TooManyFields {
        /// The limit.
        limit: usize,
    },
    /// The body is neither multipart/form-data nor an image.
    #[error(
        "expected an image, found the type {found}: send it as multipart/form-data with -F \"file=@part.jpg\", or as \
         the body with -H \"Content-Type: image/jpeg\" --data-binary @part.jpg"
    )]
    NotAnUpload {
        /// The request's content type, or that there is none.
        found: String,
    },
    /// The body says that it is multipart/form-data, and is not well-formed.
    #[error("the multipart body is malformed: {reason}")]
    MalformedMultipart {
        /// What is wrong with it.
        reason: String,
    },
    /// The body broke off or is not what its type says.
    #[error("the body is malformed: {reason}")]
    MalformedBody {
        /// What is wrong with it.
        reason: String,
    },
    /// A header of the request has a value that it cannot have.
    #[error("the header {name} is malformed: {reason}")]
    InvalidHeader {
        /// The header.
        name: &'static str,
        /// What was expected, and what was found.
        reason: String,
    },
    /// The part's declared type is not an image's, and neither is its content.
    #[error("the field `file` has the type {found}: expected an image, as image/jpeg or image/png")]
    NotAnImageType {
        /// The declared type.
        found: String,
    },
    /// The body is larger than an upload may be.
    #[error("the upload is larger than the limit of {} (see --max-bytes)", readable_size(*limit))]
    TooManyBytes {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The fields of a form beside its images are larger than they may be.
    #[error("the form's fields beside `file` have more than the limit of {limit} bytes together")]
    TooLargeFields {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The body did not come in time.
    #[error("the upload took longer than {limit:?}")]
    UploadTimeout {
        /// The limit.
        limit: Duration,
    },
    /// The image cannot be classified.
    #[error(transparent)]
    Image(ImageError),
    /// No key, or one that is not known.
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
    /// The request is for a name that may be a page's that leads here.
    #[error(
        "the server does not answer to the name {host}: if that name is meant to lead here, start it with \
         --allowed-hosts and the name, without a port, or *"
    )]
    HostNotAllowed {
        /// The name.
        host: String,
    },
    /// A page of another site made the browser send the request.
    #[error(
        "pages of other sites may not do this, and {origin} is one: --cors-origins allows sites. If it is a page of this \
         server behind a proxy, the proxy has to pass on the header Host"
    )]
    CrossSiteRequest {
        /// The site.
        origin: String,
    },
    /// The client sends more requests than `--rate-limit` lets it.
    #[error("too many requests from this client: try again in {} s", whole_seconds(*retry_after))]
    RateLimited {
        /// When it may send the next one.
        retry_after: Duration,
    },
    /// The head of the request is too large.
    #[error("the request has more than {limit} headers")]
    TooManyHeaders {
        /// The limit.
        limit: usize,
    },
    /// Nobody reads the answer any more: for the log.
    #[error("the client left before it was answered")]
    ClientLeft,
    /// One image of several cannot be classified, and the answer is for all or none.
    #[error("image {index}: {error}")]
    ImageAt {
        /// Its position, from 0.
        index: usize,
        /// What is wrong with it.
        error: ImageError,
    },
    /// The model has no answer for this input, as for a tensor of huge values.
    #[error("the model's output `{output}` is not usable for this input: {reason}")]
    UnusableOutput {
        /// The output's name.
        output: String,
        /// What was expected and found.
        reason: String,
    },
    /// The request is not one of the Open Inference Protocol, or not for this model.
    #[error("{reason}")]
    InvalidInference {
        /// What was expected, and what was found.
        reason: String,
    },
    /// The body is compressed in another way than those that are taken.
    #[error("the content-encoding {found} is not supported here: use {supported}")]
    UnsupportedEncoding {
        /// The header's value.
        found: String,
        /// What the path takes.
        supported: &'static str,
    },
    /// The model asked for is not the one that is served.
    #[error("there is no model {asked_for}: {served} is served")]
    UnknownModel {
        /// Name, and version where one was asked for.
        asked_for: String,
        /// Name and version of the one that is served.
        served: String,
    },
    /// A part of a protocol that this server does not have.
    #[error("{what}")]
    NotSupported {
        /// What it does not do, and what to do instead.
        what: &'static str,
    },
    /// There is no room for the request now.
    #[error("{shortage}: try again in {} s", whole_seconds(*retry_after))]
    Overloaded {
        /// What there is too little of.
        shortage: Shortage,
        /// When there is likely to be room.
        retry_after: Duration,
    },
    /// The answer would have come too late.
    #[error(
        "the request's time was over before it was answered: see --request-timeout, the header x-request-timeout-ms and, under /v2, the parameter timeout"
    )]
    DeadlineExceeded,
    /// One reload at a time.
    #[error(
        "model and reference are being loaded already, perhaps from files that are older: try again when that is done"
    )]
    ReloadInProgress,
    /// The new model or reference cannot be served.
    #[error("the old model goes on answering: {reason}")]
    ReloadFailed {
        /// What is wrong with the new one: the whole chain of causes.
        reason: String,
    },
    /// Nothing is watched for drift over time.
    #[error("drift over time is not watched: {reason}")]
    NoMonitor {
        /// Why not.
        reason: &'static str,
    },
    /// The monitor's file or database cannot be read now.
    #[error(
        "the drift monitor's file or database cannot be used now ({code}): the server's log has the details"
    )]
    MonitorUnavailable {
        /// What is wrong with it, in short.
        code: &'static str,
    },
    /// The query of the address is not one that the path takes.
    #[error("the query is malformed: {reason}")]
    InvalidQuery {
        /// What is wrong with it.
        reason: String,
    },
    /// The server is about to stop.
    #[error("the server is stopping")]
    Stopping,
    /// The model fails, whatever it is asked, also in new sessions.
    #[error(
        "the model fails again and again, in new sessions, too: it is tried again in {} s, and the server's log has the details",
        whole_seconds(*retry_after)
    )]
    EngineFailing {
        /// When it is tried again.
        retry_after: Duration,
    },
    /// The server has lost one of its threads: it should be replaced.
    #[error("a thread of the server has ended: restart it")]
    ThreadLost,
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
            Self::TooManyFiles { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "too_many_files"),
            Self::TooManyFields { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "too_many_fields"),
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
    #[must_use]
    pub fn overloaded(shortage: Shortage) -> Self {
        Self::Overloaded { shortage, retry_after: Duration::from_secs(1) }
    }

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.status_and_code().1
    }

    /// What a client is told: code and message.
    #[must_use]
    pub fn fault(&self) -> Fault {
        Fault { code: self.code(), message: self.to_string() }
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

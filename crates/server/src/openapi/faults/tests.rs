use std::time::Duration;

use actix_web::ResponseError;
use sdd_core::ImageError;
use sdd_serving::engine::EngineShortage;

use super::{
    ADMIN, EVERY_REQUEST, FORM, GUARDED, IMAGES, INFERENCE, LIVENESS, MODEL, MONITOR,
    NOT_SUPPORTED, QUERY, READINESS, RELOAD,
};
use crate::error::ApiError;

/// One of each kind that has a status and a code of its own.
fn every_error() -> Vec<ApiError> {
    let text = String::new;
    vec![
        ApiError::MissingFile,
        ApiError::TooManyFiles { limit: 1 },
        ApiError::TooManyFields { limit: 1 },
        ApiError::InvalidField { name: "group", expected: text() },
        ApiError::NotAnUpload { found: text() },
        ApiError::MalformedMultipart { reason: text() },
        ApiError::MalformedBody { reason: text() },
        ApiError::InvalidHeader { name: "x", reason: text() },
        ApiError::NotAnImageType { found: text() },
        ApiError::TooManyBytes { limit: 1 },
        ApiError::TooLargeFields { limit: 1 },
        ApiError::UploadTimeout { limit: Duration::ZERO },
        ApiError::Image(ImageError::Empty),
        ApiError::Image(ImageError::NotAnImage),
        ApiError::Image(ImageError::Damaged { format: "PNG", reason: text() }),
        ApiError::Image(ImageError::Unsupported { what: text() }),
        ApiError::Image(ImageError::TooMuchMemory { format: "PNG" }),
        ApiError::Image(ImageError::AmbiguousBitDepth { largest: 1 }),
        ApiError::Image(ImageError::BeyondBitDepth { largest: 1, bit_depth: 9 }),
        ApiError::Unauthorized,
        ApiError::Forbidden,
        ApiError::AdminDisabled,
        ApiError::HostNotAllowed { host: text() },
        ApiError::CrossSiteRequest { origin: text() },
        ApiError::RateLimited { retry_after: Duration::ZERO },
        ApiError::TooManyHeaders { limit: 1 },
        ApiError::overloaded(EngineShortage::Room.into()),
        ApiError::DeadlineExceeded,
        ApiError::InvalidInference { reason: text() },
        ApiError::UnsupportedEncoding { found: text(), supported: "x" },
        ApiError::UnusableOutput { output: text(), reason: text() },
        ApiError::UnknownModel { asked_for: text(), served: text() },
        ApiError::NotSupported { what: "x" },
        ApiError::ReloadInProgress,
        ApiError::ReloadFailed { reason: text() },
        ApiError::NoMonitor { reason: "x" },
        ApiError::MonitorUnavailable { code: "x" },
        ApiError::InvalidQuery { reason: text() },
        ApiError::Stopping,
        ApiError::ThreadLost,
        ApiError::EngineFailing { retry_after: Duration::ZERO },
        ApiError::Internal("".into()),
    ]
}

#[test]
fn every_error_is_documented_with_its_status_and_code() {
    let groups = [
        EVERY_REQUEST,
        GUARDED,
        IMAGES,
        FORM,
        MODEL,
        INFERENCE,
        NOT_SUPPORTED,
        ADMIN,
        RELOAD,
        MONITOR,
        QUERY,
        READINESS,
        LIVENESS,
    ];
    let documented: Vec<_> =
        groups.into_iter().flatten().map(|fault| (fault.status, fault.code)).collect();
    for error in every_error() {
        let pair = (error.status_code().as_u16(), error.code());
        assert!(documented.contains(&pair), "{pair:?} is not documented");
    }
}

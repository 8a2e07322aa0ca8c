//! The answers that are not a success, as the document tells of them.
//!
//! Which status and code an error has is decided in [`crate::error`]; a test compares the two.

use std::collections::BTreeMap;

use serde_json::json;
use utoipa::IntoResponses;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::schema::{AllOfBuilder, ObjectBuilder, Type};
use utoipa::openapi::{Content, ContentBuilder, Ref, RefOr, Response, ResponseBuilder, Schema};

/// A fault that a client can be told of.
#[derive(Clone, Copy)]
pub(super) struct Documented {
    status: u16,
    code: &'static str,
    pub(super) when: &'static str,
}

const fn fault(status: u16, code: &'static str, when: &'static str) -> Documented {
    Documented { status, code, when }
}

pub(super) const EVERY_REQUEST: &[Documented] = &[
    fault(400, "invalid_header", "a header of the request has a value that it cannot have"),
    fault(431, "too_many_headers", "the request has too many headers"),
    fault(500, "internal", "a fault of the server: its log has the details"),
];

/// Of every path but health checks.
const NAME: &[Documented] = &[fault(
    403,
    "host_not_allowed",
    "the server is not asked by this name: see `--allowed-hosts`",
)];

pub(super) const GUARDED: &[Documented] = &[
    fault(401, "unauthorized", "an API key is needed, and none or an unknown one was sent"),
    fault(403, "forbidden", "this is not allowed to whoever asks"),
    NAME[0],
    fault(403, "cross_site_request", "pages of other sites may not do this"),
    fault(
        429,
        "rate_limited",
        "too many requests of this client: `retry-after` says when to return",
    ),
];

const ENGINE_FAILING: Documented = fault(
    503,
    "engine_failing",
    "the model fails again and again: `retry-after` says when it is tried again",
);

/// Of every body with images, whatever its form.
pub(super) const IMAGES: &[Documented] = &[
    fault(400, "malformed_body", "the body broke off or is not what its type says"),
    fault(400, "empty_file", "the file has no bytes"),
    fault(400, "not_an_image", "the file is no image"),
    fault(400, "damaged_image", "the image is damaged"),
    fault(408, "upload_timeout", "the upload took too long"),
    fault(413, "too_large", "the upload has too many bytes"),
    fault(413, "too_many_pixels", "the image has too many pixels"),
    fault(415, "unsupported_image", "an image of a kind that is not read, as GIF"),
    fault(
        415,
        "unsupported_encoding",
        "the body is compressed in a way that this path does not take",
    ),
    fault(
        422,
        "ambiguous_bit_depth",
        "a 16-bit image may be one of 12 bits, and the model does not say which it takes",
    ),
    fault(422, "beyond_bit_depth", "a 16-bit image has more bits than the model takes"),
    fault(422, "unusable_output", "the model has no finite answer for this input"),
    fault(503, "overloaded", "there is no room now: `retry-after` says when to return"),
    ENGINE_FAILING,
    fault(504, "deadline_exceeded", "the request's time was over before it was answered"),
];

const RELOAD: &[Documented] = &[
    fault(409, "reload_in_progress", "another reload is being done: try again when it is over"),
    fault(422, "reload_failed", "the new model cannot be served: the old one goes on answering"),
];

const MONITOR: &[Documented] = &[
    fault(404, "no_monitor", "drift over time is not watched: there is no reference, or no file"),
    fault(
        503,
        "monitor_unavailable",
        "the monitor's file or database cannot be used now: the log says why",
    ),
    fault(503, "overloaded", "as many ask already as may: `retry-after` says when to return"),
];

const QUERY: &[Documented] =
    &[fault(400, "invalid_query", "the query is not one that this path takes")];

/// Of every path below `/admin`.
const ADMIN: &[Documented] = &[fault(
    403,
    "admin_disabled",
    "there is no admin key, and this is not the address of --admin-address",
)];

const FORM: &[Documented] = &[
    fault(400, "malformed_multipart", "the form is not well-formed"),
    fault(415, "unsupported_media_type", "the body is neither multipart/form-data nor an image"),
    fault(422, "missing_file", "the form has no field `file`"),
    fault(422, "too_many_files", "the form has more fields `file` than this path takes"),
    fault(422, "too_many_fields", "the form has too many other fields"),
];

pub(super) const MODEL: &[Documented] =
    &[fault(404, "unknown_model", "the path names another model or version than the served one")];

pub(super) const INFERENCE: &[Documented] =
    &[fault(400, "invalid_inference_request", "the request is malformed or not for this model")];

pub(super) const NOT_SUPPORTED: &[Documented] =
    &[fault(400, "not_supported", "a part of the protocol that this server does not have")];

pub(super) const LIVENESS: &[Documented] = &[
    fault(503, "thread_lost", "a thread of the server has ended: it should be restarted"),
    ENGINE_FAILING,
];

/// Beside those of [`LIVENESS`].
pub(super) const READINESS: &[Documented] =
    &[fault(503, "stopping", "the server is about to stop")];

/// Faults of a path that anyone may ask at any time.
pub struct OpenFaults;

/// Faults of `/livez`.
pub struct LivenessFaults;

/// Faults of `/readyz`.
pub struct ReadinessFaults;

/// Faults of a path that may need a key.
pub struct GuardedFaults;

/// Faults of a path that takes images.
pub struct UploadFaults;

/// Faults of `/admin/reload`.
pub struct ReloadFaults;

/// Faults of `/drift`, and of `/drift/report` and its other forms.
pub struct MonitorFaults;

/// Faults of `/drift/observations`.
pub struct ObservationFaults;

/// Faults of `/admin/drift/reset`.
pub struct ResetFaults;

pub(super) type Responses = BTreeMap<String, RefOr<Response>>;

impl IntoResponses for OpenFaults {
    fn responses() -> Responses {
        responses_of(&[EVERY_REQUEST, NAME])
    }
}

impl IntoResponses for LivenessFaults {
    fn responses() -> Responses {
        responses_of(&[EVERY_REQUEST, LIVENESS])
    }
}

impl IntoResponses for ReadinessFaults {
    fn responses() -> Responses {
        responses_of(&[EVERY_REQUEST, READINESS, LIVENESS])
    }
}

impl IntoResponses for GuardedFaults {
    fn responses() -> Responses {
        responses_of(&[EVERY_REQUEST, GUARDED])
    }
}

impl IntoResponses for UploadFaults {
    fn responses() -> Responses {
        responses_of(&[EVERY_REQUEST, GUARDED, IMAGES, FORM])
    }
}

impl IntoResponses for ReloadFaults {
    fn responses() -> Responses {
        responses_of(&[EVERY_REQUEST, GUARDED, ADMIN, RELOAD])
    }
}

impl IntoResponses for MonitorFaults {
    fn responses() -> Responses {
        responses_of(&[EVERY_REQUEST, GUARDED, MONITOR])
    }
}

impl IntoResponses for ObservationFaults {
    fn responses() -> Responses {
        responses_of(&[EVERY_REQUEST, GUARDED, QUERY, MONITOR])
    }
}

impl IntoResponses for ResetFaults {
    fn responses() -> Responses {
        responses_of(&[EVERY_REQUEST, GUARDED, ADMIN, MONITOR])
    }
}

fn responses_of(groups: &[&[Documented]]) -> Responses {
    responses_with(groups, own_description, own_content)
}

/// The answers of each status, with what `describe` says of a fault, and the body that `content` makes
/// of those of one status.
pub(super) fn responses_with(
    groups: &[&[Documented]],
    describe: fn(&Documented) -> String,
    content: fn(&[&Documented]) -> Content,
) -> Responses {
    let mut by_status: BTreeMap<u16, Vec<&Documented>> = BTreeMap::new();
    for fault in groups.iter().copied().flatten() {
        by_status.entry(fault.status).or_default().push(fault);
    }
    let response = |faults: Vec<&Documented>| {
        let lines: Vec<_> = faults.iter().map(|fault| format!("- {}", describe(fault))).collect();
        let response = ResponseBuilder::new()
            .description(lines.join("\n"))
            .content("application/json", content(&faults));
        with_retry_after(response, &faults).build()
    };
    by_status
        .into_iter()
        .map(|(status, faults)| (status.to_string(), RefOr::T(response(faults))))
        .collect()
}

fn own_description(fault: &Documented) -> String {
    format!("`{}`: {}", fault.code, fault.when)
}

fn own_content(faults: &[&Documented]) -> Content {
    let codes = faults.iter().map(|fault| fault.code);
    let code = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(codes));
    let error = ObjectBuilder::new().property("code", code);
    let body = AllOfBuilder::new()
        .item(Ref::from_schema_name("Error"))
        .item(ObjectBuilder::new().property("error", error));
    let example = json!({"error": {"code": faults[0].code, "message": faults[0].when}});
    ContentBuilder::new().schema(Some(Schema::AllOf(body.build()))).example(Some(example)).build()
}

fn with_retry_after(response: ResponseBuilder, faults: &[&Documented]) -> ResponseBuilder {
    if !faults
        .iter()
        .any(|fault| matches!(fault.code, "overloaded" | "rate_limited" | "engine_failing"))
    {
        return response;
    }
    let seconds = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1));
    let header = HeaderBuilder::new()
        .schema(Some(seconds))
        .description(Some("Seconds after which there is likely to be room."));
    response.header("retry-after", header.build())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use actix_web::ResponseError;
    use sdd_core::ImageError;

    use super::{
        ADMIN, EVERY_REQUEST, FORM, GUARDED, IMAGES, INFERENCE, LIVENESS, MODEL, MONITOR,
        NOT_SUPPORTED, QUERY, READINESS, RELOAD,
    };
    use crate::error::{ApiError, Shortage};

    /// One of each kind that has a status and a code of its own.
    fn every_error() -> Vec<ApiError> {
        let text = String::new;
        vec![
            ApiError::MissingFile,
            ApiError::TooManyFiles { limit: 1 },
            ApiError::TooManyFields { limit: 1 },
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
            ApiError::overloaded(Shortage::Room),
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
}

//! The answers that are not a success, as the document tells of them.
//!
//! Which status and code an error has is decided in [`crate::error`]; a test compares the two.

mod answers;
mod documented;

use utoipa::IntoResponses;

use self::answers::responses_of;
pub(super) use self::answers::{Responses, responses_with};
pub(super) use self::documented::Documented;
use self::documented::fault;

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

/// Types that handlers name to utoipa, each with its groups of faults.
macro_rules! faults {
    ($($(#[$doc:meta])* $name:ident: $groups:expr;)+) => {
        $(
            $(#[$doc])*
            pub struct $name;

            impl IntoResponses for $name {
                fn responses() -> Responses {
                    responses_of(&$groups)
                }
            }
        )+
    };
}
pub(super) use faults;

faults! {
    /// Faults of a path that anyone may ask at any time.
    OpenFaults: [EVERY_REQUEST, NAME];
    /// Faults of `/livez`.
    LivenessFaults: [EVERY_REQUEST, LIVENESS];
    /// Faults of `/readyz`.
    ReadinessFaults: [EVERY_REQUEST, READINESS, LIVENESS];
    /// Faults of a path that may need a key.
    GuardedFaults: [EVERY_REQUEST, GUARDED];
    /// Faults of a path that takes images.
    UploadFaults: [EVERY_REQUEST, GUARDED, IMAGES, FORM];
    /// Faults of `/admin/reload`.
    ReloadFaults: [EVERY_REQUEST, GUARDED, ADMIN, RELOAD];
    /// Faults of `/drift`, and of `/drift/report` and its other forms.
    MonitorFaults: [EVERY_REQUEST, GUARDED, MONITOR];
    /// Faults of `/drift/observations`.
    ObservationFaults: [EVERY_REQUEST, GUARDED, QUERY, MONITOR];
    /// Faults of `/admin/drift/reset`.
    ResetFaults: [EVERY_REQUEST, GUARDED, ADMIN, MONITOR];
}

#[cfg(test)]
mod tests;

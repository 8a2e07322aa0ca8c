//! The kinds of faults that clients are told of: statuses and codes, which are part of the interface and do not change.

use sdd_core::ImageError;

/// A kind of fault.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    /// Of the answer.
    pub status: u16,
    /// For programs: stable.
    pub code: &'static str,
    /// When it is, for the OpenAPI document.
    pub when: &'static str,
}

const fn kind(status: u16, code: &'static str, when: &'static str) -> Kind {
    Kind { status, code, when }
}

pub const INVALID_HEADER: Kind =
    kind(400, "invalid_header", "a header of the request has a value that it cannot have");
pub const TOO_MANY_HEADERS: Kind =
    kind(431, "too_many_headers", "the request has too many headers");
pub const INTERNAL: Kind = kind(500, "internal", "a fault of the server: its log has the details");
pub const HOST_NOT_ALLOWED: Kind =
    kind(403, "host_not_allowed", "the server is not asked by this name: see `--allowed-hosts`");
pub const UNAUTHORIZED: Kind =
    kind(401, "unauthorized", "an API key is needed, and none or an unknown one was sent");
pub const FORBIDDEN: Kind = kind(403, "forbidden", "this is not allowed to whoever asks");
pub const CROSS_SITE_REQUEST: Kind =
    kind(403, "cross_site_request", "pages of other sites may not do this");
pub const RATE_LIMITED: Kind = kind(
    429,
    "rate_limited",
    "too many requests of this client: `retry-after` says when to return",
);
pub const ENGINE_FAILING: Kind = kind(
    503,
    "engine_failing",
    "the model fails again and again: `retry-after` says when it is tried again",
);
pub const MALFORMED_BODY: Kind =
    kind(400, "malformed_body", "the body broke off or is not what its type says");
pub const EMPTY_FILE: Kind = kind(400, "empty_file", "the file has no bytes");
pub const NOT_AN_IMAGE: Kind = kind(400, "not_an_image", "the file is no image");
pub const DAMAGED_IMAGE: Kind = kind(400, "damaged_image", "the image is damaged");
pub const UPLOAD_TIMEOUT: Kind = kind(408, "upload_timeout", "the upload took too long");
pub const TOO_LARGE: Kind = kind(413, "too_large", "the upload has too many bytes");
pub const TOO_MANY_PIXELS: Kind = kind(413, "too_many_pixels", "the image has too many pixels");
pub const UNSUPPORTED_IMAGE: Kind =
    kind(415, "unsupported_image", "an image of a kind that is not read, as GIF");
pub const UNSUPPORTED_ENCODING: Kind = kind(
    415,
    "unsupported_encoding",
    "the body is compressed in a way that this path does not take",
);
pub const AMBIGUOUS_BIT_DEPTH: Kind = kind(
    422,
    "ambiguous_bit_depth",
    "a 16-bit image may be one of 12 bits, and the model does not say which it takes",
);
pub const BEYOND_BIT_DEPTH: Kind =
    kind(422, "beyond_bit_depth", "a 16-bit image has more bits than the model takes");
pub const UNUSABLE_OUTPUT: Kind =
    kind(422, "unusable_output", "the model has no finite answer for this input");
pub const OVERLOADED: Kind =
    kind(503, "overloaded", "there is no room now: `retry-after` says when to return");
pub const DEADLINE_EXCEEDED: Kind =
    kind(504, "deadline_exceeded", "the request's time was over before it was answered");
pub const RELOAD_IN_PROGRESS: Kind =
    kind(409, "reload_in_progress", "another reload is being done: try again when it is over");
pub const RELOAD_FAILED: Kind =
    kind(422, "reload_failed", "the new model cannot be served: the old one goes on answering");
pub const NO_MONITOR: Kind =
    kind(404, "no_monitor", "drift over time is not watched: there is no reference, or no file");
pub const MONITOR_UNAVAILABLE: Kind = kind(
    503,
    "monitor_unavailable",
    "the monitor's file or database cannot be used now: the log says why",
);
pub const MONITOR_OVERLOADED: Kind =
    kind(503, "overloaded", "as many ask already as may: `retry-after` says when to return");
pub const INVALID_QUERY: Kind =
    kind(400, "invalid_query", "the query is not one that this path takes");
pub const ADMIN_DISABLED: Kind = kind(
    403,
    "admin_disabled",
    "there is no admin key, and this is not the address of --admin-address",
);
pub const MALFORMED_MULTIPART: Kind =
    kind(400, "malformed_multipart", "the form is not well-formed");
pub const UNSUPPORTED_MEDIA_TYPE: Kind =
    kind(415, "unsupported_media_type", "the body is neither multipart/form-data nor an image");
pub const MISSING_FILE: Kind = kind(422, "missing_file", "the form has no field `file`");
pub const TOO_MANY_FILES: Kind =
    kind(422, "too_many_files", "the form has more fields `file` than this path takes");
pub const TOO_MANY_FIELDS: Kind =
    kind(422, "too_many_fields", "the form has too many other fields");
pub const INVALID_FIELD: Kind =
    kind(422, "invalid_field", "the field `group` or `stream` is no name");
pub const UNKNOWN_MODEL: Kind =
    kind(404, "unknown_model", "the path names another model or version than the served one");
pub const INVALID_INFERENCE_REQUEST: Kind =
    kind(400, "invalid_inference_request", "the request is malformed or not for this model");
pub const NOT_SUPPORTED: Kind =
    kind(400, "not_supported", "a part of the protocol that this server does not have");
pub const THREAD_LOST: Kind =
    kind(503, "thread_lost", "a thread of the server has ended: it should be restarted");
pub const STOPPING: Kind = kind(503, "stopping", "the server is about to stop");
pub const NOT_FOUND: Kind = kind(404, "not_found", "there is no such path");
pub const METHOD_NOT_ALLOWED: Kind =
    kind(405, "method_not_allowed", "the path does not take this method");
/// Nobody is sent it; nginx writes this status into its log, and there is no standard one.
pub const CLIENT_LEFT: Kind = kind(499, "client_left", "the client left before the answer");

/// No wildcard: a new variant does not compile until someone decides.
pub(crate) fn of_image(error: &ImageError) -> &'static Kind {
    match error {
        ImageError::Empty => &EMPTY_FILE,
        ImageError::NotAnImage => &NOT_AN_IMAGE,
        ImageError::Damaged { .. } => &DAMAGED_IMAGE,
        ImageError::TooManyBytes { .. } => &TOO_LARGE,
        ImageError::TooManyPixels { .. } | ImageError::TooMuchMemory { .. } => &TOO_MANY_PIXELS,
        ImageError::Unsupported { .. } => &UNSUPPORTED_IMAGE,
        ImageError::AmbiguousBitDepth { .. } => &AMBIGUOUS_BIT_DEPTH,
        ImageError::BeyondBitDepth { .. } => &BEYOND_BIT_DEPTH,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_refused_with_the_codes_of_the_library() {
        for error in [
            ImageError::Empty,
            ImageError::NotAnImage,
            ImageError::Damaged { format: "PNG", reason: String::new() },
            ImageError::TooManyBytes { bytes: 2, limit: 1 },
            ImageError::TooMuchMemory { format: "PNG" },
            ImageError::Unsupported { what: String::new() },
            ImageError::AmbiguousBitDepth { largest: 1 },
            ImageError::BeyondBitDepth { largest: 1, bit_depth: 9 },
        ] {
            assert_eq!(of_image(&error).code, error.code());
        }
    }
}

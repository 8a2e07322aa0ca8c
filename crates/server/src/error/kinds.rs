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

macro_rules! kinds {
    ($($(#[$about:meta])* $name:ident = ($status:literal, $code:literal, $when:literal);)*) => {
        $($(#[$about])* pub const $name: Kind = Kind { status: $status, code: $code, when: $when };)*

        /// All of them.
        #[cfg(test)]
        pub const ALL: &[Kind] = &[$($name),*];
    };
}

kinds! {
    INVALID_HEADER = (400, "invalid_header", "a header of the request has a value that it cannot have");
    TOO_MANY_HEADERS = (431, "too_many_headers", "the request has too many headers");
    INTERNAL = (500, "internal", "a fault of the server: its log has the details");
    HOST_NOT_ALLOWED = (403, "host_not_allowed", "the server is not asked by this name: see `--allowed-hosts`");
    UNAUTHORIZED = (401, "unauthorized", "an API key is needed, and none or an unknown one was sent");
    FORBIDDEN = (403, "forbidden", "this is not allowed to whoever asks");
    CROSS_SITE_REQUEST = (403, "cross_site_request", "pages of other sites may not do this");
    RATE_LIMITED = (429, "rate_limited", "too many requests of this client: `retry-after` says when to return");
    ENGINE_FAILING = (
        503, "engine_failing",
        "the model fails again and again: `retry-after` says when it is tried again"
    );
    MALFORMED_BODY = (400, "malformed_body", "the body broke off or is not what its type says");
    EMPTY_FILE = (400, "empty_file", "the file has no bytes");
    NOT_AN_IMAGE = (400, "not_an_image", "the file is no image");
    DAMAGED_IMAGE = (400, "damaged_image", "the image is damaged");
    UPLOAD_TIMEOUT = (408, "upload_timeout", "the upload took too long");
    TOO_LARGE = (413, "too_large", "the upload has too many bytes");
    TOO_MANY_PIXELS = (413, "too_many_pixels", "the image has too many pixels");
    UNSUPPORTED_IMAGE = (415, "unsupported_image", "an image of a kind that is not read, as GIF");
    UNSUPPORTED_ENCODING = (
        415, "unsupported_encoding",
        "the body is compressed in a way that this path does not take"
    );
    AMBIGUOUS_BIT_DEPTH = (
        422, "ambiguous_bit_depth",
        "a 16-bit image may be one of 12 bits, and the model does not say which it takes"
    );
    BEYOND_BIT_DEPTH = (422, "beyond_bit_depth", "a 16-bit image has more bits than the model takes");
    UNUSABLE_OUTPUT = (422, "unusable_output", "the model has no finite answer for this input");
    OVERLOADED = (503, "overloaded", "there is no room now: `retry-after` says when to return");
    DEADLINE_EXCEEDED = (504, "deadline_exceeded", "the request's time was over before it was answered");
    RELOAD_IN_PROGRESS = (409, "reload_in_progress", "another reload is being done: try again when it is over");
    RELOAD_FAILED = (422, "reload_failed", "the new model cannot be served: the old one goes on answering");
    NO_MONITOR = (404, "no_monitor", "drift over time is not watched: there is no reference, or no file");
    MONITOR_UNAVAILABLE = (
        503, "monitor_unavailable",
        "the monitor's file or database cannot be used now: the log says why"
    );
    MONITOR_OVERLOADED = (503, "overloaded", "as many ask already as may: `retry-after` says when to return");
    INVALID_QUERY = (400, "invalid_query", "the query is not one that this path takes");
    ADMIN_DISABLED = (403, "admin_disabled", "there is no admin key, and this is not the address of --admin-address");
    MALFORMED_MULTIPART = (400, "malformed_multipart", "the form is not well-formed");
    UNSUPPORTED_MEDIA_TYPE = (415, "unsupported_media_type", "the body is neither multipart/form-data nor an image");
    MISSING_FILE = (422, "missing_file", "the form has no field `file`");
    TOO_MANY_FILES = (422, "too_many_files", "the form has more fields `file` than this path takes");
    TOO_MANY_FIELDS = (422, "too_many_fields", "the form has too many other fields");
    INVALID_FIELD = (422, "invalid_field", "the field `group` or `stream` is no name");
    UNKNOWN_MODEL = (404, "unknown_model", "the path names another model or version than the served one");
    INVALID_INFERENCE_REQUEST = (400, "invalid_inference_request", "the request is malformed or not for this model");
    NOT_SUPPORTED = (400, "not_supported", "a part of the protocol that this server does not have");
    THREAD_LOST = (503, "thread_lost", "a thread of the server has ended: it should be restarted");
    STOPPING = (503, "stopping", "the server is about to stop");
    NOT_FOUND = (404, "not_found", "there is no such path");
    METHOD_NOT_ALLOWED = (405, "method_not_allowed", "the path does not take this method");
    /// Nobody is sent it; nginx writes this status into its log, and there is no standard one.
    CLIENT_LEFT = (499, "client_left", "the client left before the answer");
}

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

//! The answers that are not a success, path by path: which statuses and codes there can be, and when.
//!
//! Which status and code an error has is decided in [`crate::error`]; a test compares the two.

use std::collections::BTreeMap;

use serde_json::json;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::schema::{AllOfBuilder, ObjectBuilder, Type};
use utoipa::openapi::{
    Content, ContentBuilder, OpenApi as Document, Ref, RefOr, Response, ResponseBuilder, Schema,
};
use utoipa::{Modify, ToSchema};

use crate::openapi::every_operation::operations;
use crate::security::area::Area;

/// A fault that a client can be told of.
#[derive(Clone, Copy)]
struct Fault {
    status: u16,
    code: &'static str,
    when: &'static str,
}

const fn fault(status: u16, code: &'static str, when: &'static str) -> Fault {
    Fault { status, code, when }
}

const EVERY_REQUEST: &[Fault] = &[
    fault(400, "invalid_header", "a header of the request has a value that it cannot have"),
    fault(431, "too_many_headers", "the request has too many headers"),
    fault(500, "internal", "a fault of the server: its log has the details"),
];

/// Of every path but health checks.
const NAME: &[Fault] = &[fault(
    403,
    "host_not_allowed",
    "the server is not asked by this name: see `--allowed-hosts`",
)];

const GUARDED: &[Fault] = &[
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

const ENGINE_FAILING: Fault = fault(
    503,
    "engine_failing",
    "the model fails again and again: `retry-after` says when it is tried again",
);

/// Of every body with images, whatever its form.
const IMAGES: &[Fault] = &[
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

const RELOAD: &[Fault] = &[
    fault(409, "reload_in_progress", "another reload is being done: try again when it is over"),
    fault(422, "reload_failed", "the new model cannot be served: the old one goes on answering"),
];

const MONITOR: &[Fault] = &[
    fault(404, "no_monitor", "drift over time is not watched: there is no reference, or no file"),
    fault(
        503,
        "monitor_unavailable",
        "the monitor's file or database cannot be used now: the log says why",
    ),
    fault(503, "overloaded", "as many ask already as may: `retry-after` says when to return"),
];

const QUERY: &[Fault] = &[fault(400, "invalid_query", "the query is not one that this path takes")];

/// Of every path below `/admin`.
const ADMIN: &[Fault] = &[fault(
    403,
    "admin_disabled",
    "there is no admin key, and this is not the address of --admin-address",
)];

const FORM: &[Fault] = &[
    fault(400, "malformed_multipart", "the form is not well-formed"),
    fault(415, "unsupported_media_type", "the body is neither multipart/form-data nor an image"),
    fault(422, "missing_file", "the form has no field `file`"),
    fault(422, "too_many_files", "the form has more fields `file` than this path takes"),
    fault(422, "too_many_fields", "the form has too many other fields"),
    fault(422, "invalid_field", "the field `group` or `stream` is no name"),
];

const MODEL: &[Fault] =
    &[fault(404, "unknown_model", "the path names another model or version than the served one")];

const INFERENCE: &[Fault] =
    &[fault(400, "invalid_inference_request", "the request is malformed or not for this model")];

const NOT_SUPPORTED: &[Fault] =
    &[fault(400, "not_supported", "a part of the protocol that this server does not have")];

const LIVENESS: &[Fault] = &[
    fault(503, "thread_lost", "a thread of the server has ended: it should be restarted"),
    ENGINE_FAILING,
];

/// Beside those of [`LIVENESS`].
const READINESS: &[Fault] = &[fault(503, "stopping", "the server is about to stop")];

/// The faults of a path, in the order in which they are told of.
fn faults(path: &str) -> Vec<&'static [Fault]> {
    let mut groups = vec![EVERY_REQUEST];
    groups.extend(match Area::of(path) {
        Area::Health => None,
        Area::Page => Some(NAME),
        Area::Metrics | Area::Admin | Area::Client => Some(GUARDED),
    });
    let is_of_model = path.starts_with("/v2/models/");
    if is_of_model {
        groups.push(MODEL);
    }
    let own: &[&[Fault]] = match path {
        "/livez" | "/healthz" | "/v2/health/live" => &[LIVENESS],
        "/readyz" | "/v2/health/ready" => &[READINESS, LIVENESS],
        "/predict" | "/predict/batch" | "/embed" => &[IMAGES, FORM],
        "/drift/observations" | "/drift/history" => &[QUERY, MONITOR],
        "/admin/reload" => &[ADMIN, RELOAD],
        "/admin/drift/reset" => &[ADMIN, MONITOR],
        _ if path.starts_with("/drift") => &[MONITOR],
        _ if is_of_model && path.ends_with("/ready") => &[READINESS, LIVENESS],
        _ if is_of_model && path.ends_with("/infer") => &[INFERENCE, NOT_SUPPORTED, IMAGES],
        _ => &[],
    };
    groups.extend(own);
    groups
}

/// Adds to each operation what it can be refused with.
pub(crate) struct Faults;

impl Modify for Faults {
    fn modify(&self, document: &mut Document) {
        for (path, item) in &mut document.paths.paths {
            let mut by_status: BTreeMap<u16, Vec<Fault>> = BTreeMap::new();
            for &fault in faults(path).into_iter().flatten() {
                by_status.entry(fault.status).or_default().push(fault);
            }
            let is_of_protocol = path.starts_with("/v2");
            for operation in operations(item) {
                operation.responses.responses.extend(by_status.iter().map(|(status, faults)| {
                    (status.to_string(), RefOr::T(response(faults, is_of_protocol)))
                }));
            }
        }
    }
}

/// The body of every answer of the protocol that is not a success.
#[derive(ToSchema)]
pub(crate) struct InferenceError {
    /// For people: what was expected, what was found, what to do.
    #[expect(dead_code, reason = "it is written as a value of JSON")]
    error: String,
}

/// The answer of one status. The protocol's body has no code.
fn response(faults: &[Fault], is_of_protocol: bool) -> Response {
    let line = |Fault { code, when, .. }: &Fault| {
        if is_of_protocol { format!("- {when}") } else { format!("- `{code}`: {when}") }
    };
    let lines: Vec<_> = faults.iter().map(line).collect();
    let content = if is_of_protocol { protocols_content(faults) } else { own_content(faults) };
    let response =
        ResponseBuilder::new().description(lines.join("\n")).content("application/json", content);
    let is_for_later = |code| matches!(code, "overloaded" | "rate_limited" | "engine_failing");
    if !faults.iter().any(|fault| is_for_later(fault.code)) {
        return response.build();
    }
    let seconds = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1));
    let header = HeaderBuilder::new()
        .schema(Some(seconds))
        .description(Some("Seconds after which there is likely to be room."));
    response.header("retry-after", header.build()).build()
}

fn own_content(faults: &[Fault]) -> Content {
    let codes = faults.iter().map(|fault| fault.code);
    let code = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(codes));
    let error = ObjectBuilder::new().property("code", code);
    let body = AllOfBuilder::new()
        .item(Ref::from_schema_name("Error"))
        .item(ObjectBuilder::new().property("error", error));
    let example = json!({"error": {"code": faults[0].code, "message": faults[0].when}});
    ContentBuilder::new().schema(Some(Schema::AllOf(body.build()))).example(Some(example)).build()
}

fn protocols_content(faults: &[Fault]) -> Content {
    ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("InferenceError")))
        .example(Some(json!({"error": faults[0].when})))
        .build()
}

#[cfg(test)]
mod tests;

//! The answers that are not a success, path by path: which statuses and codes there can be, and when.
//!
//! Which status and code an error has is decided in [`crate::error`].

use std::collections::BTreeMap;

use serde_json::json;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::schema::{AllOfBuilder, ObjectBuilder, Type};
use utoipa::openapi::{
    Content, ContentBuilder, OpenApi as Document, Ref, RefOr, Response, ResponseBuilder, Schema,
};
use utoipa::{Modify, ToSchema};

#[allow(clippy::wildcard_imports, reason = "nearly all kinds are listed here")]
use crate::error::kinds::*;
use crate::openapi::every_operation::operations;
use crate::security::area::Area;

const EVERY_REQUEST: &[Kind] = &[INVALID_HEADER, TOO_MANY_HEADERS, INTERNAL];

/// Of every path but health checks.
const NAME: &[Kind] = &[HOST_NOT_ALLOWED];

const GUARDED: &[Kind] =
    &[UNAUTHORIZED, FORBIDDEN, HOST_NOT_ALLOWED, CROSS_SITE_REQUEST, RATE_LIMITED];

/// Of every body with images, whatever its form.
const IMAGES: &[Kind] = &[
    MALFORMED_BODY,
    EMPTY_FILE,
    NOT_AN_IMAGE,
    DAMAGED_IMAGE,
    UPLOAD_TIMEOUT,
    TOO_LARGE,
    TOO_MANY_PIXELS,
    UNSUPPORTED_IMAGE,
    UNSUPPORTED_ENCODING,
    AMBIGUOUS_BIT_DEPTH,
    BEYOND_BIT_DEPTH,
    UNUSABLE_OUTPUT,
    OVERLOADED,
    ENGINE_FAILING,
    DEADLINE_EXCEEDED,
];

const RELOAD: &[Kind] = &[RELOAD_IN_PROGRESS, RELOAD_FAILED];

const MONITOR: &[Kind] = &[NO_MONITOR, MONITOR_UNAVAILABLE, MONITOR_OVERLOADED];

const QUERY: &[Kind] = &[INVALID_QUERY];

/// Of every path below `/admin`.
const ADMIN: &[Kind] = &[ADMIN_DISABLED];

const FORM: &[Kind] = &[
    MALFORMED_MULTIPART,
    UNSUPPORTED_MEDIA_TYPE,
    MISSING_FILE,
    TOO_MANY_FILES,
    TOO_MANY_FIELDS,
    INVALID_FIELD,
];

const MODEL: &[Kind] = &[UNKNOWN_MODEL];

const INFERENCE: &[Kind] = &[INVALID_INFERENCE_REQUEST, NOT_SUPPORTED];

const LIVENESS: &[Kind] = &[THREAD_LOST, ENGINE_FAILING];

/// Beside those of [`LIVENESS`].
const READINESS: &[Kind] = &[STOPPING];

/// The faults of a path, in the order in which they are told of.
fn faults(path: &str) -> Vec<&'static [Kind]> {
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
    let own: &[&[Kind]] = match path {
        "/livez" | "/healthz" | "/v2/health/live" => &[LIVENESS],
        "/readyz" | "/v2/health/ready" => &[READINESS, LIVENESS],
        "/predict" | "/predict/batch" | "/embed" => &[IMAGES, FORM],
        "/drift/observations" | "/drift/history" => &[QUERY, MONITOR],
        "/admin/reload" => &[ADMIN, RELOAD],
        "/admin/drift/reset" => &[ADMIN, MONITOR],
        _ if path.starts_with("/drift") => &[MONITOR],
        _ if is_of_model && path.ends_with("/ready") => &[READINESS, LIVENESS],
        _ if is_of_model && path.ends_with("/infer") => &[INFERENCE, IMAGES],
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
            let mut by_status: BTreeMap<u16, Vec<&Kind>> = BTreeMap::new();
            for fault in faults(path).into_iter().flatten() {
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
fn response(faults: &[&Kind], is_of_protocol: bool) -> Response {
    let line = |Kind { code, when, .. }: &&Kind| {
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

fn own_content(faults: &[&Kind]) -> Content {
    let codes = faults.iter().map(|fault| fault.code);
    let code = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(codes));
    let error = ObjectBuilder::new().property("code", code);
    let body = AllOfBuilder::new()
        .item(Ref::from_schema_name("Error"))
        .item(ObjectBuilder::new().property("error", error));
    let example = json!({"error": {"code": faults[0].code, "message": faults[0].when}});
    ContentBuilder::new().schema(Some(Schema::AllOf(body.build()))).example(Some(example)).build()
}

fn protocols_content(faults: &[&Kind]) -> Content {
    ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("InferenceError")))
        .example(Some(json!({"error": faults[0].when})))
        .build()
}

#[cfg(test)]
mod tests {
    use utoipa::OpenApi;

    use super::*;
    use crate::openapi::ApiDoc;

    /// Of no path that is documented: there is none, it does not take the method, or nobody is there to be told.
    const OF_NO_PATH: [Kind; 3] = [NOT_FOUND, METHOD_NOT_ALLOWED, CLIENT_LEFT];

    #[test]
    fn each_kind_is_documented() {
        let paths = ApiDoc::openapi().paths.paths;
        let documented: Vec<&Kind> = paths.keys().flat_map(|path| faults(path)).flatten().collect();
        for kind in ALL {
            assert_ne!(documented.contains(&kind), OF_NO_PATH.contains(kind), "{}", kind.code);
        }
        let readme = include_str!("../../../../README.md");
        let (_, errors) = readme.split_once("\n## Errors\n").unwrap();
        let (errors, _) = errors.split_once("\n## ").unwrap();
        for Kind { code, .. } in ALL {
            assert!(errors.contains(&format!("`{code}`")), "{code} is not in README.md");
        }
    }
}

//! What the paths of the Open Inference Protocol have in common: errors, and models with a version.

use serde_json::json;
use utoipa::openapi::path::Operation;
use utoipa::openapi::{Content, ContentBuilder, OpenApi as Document, Ref, RefOr};
use utoipa::{IntoResponses, Modify, ToSchema};

use super::every_operation::operations;
use super::faults::{
    Documented, EVERY_REQUEST, GUARDED, IMAGES, INFERENCE, LIVENESS, MODEL, NOT_SUPPORTED,
    READINESS, Responses, responses_with,
};

/// A model whose version is the served one.
const MODEL_PATH: &str = "/v2/models/{name}";

/// The parameter of the paths that name a version.
const VERSION: &str = "version";

/// The body of every answer of the protocol that is not a success.
#[derive(ToSchema)]
pub struct InferenceError {
    /// For people: what was expected, what was found, what to do.
    pub error: String,
}

/// Faults of `/v2/health/live`.
pub struct InferenceLivenessFaults;

/// Faults of `/v2/health/ready`.
pub struct InferenceReadinessFaults;

/// Faults of a path that names no model.
pub struct InferenceGuardedFaults;

/// Faults of a path that names a model.
pub struct InferenceModelFaults;

/// Faults of `/v2/models/{name}/ready`.
pub struct InferenceModelReadinessFaults;

/// Faults of `/v2/models/{name}/infer`.
pub struct InferenceFaults;

/// Faults of the repository's changes, which are never made.
pub struct InferenceRepositoryFaults;

impl IntoResponses for InferenceLivenessFaults {
    fn responses() -> Responses {
        responses_of(&[EVERY_REQUEST, LIVENESS])
    }
}

impl IntoResponses for InferenceReadinessFaults {
    fn responses() -> Responses {
        responses_of(&[EVERY_REQUEST, READINESS, LIVENESS])
    }
}

impl IntoResponses for InferenceGuardedFaults {
    fn responses() -> Responses {
        responses_of(&[EVERY_REQUEST, GUARDED])
    }
}

impl IntoResponses for InferenceModelFaults {
    fn responses() -> Responses {
        responses_of(&[EVERY_REQUEST, GUARDED, MODEL])
    }
}

impl IntoResponses for InferenceModelReadinessFaults {
    fn responses() -> Responses {
        responses_of(&[EVERY_REQUEST, GUARDED, MODEL, READINESS, LIVENESS])
    }
}

impl IntoResponses for InferenceFaults {
    fn responses() -> Responses {
        responses_of(&[EVERY_REQUEST, GUARDED, MODEL, INFERENCE, NOT_SUPPORTED, IMAGES])
    }
}

impl IntoResponses for InferenceRepositoryFaults {
    fn responses() -> Responses {
        responses_of(&[EVERY_REQUEST, GUARDED, NOT_SUPPORTED])
    }
}

fn responses_of(groups: &[&[Documented]]) -> Responses {
    // The protocol's body has no code.
    responses_with(groups, |fault| fault.when.to_owned(), content)
}

fn content(faults: &[&Documented]) -> Content {
    ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("InferenceError")))
        .example(Some(json!({"error": faults[0].when})))
        .build()
}

/// Gives each path of a model a second one that names the version: one handler answers both.
pub(super) struct Versions;

impl Modify for Versions {
    fn modify(&self, document: &mut Document) {
        let paths = &mut document.paths.paths;
        let mut versioned = Vec::new();
        for (path, item) in paths.iter_mut() {
            let Some(rest) = path.strip_prefix(MODEL_PATH) else { continue };
            let mut with_version = item.clone();
            for operation in operations(&mut with_version) {
                if let Some(id) = &mut operation.operation_id {
                    id.push_str("_of_version");
                }
            }
            versioned.push((format!("{MODEL_PATH}/versions/{{{VERSION}}}{rest}"), with_version));
            for operation in operations(item) {
                leave_out_version(operation);
            }
        }
        paths.extend(versioned);
    }
}

fn leave_out_version(operation: &mut Operation) {
    let parameters = operation.parameters.get_or_insert_default();
    parameters
        .retain(|parameter| !matches!(parameter, RefOr::T(parameter) if parameter.name == VERSION));
}

//! The answers of the Open Inference Protocol that are not a success.

use serde_json::json;
use utoipa::openapi::{Content, ContentBuilder, Ref};
use utoipa::{IntoResponses, ToSchema};

use super::faults::{
    Documented, EVERY_REQUEST, GUARDED, IMAGES, INFERENCE, LIVENESS, MODEL, NOT_SUPPORTED,
    READINESS, Responses, responses_with,
};

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

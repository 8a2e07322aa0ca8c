//! The answers of the Open Inference Protocol that are not a success.

use serde_json::json;
use utoipa::openapi::{Content, ContentBuilder, Ref};
use utoipa::{IntoResponses, ToSchema};

use super::faults::{
    Documented, EVERY_REQUEST, GUARDED, IMAGES, INFERENCE, LIVENESS, MODEL, NOT_SUPPORTED,
    READINESS, Responses, faults, responses_with,
};

/// The body of every answer of the protocol that is not a success.
#[derive(ToSchema)]
pub struct InferenceError {
    /// For people: what was expected, what was found, what to do.
    pub error: String,
}

faults! {
    /// Faults of `/v2/health/live`.
    InferenceLivenessFaults: [EVERY_REQUEST, LIVENESS];
    /// Faults of `/v2/health/ready`.
    InferenceReadinessFaults: [EVERY_REQUEST, READINESS, LIVENESS];
    /// Faults of a path that names no model.
    InferenceGuardedFaults: [EVERY_REQUEST, GUARDED];
    /// Faults of a path that names a model.
    InferenceModelFaults: [EVERY_REQUEST, GUARDED, MODEL];
    /// Faults of `/v2/models/{name}/ready`.
    InferenceModelReadinessFaults: [EVERY_REQUEST, GUARDED, MODEL, READINESS, LIVENESS];
    /// Faults of `/v2/models/{name}/infer`.
    InferenceFaults: [EVERY_REQUEST, GUARDED, MODEL, INFERENCE, NOT_SUPPORTED, IMAGES];
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

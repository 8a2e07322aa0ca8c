//! The models that there are: Triton's repository extension, as far as one model goes.

use actix_web::web::{Data, Json};
use serde::Serialize;
use utoipa::ToSchema;

use crate::contract::{InferenceGuardedFaults, InferenceRepositoryFaults};
use crate::error::ApiError;
use crate::service::Service;

/// A model of the repository.
#[derive(Debug, Serialize, ToSchema)]
pub struct IndexEntry {
    name: String,
    version: String,
    state: &'static str,
    reason: String,
}

/// The model that is served
#[utoipa::path(
    post,
    path = "/v2/repository/index",
    operation_id = "repository_index",
    tag = "Open Inference Protocol",
    responses(
        (status = 200, description = "A list of this one model", body = Vec<IndexEntry>),
        InferenceGuardedFaults,
    ),
)]
pub async fn index(service: Data<Service>) -> Json<[IndexEntry; 1]> {
    let engine = service.engine();
    let spec = &engine.served().spec;
    let (name, version) = (spec.name.clone(), spec.version.clone());
    let (state, reason) = match service.readiness() {
        Ok(()) => ("READY", String::new()),
        Err(error) => ("UNAVAILABLE", error.to_string()),
    };
    Json([IndexEntry { name, version, state, reason }])
}

/// Always refused
///
/// Models are not loaded by this protocol, whose clients need no right to administer the server.
///
/// # Errors
/// Always [`ApiError::NotSupported`].
#[utoipa::path(
    post,
    path = "/v2/repository/models/{name}/load",
    operation_id = "repository_load",
    tag = "Open Inference Protocol",
    params(("name" = String, Path, description = "A model's name")),
    responses(InferenceRepositoryFaults),
)]
pub async fn load() -> Result<Json<()>, ApiError> {
    Err(not_by_this_protocol())
}

/// Always refused
///
/// Models are not unloaded by this protocol, whose clients need no right to administer the server.
///
/// # Errors
/// Always [`ApiError::NotSupported`].
#[utoipa::path(
    post,
    path = "/v2/repository/models/{name}/unload",
    operation_id = "repository_unload",
    tag = "Open Inference Protocol",
    params(("name" = String, Path, description = "A model's name")),
    responses(InferenceRepositoryFaults),
)]
pub async fn unload() -> Result<Json<()>, ApiError> {
    Err(not_by_this_protocol())
}

fn not_by_this_protocol() -> ApiError {
    ApiError::NotSupported {
        what: "models are not loaded or unloaded by this protocol: POST /admin/reload, or SIGHUP, loads the model anew from its file",
    }
}

//! The models that there are: the index of Triton's repository extension.

use actix_web::web::{Data, Json};
use serde::Serialize;
use utoipa::ToSchema;

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
    responses((status = 200, description = "A list of this one model", body = Vec<IndexEntry>)),
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

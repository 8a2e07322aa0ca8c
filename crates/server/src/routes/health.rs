//! Whether the process is alive and ready.

use actix_web::web::{Data, Json};
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::service::Service;

/// How the process is.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// What it is.
    pub status: Status,
}

/// What a process is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It answers.
    Ok,
    /// It classifies.
    Ready,
}

/// Whether the process answers
///
/// 503 should one of its threads have ended, or the model fail in any new session: then it should be
/// restarted.
#[utoipa::path(
    get,
    path = "/livez",
    tag = "Health",
    security(()),
    responses((status = 200, description = "It does", body = Health)),
)]
pub async fn livez(service: Data<Service>) -> Result<Json<Health>, ApiError> {
    service.liveness()?;
    Ok(Json(Health { status: Status::Ok }))
}

/// The same as `/livez`
#[utoipa::path(
    get,
    path = "/healthz",
    tag = "Health",
    security(()),
    responses((status = 200, description = "It does", body = Health)),
)]
pub async fn healthz(service: Data<Service>) -> Result<Json<Health>, ApiError> {
    livez(service).await
}

/// Whether images are classified
///
/// The model is loaded and has answered once: the server listens only after that. 503 once it has
/// been told to stop, while the model fails again and again, or should one of its threads have ended.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "Health",
    security(()),
    responses((status = 200, description = "They are", body = Health)),
)]
pub async fn readyz(service: Data<Service>) -> Result<Json<Health>, ApiError> {
    service.readiness()?;
    Ok(Json(Health { status: Status::Ready }))
}

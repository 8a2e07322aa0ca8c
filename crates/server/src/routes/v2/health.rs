//! Whether the server and its model are there. The bodies are those that KServe's client reads.

use actix_web::web::{Data, Json, Path};
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::routes::v2::model::ModelPath;
use crate::service::Service;

/// The process answers.
#[derive(Debug, Serialize, ToSchema)]
pub struct Live {
    live: bool,
}

/// The server takes requests.
#[derive(Debug, Serialize, ToSchema)]
pub struct Ready {
    ready: bool,
}

/// The model takes requests.
#[derive(Debug, Serialize, ToSchema)]
pub struct ModelReady {
    name: String,
    ready: bool,
}

/// Whether the process answers
///
/// 503 should one of its threads have ended, or the model fail in any new session: then it should be
/// restarted.
#[utoipa::path(
    get,
    path = "/v2/health/live",
    operation_id = "server_live",
    tag = "Open Inference Protocol",
    security(()),
    responses((status = 200, description = "It does", body = Live)),
)]
pub async fn live(service: Data<Service>) -> Result<Json<Live>, ApiError> {
    service.liveness()?;
    Ok(Json(Live { live: true }))
}

/// Whether the server takes requests
///
/// 503 once it has been told to stop, while the model fails again and again, or should one of its threads
/// have ended.
#[utoipa::path(
    get,
    path = "/v2/health/ready",
    operation_id = "server_ready",
    tag = "Open Inference Protocol",
    security(()),
    responses((status = 200, description = "It does", body = Ready)),
)]
pub async fn ready(service: Data<Service>) -> Result<Json<Ready>, ApiError> {
    service.readiness()?;
    Ok(Json(Ready { ready: true }))
}

/// Whether the model takes requests
#[utoipa::path(
    get,
    path = "/v2/models/{name}/ready",
    tag = "Open Inference Protocol",
    params(ModelPath),
    responses((status = 200, description = "It does", body = ModelReady)),
)]
pub async fn model_ready(
    service: Data<Service>,
    path: Path<ModelPath>,
) -> Result<Json<ModelReady>, ApiError> {
    let engine = service.engine();
    path.check(engine.served())?;
    service.readiness()?;
    Ok(Json(ModelReady { name: engine.served().spec.name.clone(), ready: true }))
}

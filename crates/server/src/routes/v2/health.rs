//! Whether the server and its model are there. The bodies are those that KServe's client reads.

use actix_web::web::{Data, Json, Path};
use serde::Serialize;

use super::model::ModelPath;
use crate::error::ApiError;
use crate::service::Service;

/// The process answers.
#[derive(Debug, Serialize)]
pub struct Live {
    live: bool,
}

/// The server takes requests.
#[derive(Debug, Serialize)]
pub struct Ready {
    ready: bool,
}

/// The model takes requests.
#[derive(Debug, Serialize)]
pub struct ModelReady {
    name: String,
    ready: bool,
}

/// `GET /v2/health/live`.
pub async fn live() -> Json<Live> {
    Json(Live { live: true })
}

/// `GET /v2/health/ready`: 503 once the server has been told to stop.
///
/// # Errors
/// [`ApiError::Stopping`].
pub async fn ready(service: Data<Service>) -> Result<Json<Ready>, ApiError> {
    check(&service)?;
    Ok(Json(Ready { ready: true }))
}

/// `GET /v2/models/{name}[/versions/{version}]/ready`.
///
/// # Errors
/// [`ApiError::UnknownModel`], [`ApiError::Stopping`].
pub async fn model_ready(
    service: Data<Service>,
    path: Path<ModelPath>,
) -> Result<Json<ModelReady>, ApiError> {
    let engine = service.engine();
    path.check(engine.served())?;
    check(&service)?;
    Ok(Json(ModelReady { name: engine.served().spec.name.clone(), ready: true }))
}

fn check(service: &Service) -> Result<(), ApiError> {
    if service.is_stopping() { Err(ApiError::Stopping) } else { Ok(()) }
}

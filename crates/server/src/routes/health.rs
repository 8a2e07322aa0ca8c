//! Whether the process is alive and ready.

use actix_web::HttpResponse;
use actix_web::web::Data;
use serde_json::json;

use crate::error::ApiError;
use crate::service::Service;

/// `GET /livez` (and `/healthz`): the process answers.
pub async fn livez() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "ok" }))
}

/// `GET /readyz`: the model is loaded and has answered once; the server listens only after that. 503
/// once it has been told to stop.
///
/// # Errors
/// [`ApiError::Stopping`].
pub async fn readyz(service: Data<Service>) -> Result<HttpResponse, ApiError> {
    if service.is_stopping() {
        return Err(ApiError::Stopping);
    }
    Ok(HttpResponse::Ok().json(json!({ "status": "ready" })))
}

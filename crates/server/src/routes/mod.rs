//! The paths of the service, one file an area.

mod health;
mod predict;
mod upload;

use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};

pub use predict::{Model, Prediction};
pub use upload::UploadLimits;

use crate::error::ApiError;

/// Adds every path of the service.
pub fn configure(service: &mut ServiceConfig) {
    service
        .service(only(web::resource("/predict").route(web::post().to(predict::predict)), "POST"))
        .service(only(web::resource("/healthz").route(get(health::healthz)), "GET, HEAD"))
        .service(only(web::resource("/readyz").route(get(health::readyz)), "GET, HEAD"))
        .default_service(web::to(not_found));
}

/// A route for GET and HEAD.
fn get<F, Args>(handler: F) -> actix_web::Route
where
    F: actix_web::Handler<Args>,
    Args: actix_web::FromRequest + 'static,
    F::Output: actix_web::Responder + 'static,
{
    let readable = actix_web::guard::Any(actix_web::guard::Get()).or(actix_web::guard::Head());
    web::route().guard(readable).to(handler)
}

/// Answers every other method with 405.
fn only(resource: actix_web::Resource, allowed: &'static str) -> actix_web::Resource {
    resource.default_service(web::to(move |request: HttpRequest| async move {
        Err::<HttpResponse, _>(ApiError::MethodNotAllowed {
            path: request.path().to_owned(),
            method: request.method().to_string(),
            allowed,
        })
    }))
}

async fn not_found(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    Err(ApiError::NotFound { path: request.path().to_owned() })
}

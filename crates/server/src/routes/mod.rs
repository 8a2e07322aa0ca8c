//! The paths of the service, one file an area.

mod admin;
mod classify;
mod embed;
mod health;
mod model;
mod predict;
mod prediction;
pub(crate) mod v2;

use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};

use crate::error::ApiError;

/// Adds every path of the service.
pub fn configure(service: &mut ServiceConfig) {
    service
        .service(post("/predict", web::post().to(predict::predict)))
        .service(post("/predict/batch", web::post().to(predict::predict_batch)))
        .service(post("/embed", web::post().to(embed::embed)))
        .service(post("/admin/reload", web::post().to(admin::reload)))
        .service(readable("/v1/model", get(model::model)))
        .service(readable("/healthz", get(health::livez)))
        .service(readable("/livez", get(health::livez)))
        .service(readable("/readyz", get(health::readyz)))
        .configure(v2::configure)
        .default_service(web::to(not_found));
}

fn post(path: &str, route: actix_web::Route) -> actix_web::Resource {
    only(web::resource(path).route(route), "POST")
}

fn readable(path: &str, route: actix_web::Route) -> actix_web::Resource {
    only(web::resource(path).route(route), "GET, HEAD")
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

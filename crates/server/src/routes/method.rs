//! The methods that a path takes.

use actix_web::{HttpRequest, HttpResponse, Route, web};

use crate::error::ApiError;

/// The methods of what is only looked at.
pub const READ: &str = "GET, HEAD";

/// A route for GET and HEAD.
pub fn get<F, Args>(handler: F) -> Route
where
    F: actix_web::Handler<Args>,
    Args: actix_web::FromRequest + 'static,
    F::Output: actix_web::Responder + 'static,
{
    let readable = actix_web::guard::Any(actix_web::guard::Get()).or(actix_web::guard::Head());
    web::route().guard(readable).to(handler)
}

/// Answers every other method with 405.
pub fn only(resource: actix_web::Resource, allowed: &'static str) -> actix_web::Resource {
    resource.default_service(web::to(move |request: HttpRequest| async move {
        Err::<HttpResponse, _>(ApiError::MethodNotAllowed {
            path: request.path().to_owned(),
            method: request.method().to_string(),
            allowed,
        })
    }))
}

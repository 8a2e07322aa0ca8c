//! Errors as the protocol has them.

use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use serde_json::json;

use crate::error::Fault;

/// Gives every refusal under `/v2`, whoever refused, the protocol's body `{"error": "…"}`. Status and
/// headers stay.
pub async fn errors_of_protocol<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, actix_web::Error> {
    let path = request.path();
    let of_protocol = path == "/v2" || path.starts_with("/v2/");
    let response = next.call(request).await?;
    let message = response.response().extensions().get::<Fault>().map(|fault| {
        // As in every other answer, a string of JSON.
        json!({ "error": fault.message }).to_string()
    });
    Ok(match message {
        Some(message) if of_protocol => {
            response.map_body(|_, _| EitherBody::right(BoxBody::new(message)))
        }
        _ => response.map_into_left_body(),
    })
}

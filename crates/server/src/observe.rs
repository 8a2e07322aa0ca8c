//! Around every request: its name, its deadline, and one line in the log when it is over.

use actix_web::ResponseError;
use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::ConnectionType;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::Data;

use crate::error::{ApiError, ErrorCode};
use crate::request::{REQUEST_ID, RequestContext};
use crate::service::Service;

/// The header that tells how long each stage took (W3C Server Timing).
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// Wraps every request.
///
/// # Errors
/// Those of the wrapped service, unchanged.
pub async fn observe<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, actix_web::Error> {
    let service = request.app_data::<Data<Service>>().cloned();
    let service = service.ok_or_else(|| ApiError::Internal("no service".into()))?;
    let _in_flight = service.count_request();
    let timeout = service.settings.limits.request_timeout;
    let (context, checked) = RequestContext::begin(&request, timeout);
    let (method, path) = (request.method().clone(), request.path().to_owned());
    let mut response = match checked {
        Ok(()) => match next.call(request).await {
            Ok(response) => response.map_into_left_body(),
            Err(error) => {
                let status = error.as_response_error().status_code();
                let code = error.as_error::<ApiError>().map(ApiError::code);
                log(&context, method.as_str(), &path, status.as_u16(), code);
                return Err(error);
            }
        },
        Err(error) => request.into_response(error.error_response()).map_into_right_body(),
    };
    if service.is_draining() {
        response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(context.id()) {
        headers.insert(HeaderName::from_static(REQUEST_ID), id);
    }
    if let Ok(timing) = HeaderValue::from_str(&server_timing(&context)) {
        headers.insert(SERVER_TIMING, timing);
    }
    let error = response.response().extensions().get::<ErrorCode>().map(|code| code.0);
    log(&context, method.as_str(), &path, response.status().as_u16(), error);
    Ok(response)
}

/// `read;dur=0.4, queue;dur=0.0, decode;dur=2.1, …, total;dur=17.0`, in milliseconds. Of several
/// images, the longest time of each stage.
fn server_timing(context: &RequestContext) -> String {
    use std::fmt::Write;

    let outcomes = context.outcomes();
    let longest = |stage: fn(&crate::engine::StageTimes) -> std::time::Duration| {
        outcomes.iter().map(|outcome| stage(&outcome.times)).max()
    };
    let stages = [
        ("read", context.read_time()),
        ("queue", longest(|times| times.queue)),
        ("decode", longest(|times| times.decode)),
        ("preprocess", longest(|times| times.preprocess)),
        ("infer", longest(|times| times.infer)),
        ("drift", longest(|times| times.drift)),
        ("total", Some(context.started().elapsed())),
    ];
    let mut text = String::new();
    for (name, time) in stages {
        if let Some(time) = time {
            let comma = if text.is_empty() { "" } else { ", " };
            // Writing to a string does not fail.
            let _ = write!(text, "{comma}{name};dur={:.3}", time.as_secs_f64() * 1e3);
        }
    }
    text
}

fn log(context: &RequestContext, method: &str, path: &str, status: u16, error: Option<&str>) {
    let duration_ms = context.started().elapsed().as_secs_f64() * 1e3;
    let outcomes = context.outcomes();
    let first = outcomes.first();
    tracing::info!(
        request_id = context.id(),
        method,
        path,
        key = context.key_name().as_deref(),
        status,
        error,
        duration_ms,
        bytes = context.bytes(),
        images = outcomes.len(),
        class = first.map(|outcome| outcome.class.as_str()),
        out_of_distribution = first.and_then(|outcome| outcome.out_of_distribution),
        "answered"
    );
}

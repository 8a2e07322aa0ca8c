//! Around every request: its name, its deadline, and when it is over what is told of it: a line in
//! the log, numbers in the metrics, spans for a collector.

mod finished;
mod line;
mod timing;

use std::net::IpAddr;

use actix_web::ResponseError;
use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::http::{ConnectionType, Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::web::Data;

pub use finished::{Finished, RequestOutcome};
pub use timing::RequestStages;

use crate::error::{ApiError, CLIENT_LEFT, ErrorCode};
use crate::request::{REQUEST_ID, RequestContext};
use crate::service::Service;
use crate::telemetry::Parent;

/// The header that tells how long each stage took (W3C Server Timing).
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// What is told of a path that a client made up.
const MAX_PATH_BYTES: usize = 256;

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
    let timeout = service.settings.limits.request_timeout;
    let (context, checked) = RequestContext::begin(&request, timeout);
    let observer = Observer::begin(&service, &request, context);
    let result = match checked {
        Ok(()) => next.call(request).await.map(ServiceResponse::map_into_left_body),
        Err(error) => Ok(request.into_response(error.error_response()).map_into_right_body()),
    };
    let mut response = result.inspect_err(|error| {
        let response = error.error_response();
        let code = response.extensions().get::<ErrorCode>().map(|code| code.0);
        observer.end(response.status(), code);
    })?;
    if service.is_closing_connections() {
        response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    observer.describe(response.response_mut());
    let error = response.response().extensions().get::<ErrorCode>().map(|code| code.0);
    observer.end(response.status(), error);
    Ok(response)
}

/// A request from its head to its end. Dropped without an end, its client has left, for then the
/// handler is dropped where it waits, or it has panicked.
struct Observer {
    service: Data<Service>,
    context: RequestContext,
    method: &'static str,
    route: Option<String>,
    path: String,
    scheme: &'static str,
    client: Option<IpAddr>,
    parent: Parent,
    ended: std::cell::Cell<bool>,
}

impl Observer {
    fn begin(service: &Data<Service>, request: &ServiceRequest, context: RequestContext) -> Self {
        let traces = service.traces.as_ref();
        Self {
            service: service.clone(),
            context,
            method: name_of(request.method()),
            route: request.match_pattern(),
            path: beginning_of(request.path()).to_owned(),
            scheme: if request.app_config().secure() { "https" } else { "http" },
            client: service.security.client_of(request),
            parent: traces.map(|traces| traces.parent_of(request.headers())).unwrap_or_default(),
            ended: std::cell::Cell::new(false),
        }
    }

    /// Adds the request's name and its times to the answer.
    fn describe<B>(&self, response: &mut actix_web::HttpResponse<B>) {
        let headers = response.headers_mut();
        if let Ok(id) = HeaderValue::from_str(self.context.id()) {
            headers.insert(HeaderName::from_static(REQUEST_ID), id);
        }
        let stages = RequestStages::of(&self.context);
        let timing = stages.server_timing(self.context.started().elapsed());
        if let Ok(timing) = HeaderValue::from_str(&timing) {
            headers.insert(SERVER_TIMING, timing);
        }
    }

    fn end(&self, status: StatusCode, error: Option<&'static str>) {
        self.tell(RequestOutcome::of(status), status.as_u16(), error);
    }

    /// Tells of the request, once.
    fn tell(&self, outcome: RequestOutcome, status: u16, error: Option<&'static str>) {
        if self.ended.replace(true) {
            return;
        }
        let finished = Finished {
            context: &self.context,
            method: self.method,
            route: self.route.as_deref(),
            path: &self.path,
            scheme: self.scheme,
            client: self.client,
            status,
            error,
            outcome,
            stages: RequestStages::of(&self.context),
            total: self.context.started().elapsed(),
        };
        self.service.metrics.request(&finished);
        let traces = self.service.traces.as_ref().filter(|_| !finished.is_probe());
        let span = traces.map(|traces| traces.request(&finished, &self.parent));
        line::log(&finished, span.map(|span| span.trace_id()));
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.tell(RequestOutcome::Failed, 500, Some("internal"));
        } else {
            self.tell(RequestOutcome::Left, CLIENT_LEFT, Some("client_left"));
        }
    }
}

/// The methods of HTTP; a client may make others up.
fn name_of(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        "CONNECT" => "CONNECT",
        "TRACE" => "TRACE",
        _ => "_OTHER",
    }
}

fn beginning_of(path: &str) -> &str {
    path.get(..path.floor_char_boundary(MAX_PATH_BYTES)).unwrap_or(path)
}

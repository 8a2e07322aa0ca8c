//! Around every request: its name, its deadline, and when it is over what is told of it: a line in
//! the log, numbers in the metrics, spans for a collector.

mod line;

use std::cell::Cell;
use std::rc::Rc;
use std::sync::atomic::Ordering;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::ConnectionType;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{HttpResponse, ResponseError as _};

use crate::error::{ApiError, Fault, Shortage, kinds};
use crate::request::{
    Finished, REQUEST_ID, RequestContext, RequestOutcome, RequestStages, beginning_of,
};
use crate::service::Service;
use crate::telemetry::Parent;

/// The header that tells how long each stage took (W3C Server Timing).
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// Wraps every request.
pub async fn observe<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, actix_web::Error> {
    let service = request.app_data::<Data<Service>>().cloned();
    let service = service.ok_or_else(|| ApiError::Internal("no service".into()))?;
    let timeout = service.settings.limits.request_timeout;
    let client = service.security.client_of(&request);
    let (context, checked) = RequestContext::begin(&request, timeout, client);
    let observer = Observer::begin(&service, &request, context);
    let result = match checked {
        Ok(()) => next.call(request).await.map(ServiceResponse::map_into_left_body),
        Err(error) => Ok(request.into_response(error.error_response()).map_into_right_body()),
    };
    let mut response = result.inspect_err(|error| {
        observer.end(&error.error_response());
    })?;
    if service.is_closing_connections.load(Ordering::SeqCst) {
        response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    observer.describe(response.response_mut());
    observer.end(response.response());
    Ok(response)
}

/// A request from its head to its end. Dropped without an end, its client has left, for then the
/// handler is dropped where it waits, or it has panicked.
struct Observer {
    service: Data<Service>,
    context: Rc<RequestContext>,
    parent: Parent,
    ended: Cell<bool>,
}

impl Observer {
    fn begin(
        service: &Data<Service>,
        request: &ServiceRequest,
        context: Rc<RequestContext>,
    ) -> Self {
        let traces = service.traces.as_ref();
        let parent = traces.map(|traces| traces.parent_of(request.headers())).unwrap_or_default();
        Self { service: service.clone(), context, parent, ended: Cell::new(false) }
    }

    /// Adds the request's name and its times to the answer.
    fn describe<B>(&self, response: &mut HttpResponse<B>) {
        let headers = response.headers_mut();
        if let Ok(id) = HeaderValue::from_str(&self.context.id) {
            headers.insert(HeaderName::from_static(REQUEST_ID), id);
        }
        let stages = RequestStages::of(&self.context);
        let timing = stages.server_timing(self.context.started.elapsed());
        if let Ok(timing) = HeaderValue::from_str(&timing) {
            headers.insert(SERVER_TIMING, timing);
        }
    }

    fn end<B>(&self, response: &HttpResponse<B>) {
        let status = response.status();
        let noted = response.extensions();
        let fault = noted.get::<Fault>();
        let outcome = RequestOutcome::of(status, fault.map(|fault| fault.code));
        self.tell(outcome, status.as_u16(), fault, noted.get::<Shortage>().copied());
    }

    /// Tells of the request, once.
    fn tell(
        &self,
        outcome: RequestOutcome,
        status: u16,
        fault: Option<&Fault>,
        shortage: Option<Shortage>,
    ) {
        if self.ended.replace(true) {
            return;
        }
        let finished = Finished {
            context: &self.context,
            status,
            error: fault.map(|fault| fault.code),
            reason: fault.map(|fault| beginning_of(&fault.message)).filter(|text| !text.is_empty()),
            shortage,
            outcome,
            stages: RequestStages::of(&self.context),
            total: self.context.started.elapsed(),
        };
        self.service.metrics.request(&finished);
        let traces = self.service.traces.as_ref().filter(|_| !finished.is_routine());
        let span = traces.map(|traces| traces.request(&finished, &self.parent));
        line::log(&finished, span.map(|span| span.trace_id()));
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        let (outcome, kind) = if std::thread::panicking() {
            (RequestOutcome::Failed, kinds::INTERNAL)
        } else {
            (RequestOutcome::Left, kinds::CLIENT_LEFT)
        };
        // Nobody was told of it in words.
        let fault = Fault { code: kind.code, message: String::new() };
        self.tell(outcome, kind.status, Some(&fault), None);
    }
}

//! Around the handlers: ends the work for a client that has left, and refuses what is too much for
//! one connection.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use actix_web::ResponseError;
use actix_web::body::{BodySize, BoxBody, EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::EXPECT;
use actix_web::middleware::Next;
use bytes::Bytes;

use crate::connections::connection::{Connection, OpenRequest};
use crate::connections::shared_body::SharedBody;
use crate::error::{ApiError, Shortage};

/// Requests that one connection may have open at a time, which only HTTP/2 can: the number that
/// RFC 9113 recommends to allow at the least is 100.
const MAX_OPEN_REQUESTS: usize = 128;

/// Requests with which a connection is ended. Nobody who reads the refusals gets there.
const HOSTILE_OPEN_REQUESTS: usize = 1024;

type Watched<B> = EitherBody<OpenBody<B>, OpenBody<BoxBody>>;

/// Wraps all handlers. Where the client leaves, or takes its request back, before it is answered, their
/// future is dropped, and with it what waits in the engine's queue.
pub async fn watch<B: MessageBody + 'static>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<Watched<B>>, actix_web::Error> {
    let connection = request.conn_data::<Arc<Connection>>().cloned();
    let connection = connection.ok_or_else(|| ApiError::Internal("no connection".into()))?;
    let open = connection.begin_request();
    let count = connection.open_requests();
    if count > MAX_OPEN_REQUESTS {
        if count > HOSTILE_OPEN_REQUESTS {
            connection.cut();
        }
        let response =
            request.into_response(ApiError::overloaded(Shortage::Streams).error_response());
        // Refusals that are not read take memory, too.
        let response = response.map_body(|_, body| OpenBody::new(body, open));
        return Ok(response.map_into_right_body());
    }
    let version = request.version();
    // The HTTP library may still be sending the interim answer that such a client asks for.
    let may_ask = !request.headers().contains_key(EXPECT);
    let body = SharedBody::share(&mut request);
    let departure = async {
        match &body {
            Some(body) => tokio::select! {
                () = body.reset() => {}
                () = connection.departure(version, may_ask) => {}
            },
            None => connection.departure(version, may_ask).await,
        }
    };
    tokio::select! {
        biased;
        response = next.call(request) => {
            let response = response?.map_body(|_, body| OpenBody::new(body, open));
            match &body {
                // Whatever the handler made of a body that broke off.
                Some(body) if body.is_reset() => return Err(ApiError::ClientLeft.into()),
                Some(body) => body.clone().read_rest(),
                None => {}
            }
            Ok(response.map_into_left_body())
        }
        () = departure => Err(ApiError::ClientLeft.into()),
    }
}

/// The body of an answer; its request is open until it has been sent.
///
/// That is so because the HTTP library asks for more of a body only once it has sent what it has
/// ([`WRITE_BUFFER_BYTES`]), and asks at last whether there is more. Where there is nothing to ask for, and where it adds
/// something at the end, it may hold back what the client does not read.
#[derive(Debug)]
pub struct OpenBody<B> {
    body: Pin<Box<B>>,
    open: OpenRequest,
}

/// Of what it sends the HTTP library may keep this much when it asks for more.
pub const WRITE_BUFFER_BYTES: usize = 1;

impl<B: MessageBody> OpenBody<B> {
    fn new(body: B, open: OpenRequest) -> Self {
        let body = Self { body: Box::pin(body), open };
        if matches!(body.size(), BodySize::None | BodySize::Sized(0)) {
            body.hold_back(true);
        }
        body
    }

    fn hold_back(&self, may_hold_back: bool) {
        self.open.connection.may_hold_back.store(may_hold_back, Ordering::SeqCst);
    }
}

impl<B: MessageBody> MessageBody for OpenBody<B> {
    type Error = B::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let this = self.get_mut();
        let next = this.body.as_mut().poll_next(context);
        let is_end_of_stream = matches!(next, Poll::Ready(None)) && this.size() == BodySize::Stream;
        this.hold_back(is_end_of_stream);
        next
    }
}

//! Requests of HTTP/1.1 that ask for another protocol: the offer is declined, and they are answered as any other.
//!
//! The HTTP library takes every `Connection: upgrade` for one that is taken up: it echoes it, closes the connection
//! without having said so, and lets the body of an `Upgrade: websocket` go on until the client leaves. Nor does it let
//! such a connection be kept. So these answers say that it closes, and the body ends where its length says. As the
//! library would still wait for the rest of a body without end before it closes, it is told that nothing more comes.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use actix_web::HttpMessage;
use actix_web::body::MessageBody;
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::error::PayloadError;
use actix_web::http::header::{CONTENT_LENGTH, HeaderMap, TRANSFER_ENCODING, UPGRADE};
use actix_web::http::{ConnectionType, Method, Version};
use actix_web::middleware::Next;
use bytes::Bytes;
use futures_util::Stream;

use crate::connections::connection::Connection;

/// Wraps all handlers.
pub async fn decline_upgrades<B: MessageBody + 'static>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, actix_web::Error> {
    let left_of_body = has_endless_body(&request).then(|| end_body(&mut request));
    let connection = request.conn_data::<Arc<Connection>>().cloned();
    let asks = request.request().head().connection_type() == ConnectionType::Upgrade;
    let is_declined = left_of_body.is_some() || (asks && request.version() < Version::HTTP_2);
    let mut response = next.call(request).await?;
    if is_declined {
        response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    // A client that is still sending is read for a while, as any other, so that it sees the answer.
    if left_of_body.is_some_and(|left| left.get() == 0)
        && let Some(connection) = connection
    {
        connection.stop_reading();
    }
    Ok(response)
}

/// Whether the HTTP library takes all that the connection brings for the request's body.
fn has_endless_body(request: &ServiceRequest) -> bool {
    let headers = request.headers();
    let names_websocket = || {
        let mut values = headers.get_all(UPGRADE);
        values.any(|value| value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"websocket"))
    };
    request.version() < Version::HTTP_2
        && !is_chunked(headers)
        && (names_websocket() || request.method() == Method::CONNECT)
}

fn is_chunked(headers: &HeaderMap) -> bool {
    let coding = headers.get(TRANSFER_ENCODING);
    coding.is_some_and(|coding| coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked"))
}

/// Lets the body end after the length that the request names, or at once. Gives what of it has not been read.
fn end_body(request: &mut ServiceRequest) -> Rc<Cell<u64>> {
    let length = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let length = length.and_then(|length| length.trim().parse().ok()).unwrap_or(0);
    let left = Rc::new(Cell::new(length));
    let body = Limited { body: request.take_payload(), left: Rc::clone(&left) };
    request.set_payload(Payload::Stream { payload: Box::pin(body) });
    left
}

/// The beginning of a body.
struct Limited {
    body: Payload,
    /// Bytes that are still to come.
    left: Rc<Cell<u64>>,
}

impl Stream for Limited {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let left = this.left.get();
        if left == 0 {
            return Poll::Ready(None);
        }
        let next = match ready!(Pin::new(&mut this.body).poll_next(context)) {
            Some(Ok(mut bytes)) => {
                bytes.truncate(usize::try_from(left).unwrap_or(usize::MAX));
                this.left.set(left - bytes.len() as u64);
                Some(Ok(bytes))
            }
            Some(Err(error)) => Some(Err(error)),
            None => Some(Err(PayloadError::Incomplete(None))),
        };
        Poll::Ready(next)
    }
}

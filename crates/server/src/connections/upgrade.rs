//! Requests of HTTP/1.1 that ask for another protocol: the offer is declined, and they are answered as any other.
//!
//! The HTTP library takes every `Connection: upgrade` for one that is taken up: it echoes it, closes the connection
//! without having said so, and lets the body of an `Upgrade: websocket` go on until the client leaves. Nor does it let
//! such a connection be kept. So these answers say that it closes, and the body ends where its length says.

use std::pin::Pin;
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

/// Wraps all handlers.
///
/// # Errors
/// Those of the wrapped service, unchanged.
pub async fn decline_upgrades<B: MessageBody + 'static>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, actix_web::Error> {
    let has_endless_body = has_endless_body(&request);
    if has_endless_body {
        end_body(&mut request);
    }
    let asks = request.request().head().connection_type() == ConnectionType::Upgrade;
    let is_declined = has_endless_body || (asks && request.version() < Version::HTTP_2);
    let mut response = next.call(request).await?;
    if is_declined {
        response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
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

/// Lets the body end after the length that the request names, or at once.
fn end_body(request: &mut ServiceRequest) {
    let length = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let left = length.and_then(|length| length.trim().parse().ok()).unwrap_or(0);
    let body = Limited { body: request.take_payload(), left };
    request.set_payload(Payload::Stream { payload: Box::pin(body) });
}

/// The beginning of a body.
struct Limited {
    body: Payload,
    /// Bytes that are still to come.
    left: u64,
}

impl Stream for Limited {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if this.left == 0 {
            return Poll::Ready(None);
        }
        let next = match ready!(Pin::new(&mut this.body).poll_next(context)) {
            Some(Ok(mut bytes)) => {
                bytes.truncate(usize::try_from(this.left).unwrap_or(usize::MAX));
                this.left -= bytes.len() as u64;
                Some(Ok(bytes))
            }
            Some(Err(error)) => Some(Err(error)),
            None => Some(Err(PayloadError::Incomplete(None))),
        };
        Poll::Ready(next)
    }
}

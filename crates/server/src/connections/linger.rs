//! The rest of a body whose request has been answered already.
//!
//! In HTTP/1 the HTTP library reads it for a while, so that a client that is still sending sees the
//! answer. In HTTP/2 it would end the stream at once, which clients take for a failure.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::dev::{Payload, ServiceRequest};
use actix_web::error::PayloadError;
use actix_web::http::Version;
use actix_web::{HttpMessage, rt};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};

/// Time that a client whose request is answered early has to send the rest of it, so that it sees the
/// answer.
pub const LINGER: Duration = Duration::from_secs(5);

/// The body of a request, for its handler, and for who reads on when the handler is done.
#[derive(Clone)]
pub(super) struct SharedBody(Rc<RefCell<Body>>);

struct Body {
    payload: Payload,
    is_read: bool,
}

impl SharedBody {
    /// Comes between a request in HTTP/2 and its body.
    pub fn share(request: &mut ServiceRequest) -> Option<Self> {
        if request.version() != Version::HTTP_2 {
            return None;
        }
        let body = Body { payload: request.take_payload(), is_read: false };
        let shared = Self(Rc::new(RefCell::new(body)));
        let handlers = shared.clone();
        request.set_payload(Payload::Stream { payload: Box::pin(handlers) });
        Some(shared)
    }

    /// Reads on what the handler has left, and throws it away, once it has answered.
    pub fn read_rest(mut self) {
        if self.0.borrow().is_read {
            return;
        }
        // Ends by itself, with the body or its time.
        drop(rt::spawn(async move {
            let reading = async { while let Some(Ok(_)) = self.next().await {} };
            let _ = tokio::time::timeout(LINGER, reading).await;
        }));
    }
}

impl Stream for SharedBody {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut body = self.0.borrow_mut();
        let next = Pin::new(&mut body.payload).poll_next(context);
        body.is_read |= matches!(next, Poll::Ready(None | Some(Err(_))));
        next
    }
}

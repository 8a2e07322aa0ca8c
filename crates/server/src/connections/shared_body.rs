//! The body of a request in HTTP/2, beside its handler.
//!
//! Two things are seen from it that the HTTP library does not look after: the rest of a body whose request
//! has been answered already, which it reads for a while in HTTP/1, so that a client that is still sending
//! sees the answer, and where in HTTP/2 it would end the stream at once, which clients take for a failure;
//! and that a client has taken its request back, which it does by resetting the stream.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
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

/// How often it is looked whether a request has been taken back.
const PERIOD: Duration = Duration::from_millis(100);

/// The body of a request, for its handler, and for who reads on when the handler is done.
#[derive(Clone)]
pub(crate) struct SharedBody(Rc<RefCell<Body>>);

struct Body {
    payload: Payload,
    /// What came when it was looked whether there is still a client.
    ahead: Option<Bytes>,
    /// Whether somebody waits for more, who is woken when it comes.
    is_awaited: bool,
    is_read: bool,
    is_reset: bool,
}

impl SharedBody {
    /// Comes between a request in HTTP/2 and its body.
    pub fn share(request: &mut ServiceRequest) -> Option<Self> {
        if request.version() != Version::HTTP_2 {
            return None;
        }
        let payload = request.take_payload();
        let body =
            Body { payload, ahead: None, is_awaited: false, is_read: false, is_reset: false };
        let shared = Self(Rc::new(RefCell::new(body)));
        let handlers = shared.clone();
        request.set_payload(Payload::Stream { payload: Box::pin(handlers) });
        Some(shared)
    }

    /// Completes when the client has taken its request back, and else never.
    pub async fn reset(&self) {
        while !self.is_reset() {
            tokio::time::sleep(PERIOD).await;
            let mut body = self.0.borrow_mut();
            if Rc::strong_count(&self.0) == 1 {
                body.forget_handler();
            }
            body.look_ahead();
        }
    }

    /// Whether it is known that the client has taken its request back.
    pub fn is_reset(&self) -> bool {
        self.0.borrow().is_reset
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

impl Body {
    fn poll_next(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<<SharedBody as Stream>::Item>> {
        if let Some(ahead) = self.ahead.take() {
            return Poll::Ready(Some(Ok(ahead)));
        }
        let next = self.poll_payload(context);
        self.is_awaited = next.is_pending();
        next
    }

    fn poll_payload(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<<SharedBody as Stream>::Item>> {
        let next = Pin::new(&mut self.payload).poll_next(context);
        self.is_read |= matches!(next, Poll::Ready(None | Some(Err(_))));
        self.is_reset |= matches!(next, Poll::Ready(Some(Err(_))));
        next
    }

    /// The handler has let go of the body: nobody asks for more by themselves, nor wants what has come ahead.
    fn forget_handler(&mut self) {
        self.is_awaited = false;
        self.ahead = None;
    }

    /// Finds out whether the client has reset the stream. The HTTP library tells that, also when the body
    /// has come to its end before, to whoever asks for more.
    fn look_ahead(&mut self) {
        // Of those who ask only the last is woken; and the handler asks by itself.
        if self.is_awaited || self.ahead.is_some() {
            return;
        }
        let next = self.poll_payload(&mut Context::from_waker(Waker::noop()));
        if let Poll::Ready(Some(Ok(ahead))) = next {
            self.ahead = Some(ahead);
        }
    }
}

impl Stream for SharedBody {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.borrow_mut().poll_next(context)
    }
}

//! How many bytes a body may still bring, and the bytes that it has brought.

use actix_web::HttpRequest;
use actix_web::http::header::CONTENT_LENGTH;
use bytes::BytesMut;

use super::UploadLimits;
use super::memory::{Reservation, UploadMemory, UploadedBytes};
use crate::error::{ApiError, Shortage};

/// Bytes that the parts' headers and boundaries may take.
const OVERHEAD: usize = 64 << 10;

/// How much of a body that is refused is read all the same, as a multiple of an image's limit: a
/// client that is cut off while it sends does not see the answer.
const DRAIN_FACTOR: usize = 4;

/// How much of a body is read when there is no room for it: what arrives in no time. A client that
/// sends more is cut off, so that it hears at once.
const OVERLOAD_DRAIN: usize = 1 << 20;

/// Largest image announced for which memory is set aside in one piece before it has come. It is not
/// reserved: what nothing is written to costs nothing, and a reservation could be had by announcing
/// alone.
const MAX_PREALLOCATION: usize = 4 << 20;

/// The bytes of a request's body as they come.
pub(super) struct Budget<'a> {
    memory: &'a UploadMemory,
    max_bytes: usize,
    /// For all of the body.
    limit: usize,
    announced: Option<usize>,
    /// Where there may be several images, their lengths are not known from the body's.
    is_one_image: bool,
    spent: usize,
    refusal: Option<Refusal>,
}

/// Why what comes is read only to be thrown away.
#[derive(Clone, Copy)]
enum Refusal {
    TooManyBytes,
    Overloaded(Shortage),
}

/// One image as it comes.
pub(super) struct Receiving {
    bytes: BytesMut,
    reservation: Reservation,
}

impl<'a> Budget<'a> {
    pub fn new(request: &HttpRequest, limits: &UploadLimits, memory: &'a UploadMemory) -> Self {
        let announced = request
            .headers()
            .get(CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok())
            .and_then(|text| text.parse::<usize>().ok());
        // What exceeds all memory for uploads will never fit, however long one waits.
        let limit = limits.max_bytes.saturating_mul(limits.max_images).min(memory.limit());
        // A body announced as too large is known to be before its first byte is kept.
        let too_large = announced.is_some_and(|bytes| bytes > limit.saturating_add(OVERHEAD));
        let refusal = match (limits.keep, too_large) {
            (false, _) => Some(Refusal::Overloaded(Shortage::Room)),
            (true, true) => Some(Refusal::TooManyBytes),
            (true, false) => None,
        };
        Self {
            memory,
            max_bytes: limits.max_bytes,
            limit,
            announced,
            is_one_image: limits.max_images == 1,
            spent: 0,
            refusal,
        }
    }

    /// Whether the client is told at once, without reading on.
    ///
    /// # Errors
    /// The answer.
    pub fn check_announced(&self) -> Result<(), ApiError> {
        match self.refusal {
            Some(Refusal::Overloaded(_))
                if self.announced.is_none_or(|all| all > OVERLOAD_DRAIN) =>
            {
                self.check()
            }
            Some(Refusal::TooManyBytes)
                if self.announced.is_some_and(|all| all > self.drain_limit()) =>
            {
                self.check()
            }
            _ => Ok(()),
        }
    }

    /// The beginning of an image.
    pub fn begin(&self) -> Receiving {
        let expected = self.announced.unwrap_or(0).min(self.max_bytes);
        let is_known = self.is_one_image && self.refusal.is_none();
        let capacity = if is_known && expected <= MAX_PREALLOCATION { expected } else { 0 };
        Receiving { bytes: BytesMut::with_capacity(capacity), reservation: self.memory.reserve() }
    }

    /// Takes what has come of an image.
    ///
    /// # Errors
    /// When there has been too much for reading on to make sense.
    pub fn keep(&mut self, image: &mut Receiving, chunk: &[u8]) -> Result<(), ApiError> {
        self.pass(chunk)?;
        if self.refusal.is_none() && image.bytes.len() + chunk.len() > self.max_bytes {
            self.refusal = Some(Refusal::TooManyBytes);
        }
        if self.refusal.is_none() && !image.reservation.grow(chunk.len()) {
            self.refusal = Some(Refusal::Overloaded(Shortage::Memory));
        }
        if self.refusal.is_none() {
            image.bytes.extend_from_slice(chunk);
        } else {
            image.bytes = BytesMut::new();
        }
        Ok(())
    }

    /// Takes note of what has come and is not kept.
    ///
    /// # Errors
    /// As [`keep`](Self::keep).
    pub fn pass(&mut self, chunk: &[u8]) -> Result<(), ApiError> {
        self.spent = self.spent.saturating_add(chunk.len());
        if self.spent > self.limit && self.refusal.is_none() {
            self.refusal = Some(Refusal::TooManyBytes);
        }
        if self.spent > self.drain_limit() {
            return self.check();
        }
        Ok(())
    }

    fn drain_limit(&self) -> usize {
        self.limit.max(self.max_bytes.saturating_mul(DRAIN_FACTOR))
    }

    /// The end of an image.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub fn end(&self, image: Receiving) -> Result<UploadedBytes, ApiError> {
        self.check()?;
        Ok(UploadedBytes::new(image.bytes.freeze(), image.reservation))
    }

    /// Whether all that has come so far was within the limits.
    ///
    /// # Errors
    /// [`ApiError::TooManyBytes`], [`ApiError::Overloaded`].
    pub fn check(&self) -> Result<(), ApiError> {
        match self.refusal {
            None => Ok(()),
            Some(Refusal::TooManyBytes) => {
                Err(ApiError::TooManyBytes { limit: self.max_bytes.min(self.limit) })
            }
            Some(Refusal::Overloaded(shortage)) => Err(ApiError::overloaded(shortage)),
        }
    }
}

//! How many bytes a body may still bring, and the bytes that it has brought.

use actix_web::HttpRequest;
use actix_web::http::header::CONTENT_LENGTH;
use bytes::BytesMut;

use super::UploadLimits;
use super::uploaded_bytes::UploadedBytes;
use crate::error::{ApiError, Shortage};
use crate::memory_budget::{MemoryBudget, Reservation};

/// Bytes that the parts' headers and boundaries may take.
const OVERHEAD: usize = 64 << 10;

/// How much of a body that is refused is read all the same, as a multiple of an image's limit: a
/// client that is cut off while it sends does not see the answer.
const DRAIN_FACTOR: usize = 4;

/// How much of a body is read when there is no room for it: what arrives in no time. A client that
/// sends more is cut off, so that it hears at once.
const OVERLOAD_DRAIN: usize = 1 << 20;

/// Largest image announced for which memory is set aside in one piece before it has come. It is not
/// reserved: memory that nothing has been written to hardly costs any, and a reservation could be had by
/// announcing alone.
const MAX_PREALLOCATION: usize = 4 << 20;

/// The bytes of a request's body as they come.
pub(super) struct Budget<'a> {
    memory: &'a MemoryBudget,
    max_bytes: usize,
    /// For all of the body.
    limit: usize,
    announced: Option<usize>,
    /// Where there may be several images, their lengths are not known from the body's.
    is_one_image: bool,
    spent: usize,
    refusal: Option<Refused>,
}

/// What comes is read only to be thrown away, so that the client sees why.
struct Refused {
    why: Refusal,
    /// Bytes of the body after which the client is cut off.
    stop_at: usize,
}

/// Why nothing more of a body is kept.
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
    pub fn new(request: &HttpRequest, limits: &UploadLimits, memory: &'a MemoryBudget) -> Self {
        let announced = request
            .headers()
            .get(CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok())
            .and_then(|text| text.parse::<usize>().ok());
        // What exceeds all memory for uploads will never fit, however long one waits.
        let limit = limits.max_bytes.saturating_mul(limits.max_images).min(memory.limit());
        // A body announced as too large is known to be before its first byte is kept.
        let too_large = announced.is_some_and(|bytes| bytes > limit.saturating_add(OVERHEAD));
        let mut budget = Self {
            memory,
            max_bytes: limits.max_bytes,
            limit,
            announced,
            is_one_image: limits.max_images == 1,
            spent: 0,
            refusal: None,
        };
        match (limits.keep, too_large) {
            (false, _) => budget.refuse(Refusal::Overloaded(Shortage::Room)),
            (true, true) => budget.refuse(Refusal::TooManyBytes),
            (true, false) => {}
        }
        budget
    }

    fn refuse(&mut self, why: Refusal) {
        let stop_at = match why {
            Refusal::TooManyBytes => self.limit.max(self.max_bytes.saturating_mul(DRAIN_FACTOR)),
            Refusal::Overloaded(_) => self.spent.saturating_add(OVERLOAD_DRAIN),
        };
        self.refusal = Some(Refused { why, stop_at });
    }

    /// Whether what comes is only thrown away.
    pub fn is_refused(&self) -> bool {
        self.refusal.is_some()
    }

    /// Whether the client is told at once, without reading on.
    ///
    /// # Errors
    /// The answer.
    pub fn check_announced(&self) -> Result<(), ApiError> {
        let Some(Refused { why, stop_at }) = &self.refusal else { return Ok(()) };
        let is_hopeless = match why {
            Refusal::Overloaded(_) => self.announced.is_none_or(|all| all > *stop_at),
            Refusal::TooManyBytes => self.announced.is_some_and(|all| all > *stop_at),
        };
        if is_hopeless { self.check() } else { Ok(()) }
    }

    /// The beginning of an image.
    pub fn begin(&self) -> Receiving {
        let expected = self.announced.unwrap_or(0).min(self.max_bytes);
        let is_known = self.is_one_image && !self.is_refused();
        let capacity = if is_known && expected <= MAX_PREALLOCATION { expected } else { 0 };
        Receiving { bytes: BytesMut::with_capacity(capacity), reservation: self.memory.reserve() }
    }

    /// Takes what has come of an image.
    ///
    /// # Errors
    /// When there has been too much for reading on to make sense.
    pub fn keep(&mut self, image: &mut Receiving, chunk: &[u8]) -> Result<(), ApiError> {
        self.pass(chunk)?;
        if !self.is_refused() && image.bytes.len() + chunk.len() > self.max_bytes {
            self.refuse(Refusal::TooManyBytes);
        }
        if !self.is_refused() && !image.reservation.grow(chunk.len()) {
            self.refuse(Refusal::Overloaded(Shortage::Memory));
        }
        if self.is_refused() {
            // Others may have the room.
            *image = Receiving { bytes: BytesMut::new(), reservation: self.memory.reserve() };
        } else {
            image.bytes.extend_from_slice(chunk);
        }
        Ok(())
    }

    /// Takes note of what has come and is not kept.
    ///
    /// # Errors
    /// As [`keep`](Self::keep).
    pub fn pass(&mut self, chunk: &[u8]) -> Result<(), ApiError> {
        self.spent = self.spent.saturating_add(chunk.len());
        if self.spent > self.limit && !self.is_refused() {
            self.refuse(Refusal::TooManyBytes);
        }
        match &self.refusal {
            Some(refused) if self.spent > refused.stop_at => self.check(),
            _ => Ok(()),
        }
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
        match self.refusal.as_ref().map(|refused| refused.why) {
            None => Ok(()),
            Some(Refusal::TooManyBytes) => {
                Err(ApiError::TooManyBytes { limit: self.max_bytes.min(self.limit) })
            }
            Some(Refusal::Overloaded(shortage)) => Err(ApiError::overloaded(shortage)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use actix_web::test::TestRequest;

    use super::super::UploadLimits;
    use super::{Budget, OVERLOAD_DRAIN};
    use crate::memory_budget::MemoryBudget;

    fn limits(max_images: usize) -> UploadLimits {
        UploadLimits {
            max_bytes: 8 << 20,
            max_images,
            timeout: Duration::from_secs(30),
            deadline: Instant::now() + Duration::from_secs(30),
            keep: true,
        }
    }

    #[test]
    fn what_is_refused_for_want_of_memory_gives_its_memory_back_and_is_read_on_for_a_little_only() {
        let memory = MemoryBudget::new(4 << 20);
        let mut others = memory.reserve();
        assert!(others.grow(3 << 20));
        let request = TestRequest::default().to_http_request();
        let mut budget = Budget::new(&request, &limits(2), &memory);
        let chunk = vec![0; 1 << 19];
        let mut image = budget.begin();
        for _ in 0..2 {
            budget.keep(&mut image, &chunk).unwrap();
        }
        assert_eq!((memory.used(), budget.is_refused()), (4 << 20, false));
        budget.keep(&mut image, &chunk).unwrap();
        assert_eq!((memory.used(), budget.is_refused()), (3 << 20, true));
        let mut more = 0;
        while budget.keep(&mut image, &chunk).is_ok() {
            more += chunk.len();
        }
        assert!(more <= OVERLOAD_DRAIN, "{more} bytes were read on");
        assert_eq!(memory.used(), 3 << 20);
        assert_eq!(budget.end(image).unwrap_err().code(), "overloaded");
    }
}

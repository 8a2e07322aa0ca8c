//! How many bytes a body may still bring, and the bytes that it has brought.

use actix_web::HttpRequest;
use actix_web::http::header::CONTENT_LENGTH;
use bytes::{Bytes, BytesMut};
use sdd_serving::Reservation;
use sdd_serving::engine::EngineShortage;

use crate::error::{ApiError, Shortage};
use crate::uploads::limits::UploadLimits;

/// Bytes that the parts' headers and boundaries may take.
const OVERHEAD: usize = 64 << 10;

/// Bytes that the fields beside the images may bring together: browsers' forms have some, of a few bytes.
const OTHER_FIELDS: usize = 64 << 10;

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
pub(crate) struct Budget<'a> {
    limits: UploadLimits<'a>,
    /// For all images together.
    limit: usize,
    announced: Option<usize>,
    /// Bytes of images that have come.
    spent: usize,
    /// Bytes of other fields that have come.
    others: usize,
    /// Whether it was known before the body that nothing of it would be looked at.
    pub is_refused_beforehand: bool,
    refusal: Option<Refused>,
}

/// What comes is read only to be thrown away, so that the client sees why.
struct Refused {
    why: ApiError,
    /// Bytes of the body after which the client is cut off.
    stop_at: usize,
}

impl Refused {
    /// Rather than that there is too little of something for it.
    fn is_too_large(&self) -> bool {
        matches!(self.why, ApiError::TooManyBytes { .. } | ApiError::TooLargeFields { .. })
    }
}

/// One image as it comes.
pub(crate) struct Receiving {
    bytes: BytesMut,
    reservation: Reservation,
}

impl<'a> Budget<'a> {
    pub fn new(request: &HttpRequest, mut limits: UploadLimits<'a>) -> Self {
        let announced = request.headers().get(CONTENT_LENGTH);
        let announced = announced.and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
        // What exceeds all memory for uploads will never fit, however long one waits.
        let limit = limits.max_bytes.saturating_mul(limits.max_images).min(limits.memory.limit());
        let refusal = limits.refusal.take();
        let mut budget = Self {
            limits,
            limit,
            announced,
            spent: 0,
            others: 0,
            is_refused_beforehand: refusal.is_some(),
            refusal: None,
        };
        if let Some(why) = refusal {
            budget.refuse(why);
        } else if announced.is_some_and(|all| all > limit.saturating_add(OVERHEAD + OTHER_FIELDS)) {
            // A body announced as too large is known to be before its first byte is kept.
            budget.refuse(budget.too_many_bytes());
        }
        budget
    }

    /// Bytes that have come.
    fn read(&self) -> usize {
        self.spent.saturating_add(self.others)
    }

    fn too_many_bytes(&self) -> ApiError {
        ApiError::TooManyBytes { limit: self.limits.max_bytes.min(self.limit) }
    }

    fn overloaded(&self, shortage: Shortage) -> ApiError {
        ApiError::Overloaded { shortage, retry_after: (self.limits.wait)() }
    }

    fn refuse(&mut self, why: ApiError) {
        let mut refused = Refused { why, stop_at: self.read().saturating_add(OVERLOAD_DRAIN) };
        if refused.is_too_large() {
            let images = self.limits.max_bytes.saturating_mul(DRAIN_FACTOR);
            refused.stop_at = self.limit.max(images).saturating_add(OVERHEAD + OTHER_FIELDS);
        }
        self.refusal = Some(refused);
    }

    /// Whether what comes is only thrown away.
    pub fn is_refused(&self) -> bool {
        self.refusal.is_some()
    }

    /// Whether the client is told at once, without reading on.
    pub fn check_announced(&mut self) -> Result<(), ApiError> {
        let Some(refused) = &self.refusal else { return Ok(()) };
        let is_hopeless =
            self.announced.map_or(!refused.is_too_large(), |all| all > refused.stop_at);
        if is_hopeless { self.check() } else { Ok(()) }
    }

    /// The beginning of an image.
    pub fn begin(&self) -> Receiving {
        let expected = self.announced.unwrap_or(0).min(self.limits.max_bytes);
        // Where there may be several images, their lengths are not known from the body's.
        let is_known = self.limits.max_images == 1 && !self.is_refused();
        let capacity = if is_known && expected <= MAX_PREALLOCATION { expected } else { 0 };
        Receiving {
            bytes: BytesMut::with_capacity(capacity),
            reservation: self.limits.memory.reserve(),
        }
    }

    /// Takes what has come of an image.
    ///
    /// An error when there has been too much for reading on to make sense.
    pub fn keep(&mut self, image: &mut Receiving, chunk: &[u8]) -> Result<(), ApiError> {
        self.spent = self.spent.saturating_add(chunk.len());
        if !self.is_refused()
            && (self.spent > self.limit || image.bytes.len() + chunk.len() > self.limits.max_bytes)
        {
            self.refuse(self.too_many_bytes());
        }
        self.check_time();
        if !self.is_refused() && !image.reservation.grow(chunk.len()) {
            self.refuse(self.overloaded(Shortage::Memory));
        }
        if self.is_refused() {
            // Others may have the room.
            *image =
                Receiving { bytes: BytesMut::new(), reservation: self.limits.memory.reserve() };
        } else {
            image.bytes.extend_from_slice(chunk);
        }
        self.check_read()
    }

    /// Takes note of what has come of another field, which is not kept.
    pub fn pass(&mut self, chunk: &[u8]) -> Result<(), ApiError> {
        self.others = self.others.saturating_add(chunk.len());
        if self.others > OTHER_FIELDS && !self.is_refused() {
            self.refuse(ApiError::TooLargeFields { limit: OTHER_FIELDS });
        }
        self.check_time();
        self.check_read()
    }

    /// Looks at whether there is still time for an answer. Room may still come free until the body is
    /// there; time does not come back.
    fn check_time(&mut self) {
        if !self.is_refused() && (self.limits.shortage)() == Some(EngineShortage::Time) {
            self.refuse(self.overloaded(EngineShortage::Time.into()));
        }
    }

    fn check_read(&mut self) -> Result<(), ApiError> {
        let is_over = self.refusal.as_ref().is_some_and(|refused| self.read() > refused.stop_at);
        if is_over { self.check() } else { Ok(()) }
    }

    /// The end of an image.
    pub fn end(&mut self, image: Receiving) -> Result<Bytes, ApiError> {
        self.check()?;
        Ok(image.reservation.hold(image.bytes))
    }

    /// Whether all that has come so far was within the limits. An error is the end of reading.
    pub fn check(&mut self) -> Result<(), ApiError> {
        self.refusal.take().map_or(Ok(()), |refused| Err(refused.why))
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use actix_web::test::TestRequest;
    use sdd_serving::Allowance;
    use sdd_serving::engine::EngineShortage;

    use super::{Budget, OVERLOAD_DRAIN, UploadLimits};
    use crate::error::{ApiError, Shortage};

    fn limits<'a>(
        memory: &'a Allowance,
        shortage: &'a dyn Fn() -> Option<EngineShortage>,
        max_images: usize,
    ) -> UploadLimits<'a> {
        UploadLimits {
            max_bytes: 8 << 20,
            max_images,
            memory,
            timeout: Duration::from_secs(30),
            deadline: Instant::now() + Duration::from_secs(30),
            refusal: None,
            shortage,
            wait: &|| Duration::from_secs(7),
        }
    }

    /// Bytes of an image that are still read, and the error that ends it.
    fn read_on(budget: &mut Budget<'_>) -> (usize, ApiError) {
        let (mut image, chunk) = (budget.begin(), vec![0; 1 << 19]);
        let mut read = 0;
        loop {
            match budget.keep(&mut image, &chunk) {
                Ok(()) => read += chunk.len(),
                Err(error) => return (read, error),
            }
        }
    }

    #[test]
    fn what_is_refused_for_want_of_memory_gives_its_memory_back_and_is_read_on_for_a_little_only() {
        let memory = Allowance::new(4 << 20);
        let mut others = memory.reserve();
        assert!(others.grow(3 << 20));
        let request = TestRequest::default().to_http_request();
        let limits = limits(&memory, &|| None, 2);
        let mut budget = Budget::new(&request, limits);
        let chunk = vec![0; 1 << 19];
        let mut image = budget.begin();
        for _ in 0..2 {
            budget.keep(&mut image, &chunk).unwrap();
        }
        assert_eq!((memory.used(), budget.is_refused()), (4 << 20, false));
        budget.keep(&mut image, &chunk).unwrap();
        assert_eq!((memory.used(), budget.is_refused()), (3 << 20, true));
        let (more, why) = read_on(&mut budget);
        assert!(more <= OVERLOAD_DRAIN, "{more} bytes were read on");
        assert_eq!(memory.used(), 3 << 20);
        let ApiError::Overloaded { shortage, retry_after } = why else { panic!("{why}") };
        assert_eq!((shortage, retry_after), (Shortage::Memory, Duration::from_secs(7)));
    }

    #[test]
    fn an_image_for_which_there_is_no_time_any_more_is_not_read_to_its_end() {
        let (memory, request) = (Allowance::new(64 << 20), TestRequest::default());
        let shortage = std::cell::Cell::new(Some(EngineShortage::Room));
        let now = || shortage.get();
        let limits = limits(&memory, &now, 1);
        let request = request.to_http_request();
        let mut budget = Budget::new(&request, limits);
        let (mut image, chunk) = (budget.begin(), vec![0; 1 << 19]);
        budget.keep(&mut image, &chunk).unwrap();
        assert!(!budget.is_refused(), "there may be room when it is there");
        shortage.set(Some(EngineShortage::Time));
        budget.keep(&mut image, &chunk).unwrap();
        assert!(budget.is_refused());
        let (more, _) = read_on(&mut budget);
        assert!(more <= OVERLOAD_DRAIN, "{more} bytes were read on");
    }
}

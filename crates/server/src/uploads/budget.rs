//! How many bytes a body may still bring, and the bytes that it has brought.

use actix_web::HttpRequest;
use actix_web::http::header::CONTENT_LENGTH;
use bytes::BytesMut;
use sdd_serving::engine::EngineShortage;
use sdd_serving::{Reservation, ReservedBytes};

use crate::error::{ApiError, Shortage};
use crate::uploads::limits::{Refusal, UploadLimits};

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
    limits: &'a UploadLimits<'a>,
    /// For all images together.
    limit: usize,
    announced: Option<usize>,
    /// Bytes of images that have come.
    spent: usize,
    /// Bytes of other fields that have come.
    others: usize,
    refusal: Option<Refused>,
}

/// What comes is read only to be thrown away, so that the client sees why.
struct Refused {
    why: Refusal,
    /// Bytes of the body after which the client is cut off.
    stop_at: usize,
}

/// One image as it comes.
pub(crate) struct Receiving {
    bytes: BytesMut,
    reservation: Reservation,
}

impl<'a> Budget<'a> {
    pub fn new(request: &HttpRequest, limits: &'a UploadLimits<'a>) -> Self {
        let announced = request
            .headers()
            .get(CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok())
            .and_then(|text| text.parse::<usize>().ok());
        // What exceeds all memory for uploads will never fit, however long one waits.
        let limit = limits.max_bytes.saturating_mul(limits.max_images).min(limits.memory.limit());
        // A body announced as too large is known to be before its first byte is kept.
        let too_large =
            announced.is_some_and(|bytes| bytes > limit.saturating_add(OVERHEAD + OTHER_FIELDS));
        let mut budget = Self { limits, limit, announced, spent: 0, others: 0, refusal: None };
        let refusal = limits.refusal.or_else(|| too_large.then_some(Refusal::TooManyBytes));
        if let Some(why) = refusal {
            budget.refuse(why);
        }
        budget
    }

    /// Bytes that have come.
    fn read(&self) -> usize {
        self.spent.saturating_add(self.others)
    }

    fn refuse(&mut self, why: Refusal) {
        let stop_at = match why {
            Refusal::TooManyBytes | Refusal::OtherFields => {
                let images = self.limits.max_bytes.saturating_mul(DRAIN_FACTOR);
                self.limit.max(images).saturating_add(OVERHEAD + OTHER_FIELDS)
            }
            Refusal::Overloaded(_) | Refusal::EngineFailing(_) => {
                self.read().saturating_add(OVERLOAD_DRAIN)
            }
        };
        self.refusal = Some(Refused { why, stop_at });
    }

    /// Whether it was known before the body that nothing of it would be looked at.
    pub fn is_refused_beforehand(&self) -> bool {
        self.limits.refusal.is_some()
    }

    /// Whether what comes is only thrown away.
    pub fn is_refused(&self) -> bool {
        self.refusal.is_some()
    }

    /// Whether the client is told at once, without reading on.
    pub fn check_announced(&self) -> Result<(), ApiError> {
        let Some(Refused { why, stop_at }) = &self.refusal else { return Ok(()) };
        let is_hopeless = match why {
            Refusal::Overloaded(_) | Refusal::EngineFailing(_) => {
                self.announced.is_none_or(|all| all > *stop_at)
            }
            Refusal::TooManyBytes | Refusal::OtherFields => {
                self.announced.is_some_and(|all| all > *stop_at)
            }
        };
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
            self.refuse(Refusal::TooManyBytes);
        }
        self.check_time();
        if !self.is_refused() && !image.reservation.grow(chunk.len()) {
            self.refuse(Refusal::Overloaded(Shortage::Memory));
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
            self.refuse(Refusal::OtherFields);
        }
        self.check_time();
        self.check_read()
    }

    /// Looks at whether there is still time for an answer. Room may still come free until the body is
    /// there; time does not come back.
    fn check_time(&mut self) {
        if !self.is_refused() && (self.limits.shortage)() == Some(EngineShortage::Time) {
            self.refuse(Refusal::Overloaded(EngineShortage::Time.into()));
        }
    }

    fn check_read(&self) -> Result<(), ApiError> {
        match &self.refusal {
            Some(refused) if self.read() > refused.stop_at => self.check(),
            _ => Ok(()),
        }
    }

    /// The end of an image.
    pub fn end(&self, image: Receiving) -> Result<ReservedBytes, ApiError> {
        self.check()?;
        Ok(ReservedBytes::new(image.bytes.freeze(), image.reservation))
    }

    /// Whether all that has come so far was within the limits.
    pub fn check(&self) -> Result<(), ApiError> {
        let Some(Refused { why, .. }) = self.refusal else { return Ok(()) };
        Err(match why {
            Refusal::TooManyBytes => {
                ApiError::TooManyBytes { limit: self.limits.max_bytes.min(self.limit) }
            }
            Refusal::OtherFields => ApiError::TooLargeFields { limit: OTHER_FIELDS },
            Refusal::Overloaded(shortage) => {
                ApiError::Overloaded { shortage, retry_after: (self.limits.wait)() }
            }
            Refusal::EngineFailing(retry_after) => ApiError::EngineFailing { retry_after },
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use actix_web::test::TestRequest;
    use sdd_serving::Allowance;
    use sdd_serving::engine::EngineShortage;

    use super::{Budget, OTHER_FIELDS, OVERLOAD_DRAIN, UploadLimits};
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

    /// Bytes of an image that are still read.
    fn read_on(budget: &mut Budget<'_>) -> usize {
        let (mut image, chunk) = (budget.begin(), vec![0; 1 << 19]);
        (0..1000).take_while(|_| budget.keep(&mut image, &chunk).is_ok()).count() * chunk.len()
    }

    #[test]
    fn what_is_refused_for_want_of_memory_gives_its_memory_back_and_is_read_on_for_a_little_only() {
        let memory = Allowance::new(4 << 20);
        let mut others = memory.reserve();
        assert!(others.grow(3 << 20));
        let request = TestRequest::default().to_http_request();
        let limits = limits(&memory, &|| None, 2);
        let mut budget = Budget::new(&request, &limits);
        let chunk = vec![0; 1 << 19];
        let mut image = budget.begin();
        for _ in 0..2 {
            budget.keep(&mut image, &chunk).unwrap();
        }
        assert_eq!((memory.used(), budget.is_refused()), (4 << 20, false));
        budget.keep(&mut image, &chunk).unwrap();
        assert_eq!((memory.used(), budget.is_refused()), (3 << 20, true));
        let more = read_on(&mut budget);
        assert!(more <= OVERLOAD_DRAIN, "{more} bytes were read on");
        assert_eq!(memory.used(), 3 << 20);
        let Err(ApiError::Overloaded { shortage, retry_after }) = budget.end(image) else {
            panic!("there was no room");
        };
        assert_eq!((shortage, retry_after), (Shortage::Memory, Duration::from_secs(7)));
    }

    #[test]
    fn an_image_for_which_there_is_no_time_any_more_is_not_read_to_its_end() {
        let (memory, request) = (Allowance::new(64 << 20), TestRequest::default());
        let shortage = std::cell::Cell::new(Some(EngineShortage::Room));
        let now = || shortage.get();
        let limits = limits(&memory, &now, 1);
        let request = request.to_http_request();
        let mut budget = Budget::new(&request, &limits);
        let (mut image, chunk) = (budget.begin(), vec![0; 1 << 19]);
        budget.keep(&mut image, &chunk).unwrap();
        assert!(!budget.is_refused(), "there may be room when it is there");
        shortage.set(Some(EngineShortage::Time));
        budget.keep(&mut image, &chunk).unwrap();
        assert!(budget.is_refused());
        let more = read_on(&mut budget);
        assert!(more <= OVERLOAD_DRAIN, "{more} bytes were read on");
    }

    #[test]
    fn other_fields_have_a_limit_of_their_own() {
        let memory = Allowance::new(64 << 20);
        let limits = limits(&memory, &|| None, 1);
        let whole = limits.max_bytes;
        let announced = ("content-length", (whole + OTHER_FIELDS + 500).to_string());
        let request = TestRequest::default().insert_header(announced).to_http_request();
        let mut budget = Budget::new(&request, &limits);
        budget.pass(&vec![0; OTHER_FIELDS]).unwrap();
        let mut image = budget.begin();
        budget.keep(&mut image, &vec![0; whole]).unwrap();
        budget.check().unwrap();
        budget.pass(b"1").unwrap();
        assert!(matches!(budget.check(), Err(ApiError::TooLargeFields { .. })));
    }
}

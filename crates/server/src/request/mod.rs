//! What belongs to one request: its name, its time, and what it came to.

mod finished;
mod stages;

use std::cell::{Cell, Ref, RefCell};
use std::future::{Ready, ready};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::dev::{Payload, ServiceRequest};
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use sdd_serving::engine::{Answer, StageTimes};

pub use finished::{Finished, RequestOutcome};
pub use stages::RequestStages;

use crate::error::ApiError;

/// The header that names a request, in what comes and in what goes.
pub const REQUEST_ID: &str = "x-request-id";

/// The header with the milliseconds that a client will wait.
pub const REQUEST_TIMEOUT: &str = "x-request-timeout-ms";

/// The header that tells where the JSON of an inference request or of its answer ends.
pub const INFERENCE_HEADER_LENGTH: &str = "inference-header-content-length";

/// The longest name that is taken from a client.
const MAX_ID_BYTES: usize = 128;

/// What belongs to one request. Handlers take it as an argument, and note in it what the log, the
/// metrics and the header `server-timing` tell.
#[derive(Debug, Clone)]
pub struct RequestContext(Rc<Inner>);

#[derive(Debug)]
struct Inner {
    id: String,
    started: Instant,
    deadline: Instant,
    read: Cell<Option<Duration>>,
    bytes: Cell<usize>,
    key_name: RefCell<Option<Arc<str>>>,
    outcomes: RefCell<Vec<ImageOutcome>>,
    errors: RefCell<Vec<&'static str>>,
}

/// What one image of a request came to.
#[derive(Debug, Clone)]
pub struct ImageOutcome {
    /// The decided class.
    pub class: String,
    /// Its probability.
    pub confidence: f32,
    /// Whether the image is out of distribution, where that is known.
    pub out_of_distribution: Option<bool>,
    /// How long each stage took.
    pub times: StageTimes,
}

impl RequestContext {
    /// A context for a request that has just begun: with the client's name for it or a new one, and
    /// with the client's time for it where that is less than `timeout`.
    ///
    /// # Errors
    /// [`ApiError::InvalidHeader`]; the context is made all the same, so that the answer has a name.
    pub fn begin(request: &ServiceRequest, timeout: Duration) -> (Self, Result<(), ApiError>) {
        let header = |name| request.headers().get(name).map(|value| value.to_str());
        let id = match header(REQUEST_ID) {
            Some(Ok(id)) if is_valid_id(id) => id.to_owned(),
            // A name that cannot be logged is as good as none.
            _ => uuid::Uuid::new_v4().to_string(),
        };
        let asked_for = header(REQUEST_TIMEOUT).map(|text| parse_timeout(text.unwrap_or_default()));
        let (timeout, checked) = match asked_for {
            None => (timeout, Ok(())),
            Some(Ok(asked_for)) => (timeout.min(asked_for), Ok(())),
            Some(Err(error)) => (timeout, Err(error)),
        };
        let started = Instant::now();
        let inner = Inner {
            id,
            started,
            deadline: started + timeout,
            read: Cell::default(),
            bytes: Cell::default(),
            key_name: RefCell::default(),
            outcomes: RefCell::default(),
            errors: RefCell::default(),
        };
        let context = Self(Rc::new(inner));
        request.extensions_mut().insert(context.clone());
        (context, checked)
    }

    /// The request's name.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// When its head had come.
    #[must_use]
    pub fn started(&self) -> Instant {
        self.0.started
    }

    /// When its answer comes too late.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.0.deadline
    }

    /// Notes how long the body took to come, or to be refused.
    pub fn note_read(&self, read: Duration) {
        self.0.read.set(Some(read));
    }

    /// Notes what the body brought.
    pub fn note_upload(&self, bytes: usize) {
        self.0.bytes.set(bytes);
    }

    /// Notes the name of the key that was shown.
    pub fn note_key(&self, name: Arc<str>) {
        self.0.key_name.replace(Some(name));
    }

    /// Notes an answer.
    pub fn note_answer(&self, class: &str, answer: &Answer) {
        self.0.outcomes.borrow_mut().push(ImageOutcome {
            class: class.to_owned(),
            confidence: answer.prediction.confidence,
            out_of_distribution: answer.drift.as_ref().and_then(|drift| drift.out_of_distribution),
            times: answer.times,
        });
    }

    /// Bytes of the images.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.0.bytes.get()
    }

    /// The time that the body took to come; `None` where none was read.
    #[must_use]
    pub fn read_time(&self) -> Option<Duration> {
        self.0.read.get()
    }

    /// The name of the key that was shown; `None` where none was, or an unknown one.
    #[must_use]
    pub fn key_name(&self) -> Option<Arc<str>> {
        self.0.key_name.borrow().clone()
    }

    /// What became of the images that were answered.
    #[must_use]
    pub fn outcomes(&self) -> Ref<'_, Vec<ImageOutcome>> {
        self.0.outcomes.borrow()
    }

    /// Notes an image that could not be answered, by the code of what is wrong.
    pub fn note_error(&self, code: &'static str) {
        self.0.errors.borrow_mut().push(code);
    }

    /// What was wrong with the images that could not be answered.
    #[must_use]
    pub fn errors(&self) -> Ref<'_, Vec<&'static str>> {
        self.0.errors.borrow()
    }
}

impl FromRequest for RequestContext {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let context = request.extensions().get::<Self>().cloned();
        ready(context.ok_or_else(|| ApiError::Internal("a request without context".into())))
    }
}

fn is_valid_id(id: &str) -> bool {
    (1..=MAX_ID_BYTES).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
}

fn parse_timeout(text: &str) -> Result<Duration, ApiError> {
    match text.trim().parse::<u32>() {
        Ok(milliseconds @ 1..) => Ok(Duration::from_millis(milliseconds.into())),
        _ => Err(ApiError::InvalidHeader {
            name: REQUEST_TIMEOUT,
            reason: "expected a whole number of milliseconds, 1 at least".into(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use actix_web::test::TestRequest;

    use super::{REQUEST_ID, REQUEST_TIMEOUT, RequestContext};

    fn begin(headers: &[(&'static str, &str)]) -> (RequestContext, bool) {
        let request = headers.iter().fold(TestRequest::default(), |request, (name, value)| {
            request.insert_header((*name, *value))
        });
        let (context, checked) =
            RequestContext::begin(&request.to_srv_request(), Duration::from_mins(1));
        (context, checked.is_ok())
    }

    #[test]
    fn a_name_is_taken_or_made() {
        assert_eq!(begin(&[(REQUEST_ID, "line-3/part:7")]).0.id(), "line-3/part:7");
        let long = "x".repeat(129);
        for bad in ["", "two words", &long] {
            let (made, other) = (begin(&[(REQUEST_ID, bad)]).0, begin(&[]).0);
            assert_eq!(made.id().len(), 36);
            assert_ne!(made.id(), other.id());
        }
    }

    #[test]
    fn a_client_can_ask_for_less_time() {
        let time = |value| {
            let (context, fine) = begin(&[(REQUEST_TIMEOUT, value)]);
            (context.deadline() - context.started(), fine)
        };
        assert_eq!(time("250"), (Duration::from_millis(250), true));
        assert_eq!(time("999999"), (Duration::from_mins(1), true));
        for bad in ["0", "-1", "1.5", "soon", ""] {
            assert_eq!(time(bad), (Duration::from_mins(1), false), "{bad}");
        }
    }
}

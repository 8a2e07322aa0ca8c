//! What belongs to one request: its name, its time, and what it came to.

mod finished;
mod stages;

use std::cell::{Cell, RefCell};
use std::future::{Ready, ready};
use std::ops::Deref;
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
pub struct RequestContext(Rc<Noted>);

/// What is known of a request, and what is noted of it as it goes on.
#[derive(Debug)]
pub struct Noted {
    /// Its name.
    pub id: String,
    /// When its head had come.
    pub started: Instant,
    /// When its answer comes too late.
    pub deadline: Instant,
    /// The time that the body took to come, or to be refused; `None` where none was read.
    pub read_time: Cell<Option<Duration>>,
    /// Bytes of the images.
    pub bytes: Cell<usize>,
    /// The name of the key that was shown; `None` where none was, or an unknown one.
    pub key_name: RefCell<Option<Arc<str>>>,
    /// What became of the images that were answered.
    pub outcomes: RefCell<Vec<ImageOutcome>>,
    /// The codes of what was wrong with the images that could not be answered.
    pub errors: RefCell<Vec<&'static str>>,
}

impl Deref for RequestContext {
    type Target = Noted;

    fn deref(&self) -> &Noted {
        &self.0
    }
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
    /// Where a header is malformed the context is made all the same, so that the answer has a name.
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
        let noted = Noted {
            id,
            started,
            deadline: started + timeout,
            read_time: Cell::default(),
            bytes: Cell::default(),
            key_name: RefCell::default(),
            outcomes: RefCell::default(),
            errors: RefCell::default(),
        };
        let context = Self(Rc::new(noted));
        request.extensions_mut().insert(context.clone());
        (context, checked)
    }

    /// Notes an answer.
    pub fn note_answer(&self, class: &str, answer: &Answer) {
        self.outcomes.borrow_mut().push(ImageOutcome {
            class: class.to_owned(),
            confidence: answer.prediction.confidence,
            out_of_distribution: answer.drift.as_ref().and_then(|drift| drift.out_of_distribution),
            times: answer.times,
        });
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
        assert_eq!(begin(&[(REQUEST_ID, "line-3/part:7")]).0.id, "line-3/part:7");
        let long = "x".repeat(129);
        for bad in ["", "two words", &long] {
            let (made, other) = (begin(&[(REQUEST_ID, bad)]).0, begin(&[]).0);
            assert_eq!(made.id.len(), 36);
            assert_ne!(made.id, other.id);
        }
    }

    #[test]
    fn a_client_can_ask_for_less_time() {
        let time = |value| {
            let (context, fine) = begin(&[(REQUEST_TIMEOUT, value)]);
            (context.deadline - context.started, fine)
        };
        assert_eq!(time("250"), (Duration::from_millis(250), true));
        assert_eq!(time("999999"), (Duration::from_mins(1), true));
        for bad in ["0", "-1", "1.5", "soon", ""] {
            assert_eq!(time(bad), (Duration::from_mins(1), false), "{bad}");
        }
    }
}

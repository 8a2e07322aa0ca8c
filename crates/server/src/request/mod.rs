//! What belongs to one request: its name, its time, and what it came to.

mod finished;
mod stages;

use std::cell::{Cell, RefCell};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::HttpMessage;
use actix_web::dev::ServiceRequest;
use actix_web::http::Method;
use actix_web::web::ReqData;
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

/// What is told of a text that a client made up, as a path, or had a part in.
const MAX_TEXT_BYTES: usize = 256;

/// What belongs to one request, as handlers take it.
pub type Context = ReqData<Rc<RequestContext>>;

/// What is known of a request, and what is noted of it as it goes on: what the log, the metrics and the header
/// `server-timing` tell.
#[derive(Debug)]
pub struct RequestContext {
    /// Its name.
    pub id: String,
    /// A method of HTTP, or `_OTHER`.
    pub method: &'static str,
    /// The pattern that the path matched; `None` where there is no such path.
    pub route: Option<String>,
    /// The path's beginning.
    pub path: String,
    /// `http` or `https`.
    pub scheme: &'static str,
    /// Where it comes from, behind trusted proxies.
    pub client: Option<IpAddr>,
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
    pub fn begin(
        request: &ServiceRequest,
        timeout: Duration,
        client: Option<IpAddr>,
    ) -> (Rc<Self>, Result<(), ApiError>) {
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
        let context = Rc::new(Self {
            id,
            method: name_of(request.method()),
            route: request.match_pattern(),
            path: beginning_of(request.path()).to_owned(),
            scheme: if request.app_config().secure() { "https" } else { "http" },
            client,
            started,
            deadline: started + timeout,
            read_time: Cell::default(),
            bytes: Cell::default(),
            key_name: RefCell::default(),
            outcomes: RefCell::default(),
            errors: RefCell::default(),
        });
        request.extensions_mut().insert(Rc::clone(&context));
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

/// The methods of HTTP; a client may make others up.
fn name_of(method: &Method) -> &'static str {
    const KNOWN: [&str; 9] =
        ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("_OTHER")
}

/// The beginning of a text that a client made up, or had a part in: what is told of it.
pub fn beginning_of(text: &str) -> &str {
    text.get(..text.floor_char_boundary(MAX_TEXT_BYTES)).unwrap_or(text)
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

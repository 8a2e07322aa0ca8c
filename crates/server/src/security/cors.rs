//! Which web sites' pages may read answers.

use actix_cors::Cors;
use actix_web::http::header::{self, HeaderName};

use crate::request::{INFERENCE_HEADER_LENGTH, REQUEST_ID, REQUEST_TIMEOUT};

/// Seconds for which a browser need not ask again whether it may.
const MAX_AGE_S: usize = 3600;

/// The rules for `origins`, `*` among them meaning all.
pub fn cors(origins: &[String]) -> Cors {
    let rules = Cors::default()
        .allowed_methods(["GET", "HEAD", "POST"])
        .allowed_headers([
            header::CONTENT_TYPE,
            header::AUTHORIZATION,
            header::CONTENT_ENCODING,
            HeaderName::from_static("x-api-key"),
            HeaderName::from_static(INFERENCE_HEADER_LENGTH),
            HeaderName::from_static("traceparent"),
            HeaderName::from_static("tracestate"),
            HeaderName::from_static(REQUEST_ID),
            HeaderName::from_static(REQUEST_TIMEOUT),
        ])
        .expose_headers([
            HeaderName::from_static(REQUEST_ID),
            HeaderName::from_static("server-timing"),
            HeaderName::from_static(INFERENCE_HEADER_LENGTH),
            header::RETRY_AFTER,
        ])
        .max_age(MAX_AGE_S);
    if origins.iter().any(|origin| origin == "*") {
        return rules.allow_any_origin().send_wildcard();
    }
    origins.iter().fold(rules, |rules, origin| rules.allowed_origin(origin))
}

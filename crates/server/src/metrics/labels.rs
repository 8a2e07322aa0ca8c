//! Labels, each of few values: routes and codes of the program, classes of the model, nothing that a
//! client makes up.

use prometheus_client::encoding::EncodeLabelSet;

use crate::request::{Finished, ImageOutcome};

/// The route of paths that are not there.
const UNMATCHED: &str = "unmatched";

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct RequestLabels {
    pub route: String,
    pub method: &'static str,
    pub status: u16,
    /// Empty where nothing went wrong.
    pub error: &'static str,
}

impl RequestLabels {
    pub fn of(finished: &Finished<'_>) -> Self {
        Self {
            route: finished.context.route.as_deref().unwrap_or(UNMATCHED).to_owned(),
            method: finished.context.method,
            status: finished.status,
            error: finished.error.unwrap_or_default(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct DurationLabels {
    pub route: String,
    /// The first digit of the status, as `2xx`.
    pub status: &'static str,
}

impl DurationLabels {
    pub fn of(route: String, status: u16) -> Self {
        let status = match status {
            ..=199 => "1xx",
            200..=299 => "2xx",
            300..=399 => "3xx",
            400..=499 => "4xx",
            500.. => "5xx",
        };
        Self { route, status }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct ImageLabels {
    pub class: String,
    pub out_of_distribution: &'static str,
}

impl ImageLabels {
    pub fn of(outcome: &ImageOutcome) -> Self {
        let out_of_distribution = match outcome.out_of_distribution {
            Some(true) => "yes",
            Some(false) => "no",
            None => "unknown",
        };
        Self { class: outcome.class.clone(), out_of_distribution }
    }
}

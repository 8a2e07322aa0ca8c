//! What is known of a request when it is over.

use std::time::Duration;

use actix_web::http::StatusCode;

use crate::error::Shortage;
use crate::error::kinds::{CLIENT_LEFT, ENGINE_FAILING};
use crate::request::{RequestContext, RequestStages};
use crate::security::area::Area;

/// What is known of a request when it is over.
#[derive(Debug)]
pub struct Finished<'a> {
    /// What was known at its beginning, and what the handler noted.
    pub context: &'a RequestContext,
    /// The answer's status, or that of [`CLIENT_LEFT`].
    pub status: u16,
    /// The stable code of what went wrong; `None` where nothing did.
    pub error: Option<&'static str>,
    /// What the client was told of it, the beginning.
    pub reason: Option<&'a str>,
    /// What there was too little of, where that was it.
    pub shortage: Option<Shortage>,
    /// How it ended.
    pub outcome: RequestOutcome,
    /// How long each stage took.
    pub stages: RequestStages,
    /// From the request's head to the answer's.
    pub total: Duration,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestOutcome {
    /// Answered as asked.
    Answered,
    /// Something was wrong with it, or there was no room.
    Refused,
    /// Something was wrong with the server.
    Failed,
    /// The client left before the answer.
    Left,
}

impl RequestOutcome {
    /// By the answer's status, and the code of what went wrong.
    pub fn of(status: StatusCode, error: Option<&str>) -> Self {
        match status {
            status if status.as_u16() == CLIENT_LEFT.status => Self::Left,
            StatusCode::SERVICE_UNAVAILABLE if error == Some(ENGINE_FAILING.code) => Self::Failed,
            // The server is well, and has said so in time.
            StatusCode::SERVICE_UNAVAILABLE => Self::Refused,
            status if status.is_server_error() => Self::Failed,
            status if status.is_client_error() => Self::Refused,
            _ => Self::Answered,
        }
    }

    /// Its name in the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Left => "client left",
        }
    }
}

impl Finished<'_> {
    /// Whether any image is out of distribution; `None` where that is not known of any.
    pub fn out_of_distribution(&self) -> Option<bool> {
        let outcomes = self.context.outcomes.borrow();
        outcomes.iter().filter_map(|outcome| outcome.out_of_distribution).max()
    }

    /// Whether it is one of the checks that come every few seconds, and says nothing new.
    pub fn is_routine(&self) -> bool {
        let is_check = |route: &str| {
            let is_of_server = matches!(Area::of(route), Area::Health | Area::Metrics);
            is_of_server || (route.starts_with("/v2/models/") && route.ends_with("/ready"))
        };
        self.outcome == RequestOutcome::Answered
            && self.context.route.as_deref().is_some_and(is_check)
    }
}

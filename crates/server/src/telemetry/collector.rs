//! The way to a collector of traces, on a thread of its own.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use sdd_serving::causes::chain_of;

use crate::outgoing;

/// What a collector's answer is read of; it says little.
const MAX_ANSWER_BYTES: u64 = 1 << 20;

/// Posts batches; it blocks, so it is for a thread of its own. Says once that the collector has gone, and once that it is back.
#[derive(Debug)]
pub(crate) struct Client {
    agent: ureq::Agent,
    failing: AtomicBool,
}

impl Client {
    pub fn new() -> Self {
        Self { agent: outgoing::client(), failing: AtomicBool::new(false) }
    }

    fn post(&self, request: Request<Bytes>) -> Result<Response<Bytes>, ureq::Error> {
        let (parts, mut body) = self.agent.run(request.map(Vec::from))?.into_parts();
        let body = body.with_config().limit(MAX_ANSWER_BYTES).read_to_vec()?;
        Ok(Response::from_parts(parts, body.into()))
    }

    fn tell(&self, result: &Result<Response<Bytes>, ureq::Error>) {
        let fault = match result {
            Ok(response) => outgoing::refusal(response),
            Err(error) => Some(chain_of(error)),
        };
        let failed_before = self.failing.swap(fault.is_some(), Ordering::Relaxed);
        match fault {
            Some(fault) if !failed_before => {
                tracing::warn!("the collector takes no traces, they are dropped: {fault}");
            }
            None if failed_before => tracing::info!("the collector takes traces again"),
            _ => {}
        }
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let result = self.post(request);
        self.tell(&result);
        Ok(result?)
    }
}

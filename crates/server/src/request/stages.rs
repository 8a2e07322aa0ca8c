//! How long each stage of a request took.

use std::fmt::Write;
use std::time::Duration;

use sdd_serving::engine::StageTimes;

use crate::request::RequestContext;

/// How long each stage took; of several images, the longest time. Nothing for what did not happen.
#[derive(Debug, Clone, Copy, Default)]
pub struct RequestStages {
    /// The body's coming.
    pub read: Option<Duration>,
    /// The images' way through the engine.
    pub engine: StageTimes,
}

impl RequestStages {
    /// Of a request so far.
    pub fn of(context: &RequestContext) -> Self {
        let outcomes = context.outcomes.borrow();
        let times = outcomes.iter().map(|outcome| outcome.times);
        let engine = times.fold(StageTimes::default(), StageTimes::longer);
        Self { read: context.read_time.get(), engine }
    }

    /// `read;dur=0.4, queue;dur=0.0, decode;dur=2.1, …, total;dur=17.0`, in milliseconds.
    pub fn server_timing(&self, total: Duration) -> String {
        let read = self.read.map(|read| ("read", read));
        let stages = read.into_iter().chain(self.engine.named()).chain([("total", total)]);
        let mut text = String::with_capacity(128);
        for (name, time) in stages {
            let comma = if text.is_empty() { "" } else { ", " };
            // Writing to a string does not fail.
            let _ = write!(text, "{comma}{name};dur={:.3}", time.as_secs_f64() * 1e3);
        }
        text
    }
}

//! How long each stage of a request took.

use std::fmt::Write;
use std::time::Duration;

use crate::engine::StageTimes;
use crate::request::RequestContext;

/// How long each stage took; of several images, the longest time. `None` for what did not happen.
#[derive(Debug, Clone, Copy, Default)]
pub struct RequestStages {
    /// The body's coming.
    pub read: Option<Duration>,
    /// The images' way through the engine.
    pub engine: Option<StageTimes>,
}

impl RequestStages {
    /// Of a request so far.
    #[must_use]
    pub fn of(context: &RequestContext) -> Self {
        let outcomes = context.outcomes();
        let longest = |a: StageTimes, b: StageTimes| StageTimes {
            queue: a.queue.max(b.queue),
            decode: a.decode.max(b.decode),
            preprocess: a.preprocess.max(b.preprocess),
            infer: a.infer.max(b.infer),
            drift: a.drift.max(b.drift),
        };
        let engine = outcomes.iter().map(|outcome| outcome.times).reduce(longest);
        Self { read: context.read_time(), engine }
    }

    /// `read;dur=0.4, queue;dur=0.0, decode;dur=2.1, …, total;dur=17.0`, in milliseconds.
    #[must_use]
    pub fn server_timing(&self, total: Duration) -> String {
        let of = |stage: fn(&StageTimes) -> Duration| self.engine.as_ref().map(stage);
        let stages = [
            ("read", self.read),
            ("queue", of(|times| times.queue)),
            ("decode", of(|times| times.decode)),
            ("preprocess", of(|times| times.preprocess)),
            ("infer", of(|times| times.infer)),
            ("drift", of(|times| times.drift)),
            ("total", Some(total)),
        ];
        let mut text = String::with_capacity(128);
        for (name, time) in stages {
            if let Some(time) = time {
                let comma = if text.is_empty() { "" } else { ", " };
                // Writing to a string does not fail.
                let _ = write!(text, "{comma}{name};dur={:.3}", time.as_secs_f64() * 1e3);
            }
        }
        text
    }
}

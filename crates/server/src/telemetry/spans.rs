//! The spans of one request, made when it is over from the times that were measured: nothing is
//! carried from thread to thread.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use opentelemetry::trace::{
    Span, SpanBuilder, SpanContext, SpanKind, Status, TraceContextExt, Tracer,
};
use opentelemetry::{Context, KeyValue, StringValue};

use crate::request::{Finished, RequestContext};
use crate::telemetry::traces::{Parent, Traces};

/// Images of a request whose stages have spans at most.
const MAX_IMAGES: usize = 32;

impl Traces {
    /// The span of a request and, below it, those of its stages. Gives the number of the trace, which
    /// the log names.
    pub fn request(&self, finished: &Finished<'_>, parent: &Parent) -> SpanContext {
        let end = SystemTime::now();
        let start = end.checked_sub(finished.total).unwrap_or(end);
        let RequestContext { method, route, .. } = finished.context;
        let name = match route {
            Some(route) => format!("{method} {route}").into(),
            None => Cow::Borrowed(*method),
        };
        let builder = SpanBuilder::from_name(name)
            .with_kind(SpanKind::Server)
            .with_start_time(start)
            .with_attributes(attributes(finished));
        let parent = parent.0.clone().unwrap_or_default();
        let mut span = self.tracer.build_with_context(builder, &parent);
        if finished.status >= 500 {
            span.set_status(Status::error(finished.error.unwrap_or_default()));
        }
        let named = span.span_context().clone();
        if span.is_recording() {
            // The children need but its name.
            let below = parent.with_remote_span_context(named.clone());
            self.stages(finished, &below, start);
        }
        span.end_with_timestamp(end);
        named
    }

    fn stages(&self, finished: &Finished<'_>, request: &Context, start: SystemTime) {
        let mut read_end = start;
        if let Some(read) = finished.context.read_time.get() {
            read_end = self.stage("read", request, start, read, &[]);
        }
        let outcomes = finished.context.outcomes.borrow();
        for (number, outcome) in (0i64..).zip(outcomes.iter().take(MAX_IMAGES)) {
            let image = [
                KeyValue::new("sdd.image", number),
                KeyValue::new("sdd.class", outcome.class.clone()),
            ];
            // One after the other.
            let mut at = read_end;
            for (name, time) in outcome.times.named() {
                at = self.stage(name, request, at, time, &image);
            }
        }
    }

    /// Gives the stage's end.
    fn stage(
        &self,
        name: &'static str,
        request: &Context,
        start: SystemTime,
        time: Duration,
        attributes: &[KeyValue],
    ) -> SystemTime {
        let end = start.checked_add(time).unwrap_or(start);
        let builder = SpanBuilder::from_name(name)
            .with_kind(SpanKind::Internal)
            .with_start_time(start)
            .with_attributes(attributes.iter().cloned());
        self.tracer.build_with_context(builder, request).end_with_timestamp(end);
        end
    }
}

/// By OpenTelemetry's semantic conventions for HTTP servers, and what is our own.
fn attributes(finished: &Finished<'_>) -> Vec<KeyValue> {
    let text = |value: &str| StringValue::from(value.to_owned());
    let context = finished.context;
    let outcomes = context.outcomes.borrow();
    let mut attributes = vec![
        KeyValue::new("http.request.method", context.method),
        KeyValue::new("http.response.status_code", i64::from(finished.status)),
        KeyValue::new("url.path", text(&context.path)),
        KeyValue::new("url.scheme", context.scheme),
        KeyValue::new("sdd.request_id", text(&context.id)),
        KeyValue::new("sdd.images", count(outcomes.len())),
        KeyValue::new("sdd.image_bytes", count(context.bytes.get())),
    ];
    if let Some(route) = &context.route {
        attributes.push(KeyValue::new("http.route", text(route)));
    }
    if let Some(client) = context.client {
        attributes.push(KeyValue::new("client.address", client.to_string()));
    }
    if let Some(error) = finished.error {
        attributes.push(KeyValue::new("error.type", error));
    }
    if let [only] = outcomes.as_slice() {
        attributes.push(KeyValue::new("sdd.class", only.class.clone()));
        attributes.push(KeyValue::new("sdd.confidence", f64::from(only.confidence)));
    }
    if let Some(verdict) = finished.out_of_distribution() {
        attributes.push(KeyValue::new("sdd.out_of_distribution", verdict));
    }
    attributes
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

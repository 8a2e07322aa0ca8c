//! The line in the log that a request ends with.

use std::time::Duration;

use opentelemetry::TraceId;
use sdd_serving::engine::Stage;

use crate::error::Shortage;
use crate::request::Finished;

/// Writes it: for the checks of machines that were answered as always where `debug` is logged.
pub(crate) fn log(finished: &Finished<'_>, trace: Option<TraceId>) {
    // The level of a line is part of the program, not a value: so the line stands there twice.
    macro_rules! line {
        ($level:ident) => {{
            let outcomes = finished.context.outcomes.borrow();
            let stage = |stage| finished.stages.engine.of(stage).map(milliseconds);
            tracing::$level!(
                target: "sdd_server::request",
                request_id = finished.context.id,
                trace_id = trace.map(tracing::field::display),
                key = finished.context.key_name.borrow().as_deref(),
                client = finished.context.client.map(tracing::field::display),
                method = finished.context.method,
                route = finished.context.route.as_deref(),
                path = finished.context.path.as_str(),
                status = finished.status,
                error = finished.error,
                shortage = finished.shortage.map(Shortage::name),
                reason = finished.reason,
                outcome = finished.outcome.name(),
                bytes = finished.context.bytes.get(),
                images = outcomes.len(),
                class = match outcomes.as_slice() {
                    [only] => Some(only.class.as_str()),
                    _ => None,
                },
                out_of_distribution = finished.out_of_distribution(),
                read_ms = finished.stages.read.map(milliseconds),
                queue_ms = stage(Stage::Queue),
                decode_ms = stage(Stage::Decode),
                preprocess_ms = stage(Stage::Preprocess),
                batch_ms = stage(Stage::Batch),
                infer_ms = stage(Stage::Infer),
                drift_ms = stage(Stage::Drift),
                duration_ms = milliseconds(finished.total),
                "request"
            );
        }};
    }
    if finished.is_routine() {
        line!(debug);
    } else {
        line!(info);
    }
}

/// With three decimals.
fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

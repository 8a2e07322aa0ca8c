//! Answers as the monitor sees them.

use std::time::{SystemTime, UNIX_EPOCH};

use sdd_monitor::Observation;

use crate::engine::{Answer, ServedModel};

/// An answer as the monitor sees it; `None` without a reference.
pub fn observation(answer: &Answer, request_id: &str, served: &ServedModel) -> Option<Observation> {
    let drift = answer.drift.as_ref()?;
    let class = served.class_of(answer);
    Some(Observation {
        time_ms: now_ms(),
        request_id: request_id.to_owned(),
        properties: drift.properties,
        stream: answer.origin.stream.clone(),
        group: answer.origin.group.clone(),
        image_sha256: answer.image.as_ref().map(|image| image.sha256.clone()),
        ..Observation::new(class, answer.prediction.confidence, drift)
    })
}

/// The time: milliseconds since 1970 (UTC).
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

//! The address that a change of the verdict is posted to.

use std::time::Duration;

use sdd_monitor::{MonitorReport, PairId};
use sdd_serving::causes::chain_of;
use sdd_serving::recording::{Notifier, VerdictChange};
use serde::Serialize;

use crate::outgoing;
use crate::settings::Redacted;

/// What is posted.
#[derive(Serialize)]
struct Message<'a> {
    event: &'static str,
    previous_verdict: &'static str,
    pair: &'a PairId,
    #[serde(flatten)]
    report: &'a MonitorReport,
}

/// Posts each change of the verdict to `url`, as JSON.
pub fn notifier(url: Redacted, cooldown: Duration) -> Notifier {
    let agent = outgoing::client();
    let tell = move |change: &VerdictChange<'_>| {
        post(&agent, &url, change).map_err(|fault| format!("the drift webhook: {fault}"))
    };
    Notifier { cooldown, timeout: outgoing::TIMEOUT, tell: Box::new(tell) }
}

fn post(agent: &ureq::Agent, url: &Redacted, change: &VerdictChange<'_>) -> Result<(), String> {
    let message = Message {
        event: "drift_verdict",
        previous_verdict: change.previous.name(),
        pair: change.pair,
        report: change.report,
    };
    let body = serde_json::to_vec(&message).map_err(|error| chain_of(&error))?;
    let request = agent.post(url.expose()).content_type("application/json");
    let answer = request.send(&body).map_err(|error| chain_of(&error))?;
    outgoing::refusal(&answer).map_or(Ok(()), Err)
}

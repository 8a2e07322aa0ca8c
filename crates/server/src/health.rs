//! `sdd-server health`: a check for containers that have no HTTP client.

use std::time::Duration;

use ureq::tls::TlsConfig;

use crate::outgoing;
use crate::settings::Settings;

const TIMEOUT: Duration = Duration::from_secs(3);

/// Asks `/readyz` of the server that the settings name; one that listens on all addresses is asked
/// on loopback.
///
/// An error where there is no answer in 3 seconds, or none that is a success.
pub fn check(settings: &Settings) -> Result<(), Box<dyn std::error::Error>> {
    let host = match settings.host.as_str() {
        "0.0.0.0" => "127.0.0.1",
        "::" | "[::]" => "::1",
        host => host.trim_matches(['[', ']']),
    };
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let scheme = if settings.security.tls_cert.is_some() { "https" } else { "http" };
    let url = format!("{scheme}://{host}:{}/readyz", settings.port);
    // Any certificate: it is for the name that clients use, not for loopback, and nothing secret is sent or believed here.
    let tls = outgoing::with_provider(TlsConfig::builder().disable_verification(true));
    let client = outgoing::config(tls, TIMEOUT).proxy(None).build().new_agent();
    let answer = client.get(&url).call().map_err(|error| format!("no server at {url}: {error}"))?;
    match outgoing::refusal(&answer) {
        None => Ok(()),
        Some(refusal) => Err(format!("{url}: {refusal}").into()),
    }
}

//! What the server asks of others by HTTP: a collector of traces, and whoever is told of drift.

use std::sync::Arc;
use std::time::Duration;

use ureq::http;
use ureq::tls::{RootCerts, TlsConfig};

/// Time that the other side has for one request.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// Why an answer is no success, if it is none. Of the address that it points to only the host: the rest may hold a
/// secret.
#[must_use]
pub fn refusal<T>(answer: &http::Response<T>) -> Option<String> {
    let status = answer.status();
    if status.is_success() {
        return None;
    }
    let location = answer.headers().get(http::header::LOCATION).filter(|_| status.is_redirection());
    Some(match location {
        None => format!("it answers {status}"),
        Some(location) => {
            let url = location.to_str().ok().and_then(|text| text.parse::<http::Uri>().ok());
            let host = url.as_ref().and_then(http::Uri::host).unwrap_or("another path");
            format!(
                "it answers {status} and points to {host}, which is not followed: name the address itself"
            )
        }
    })
}

/// A client that blocks, so for a thread of its own. https works with the certificates that the machine trusts. An
/// answer of any status is an answer, and what it points to is not followed: a POST would become a GET of something
/// else, and what was to be told would go where nobody has said that it may.
#[must_use]
pub fn client() -> ureq::Agent {
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::PlatformVerifier)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build();
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .timeout_global(Some(TIMEOUT))
        .tls_config(tls)
        .user_agent(concat!("sdd-server/", env!("CARGO_PKG_VERSION")))
        .build();
    config.into()
}

//! What the server asks of others by HTTP: a collector of traces, and whoever is told of drift.

use std::sync::Arc;
use std::time::Duration;

use ureq::tls::{RootCerts, TlsConfig};

/// Time that the other side has for one request.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// A client that blocks, so for a thread of its own. https works with the certificates that the machine trusts. An
/// answer of any status is an answer.
#[must_use]
pub fn client() -> ureq::Agent {
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::PlatformVerifier)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build();
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(TIMEOUT))
        .tls_config(tls)
        .user_agent(concat!("sdd-server/", env!("CARGO_PKG_VERSION")))
        .build();
    config.into()
}

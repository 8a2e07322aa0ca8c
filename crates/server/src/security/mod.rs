//! Who may ask, how often, and how the connection is protected.

mod area;
mod client_address;
mod cors;
mod guard;
pub mod keys;
pub mod rate_limit;
mod same_machine;
mod tls;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use actix_web::dev::ServiceRequest;
use arc_swap::ArcSwap;
use ipnet::IpNet;
use rustls::ServerConfig;
use thiserror::Error;

pub use cors::cors;
pub use guard::guard;
pub use tls::{Tls, TlsError, provider};

use self::client_address::client_address;
use self::keys::{KeyError, KeyRing};
use self::rate_limit::RateLimit;
use crate::settings::SecuritySettings;

/// Why the server cannot be protected as the settings say.
#[derive(Debug, Error)]
pub enum SecurityError {
    /// The keys.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The certificate.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// Keys, certificate and limits of a running server.
#[derive(Debug)]
pub struct Security {
    /// The certificate; `None` without TLS.
    pub tls: Option<Arc<Tls>>,
    /// The limit for each client; `None` without one.
    pub rate_limit: Option<RateLimit>,
    /// The proxies whose word on addresses is taken.
    trusted_proxies: Vec<IpNet>,
    settings: SecuritySettings,
    keys: ArcSwap<KeyRing>,
}

impl Security {
    /// Where a request comes from; `None` where that cannot be known.
    #[must_use]
    pub fn client_of(&self, request: &ServiceRequest) -> Option<IpAddr> {
        let peer = request.peer_addr()?;
        Some(client_address(peer.ip(), request.headers(), &self.trusted_proxies))
    }

    /// Reads keys and certificate.
    ///
    /// # Errors
    /// [`SecurityError`].
    pub fn open(settings: &SecuritySettings) -> Result<Self, SecurityError> {
        let tls = match (&settings.tls_cert, &settings.tls_key) {
            (Some(certificate), Some(key)) => Some(Arc::new(Tls::open(certificate, key)?)),
            _ => None,
        };
        let rate_limit = settings.rate_limit.map(|per_second| {
            RateLimit::new(per_second, settings.rate_limit_burst.unwrap_or(per_second))
        });
        Ok(Self {
            tls,
            rate_limit,
            trusted_proxies: settings.trusted_proxies.clone(),
            keys: ArcSwap::from_pointee(KeyRing::open(settings)?),
            settings: settings.clone(),
        })
    }

    /// Reads keys and certificate anew, both or none.
    ///
    /// # Errors
    /// [`SecurityError`]; then the old ones stay.
    pub fn reload(&self) -> Result<(), SecurityError> {
        let keys = KeyRing::open(&self.settings)?;
        if let Some(tls) = &self.tls {
            tls.reload()?;
        }
        self.keys.store(Arc::new(keys));
        Ok(())
    }

    /// The keys that count now.
    #[must_use]
    pub fn keys(&self) -> Arc<KeyRing> {
        self.keys.load_full()
    }

    /// What the HTTP library needs for TLS; `None` without.
    ///
    /// # Errors
    /// [`SecurityError::Tls`].
    pub fn tls_config(&self) -> Result<Option<ServerConfig>, SecurityError> {
        Ok(self.tls.as_ref().map(Tls::server_config).transpose()?)
    }

    /// Says in the log what others than this machine could make of the settings.
    pub fn warn(&self, listening_on: SocketAddr) {
        if listening_on.ip().is_loopback() {
            return;
        }
        let keys = self.keys();
        if !keys.for_clients {
            tracing::warn!(
                "whoever reaches {listening_on} can use this server: --api-key-hashes asks for keys"
            );
        }
        if self.tls.is_none() && (keys.for_clients || keys.for_admins) {
            tracing::warn!(
                "keys come in clear text to {listening_on}, unless a proxy before it has TLS: see --tls-cert"
            );
        }
    }
}

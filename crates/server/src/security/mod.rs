//! Who may ask, how often, and how the connection is protected.

pub mod area;
mod client_address;
mod cors;
pub mod cross_site;
pub mod hosts;
pub mod keys;
pub mod rate_limit;
mod tls;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use actix_web::dev::ServiceRequest;
use arc_swap::ArcSwap;
use sdd_serving::causes::chain_of;
use thiserror::Error;

pub use cors::cors;
pub use tls::{Tls, TlsError, provider};

use self::client_address::client_address;
use self::keys::{KeyError, KeyRing};
use self::rate_limit::RateLimit;
use crate::settings::{HostPattern, SecuritySettings};

/// Why the server cannot be protected as the settings say.
#[derive(Debug, Error)]
pub enum SecurityError {
    /// The keys.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The certificate.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Both.
    #[error("{}; and {}", chain_of(&.0.0), chain_of(&.0.1))]
    Both(Box<(KeyError, TlsError)>),
}

/// Which of the server's addresses a request came by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entrance {
    /// The one for everybody.
    Main,
    /// The one for operators alone, which nobody else reaches.
    Administration,
}

/// Keys, certificate and limits of a running server.
#[derive(Debug)]
pub struct Security {
    /// The certificate; `None` without TLS.
    pub tls: Option<Arc<Tls>>,
    /// The limit for each client; `None` without one.
    pub rate_limit: Option<RateLimit>,
    /// The names that nobody else has, and the one that the server listens on.
    own_hosts: Vec<HostPattern>,
    settings: SecuritySettings,
    keys: ArcSwap<KeyRing>,
}

impl Security {
    /// Where a request comes from; `None` where that cannot be known.
    pub fn client_of(&self, request: &ServiceRequest) -> Option<IpAddr> {
        let peer = request.peer_addr()?;
        Some(client_address(peer.ip(), request.headers(), &self.settings.trusted_proxies))
    }

    /// The names that one may ask by. Where the operator names none, they are the server's own while it is for this
    /// machine alone and asks for no key, since a page could then read something by another name; else any.
    pub fn allowed_hosts(
        &self,
        entrance: Entrance,
        on_loopback: bool,
        keys: &KeyRing,
    ) -> &[HostPattern] {
        match (entrance, self.settings.allowed_hosts.as_slice()) {
            (Entrance::Administration, _) => &self.own_hosts,
            (Entrance::Main, []) if on_loopback && !keys.for_clients => &self.own_hosts,
            (Entrance::Main, []) => &[HostPattern::Any],
            (Entrance::Main, named) => named,
        }
    }

    /// The other sites whose pages may ask.
    pub fn origins(&self, entrance: Entrance) -> &[String] {
        match entrance {
            Entrance::Main => &self.settings.cors_origins,
            Entrance::Administration => &[],
        }
    }

    /// Reads keys and certificate. `host` is the name or address that the server listens on.
    pub fn open(settings: &SecuritySettings, host: &str) -> Result<Self, SecurityError> {
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
            own_hosts: HostPattern::parse(host).into_iter().collect(),
            keys: ArcSwap::from_pointee(KeyRing::open(settings)?),
            settings: settings.clone(),
        })
    }

    /// Reads keys and certificate anew. Neither waits for the other: a key that is taken back is, whatever is wrong with
    /// the certificate.
    ///
    /// After an error what cannot be read stays as it was.
    pub fn reload(&self) -> Result<(), SecurityError> {
        let keys = KeyRing::open(&self.settings).map(|keys| self.keys.store(Arc::new(keys)));
        let tls = self.tls.as_ref().map_or(Ok(()), |tls| tls.reload());
        match (keys, tls) {
            (Err(keys), Err(tls)) => Err(SecurityError::Both(Box::new((keys, tls)))),
            (keys, tls) => {
                keys?;
                Ok(tls?)
            }
        }
    }

    /// The keys that count now.
    pub fn keys(&self) -> Arc<KeyRing> {
        self.keys.load_full()
    }

    /// Says in the log what others than this machine could make of the settings.
    pub fn warn(&self, listening_on: SocketAddr) {
        if listening_on.ip().is_loopback() {
            return;
        }
        let keys = self.keys();
        if !keys.for_clients {
            tracing::warn!(
                "whoever reaches {listening_on} can use this server: --api-key-hashes asks for keys, --allowed-hosts \
                 keeps out web pages that point a name of their own at it (DNS rebinding)"
            );
        }
        if self.tls.is_none() && (keys.for_clients || keys.for_admins) {
            tracing::warn!(
                "keys come in clear text to {listening_on}, unless a proxy before it has TLS: see --tls-cert"
            );
        }
    }
}

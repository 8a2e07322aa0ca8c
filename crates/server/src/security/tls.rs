//! TLS with a certificate that can be renewed while the server runs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use thiserror::Error;

/// Why there is no TLS.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The certificate's file.
    #[error("cannot read a certificate from {path}: expected a PEM file, the server's own first")]
    Certificate {
        path: PathBuf,
        #[source]
        source: pem::Error,
    },
    /// The key's file.
    #[error("cannot read a private key from {path}: expected a PEM file without a password")]
    Key {
        path: PathBuf,
        #[source]
        source: pem::Error,
    },
    /// The two together.
    #[error("the certificate {certificate} and the private key {key} cannot be used together")]
    Pair {
        certificate: PathBuf,
        key: PathBuf,
        #[source]
        source: rustls::Error,
    },
    /// The library itself.
    #[error("cannot set up TLS")]
    Setup(#[source] rustls::Error),
}

/// The certificate that the server shows.
#[derive(Debug)]
pub struct Tls {
    certificate_path: PathBuf,
    key_path: PathBuf,
    current: ArcSwap<CertifiedKey>,
}

impl Tls {
    /// Reads certificate and key.
    pub fn open(certificate_path: &Path, key_path: &Path) -> Result<Self, TlsError> {
        let current = ArcSwap::from_pointee(read(certificate_path, key_path)?);
        Ok(Self {
            certificate_path: certificate_path.to_owned(),
            key_path: key_path.to_owned(),
            current,
        })
    }

    /// Reads both anew for the connections that come.
    ///
    /// After an error the old ones stay.
    pub fn reload(&self) -> Result<(), TlsError> {
        let renewed = read(&self.certificate_path, &self.key_path)?;
        self.current.store(Arc::new(renewed));
        Ok(())
    }

    /// What the HTTP library needs; it adds the protocols HTTP/2 and HTTP/1.1.
    pub fn server_config(self: &Arc<Self>) -> Result<ServerConfig, TlsError> {
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Setup)?;
        let certificate = Arc::clone(self);
        Ok(config.with_no_client_auth().with_cert_resolver(certificate))
    }
}

impl ResolvesServerCert for Tls {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

/// The cryptography in use.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn read(certificate_path: &Path, key_path: &Path) -> Result<CertifiedKey, TlsError> {
    let certificate_error =
        |source| TlsError::Certificate { path: certificate_path.to_owned(), source };
    let chain: Vec<_> = CertificateDer::pem_file_iter(certificate_path)
        .and_then(Iterator::collect)
        .map_err(certificate_error)?;
    if chain.is_empty() {
        return Err(certificate_error(pem::Error::NoItemsFound));
    }
    let key = PrivateKeyDer::from_pem_file(key_path)
        .map_err(|source| TlsError::Key { path: key_path.to_owned(), source })?;
    CertifiedKey::from_der(chain, key, &provider()).map_err(|source| TlsError::Pair {
        certificate: certificate_path.to_owned(),
        key: key_path.to_owned(),
        source,
    })
}

//! TLS.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::client::{Client, Encrypted, connect_encrypted};
use crate::security::new_key;
use crate::server::{Server, picture, refusal};
use crate::socket::connect;

/// A certificate for localhost and its key, in files.
pub struct Files {
    _folder: tempfile::TempDir,
    certificate: PathBuf,
    key: PathBuf,
}

impl Files {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
        write_pair(&certificate, &key);
        Self { _folder: folder, certificate, key }
    }

    pub fn arguments(&self) -> [&str; 4] {
        ["--tls-cert", self.certificate.to_str().unwrap(), "--tls-key", self.key.to_str().unwrap()]
    }

    /// What a client needs that trusts the certificate.
    pub fn client(&self, protocol: &[u8]) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(&self.certificate).unwrap()).unwrap();
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.to_vec()];
        Arc::new(config)
    }

    /// Leaves something else where the certificate was.
    pub fn spoil_certificate(&self) {
        std::fs::write(&self.certificate, "no certificate").unwrap();
    }

    pub fn connect(&self, server: &Server, protocol: &[u8]) -> Encrypted {
        connect_encrypted(&server.address(), &self.client(protocol)).unwrap()
    }
}

fn write_pair(certificate: &Path, key: &Path) {
    let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(certificate, pair.cert.pem()).unwrap();
    std::fs::write(key, pair.signing_key.serialize_pem()).unwrap();
}

#[test]
fn images_are_answered_over_tls() {
    let files = Files::new();
    let server = Server::start(&files.arguments());
    let new_client = || Client::encrypted(&server.address(), files.client(b"http/1.1"));
    let mut client = new_client();
    for _ in 0..3 {
        let answer = client.predict(&picture("png_rgb.png")).unwrap();
        assert_eq!((answer.status, &answer.json()["class"]), (200, &"non_defect".into()));
    }
    // Who speaks in the clear is sent away, and does no harm.
    let mut clear = connect(&server);
    clear.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = clear.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    assert_eq!(new_client().get("/readyz").unwrap().status, 200);
}

#[test]
fn health_asks_over_tls() {
    let files = Files::new();
    let server = Server::start(&files.arguments());
    let health = |arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_sdd-server"));
        command.args(["health", "--port", &server.port.to_string()]).args(arguments);
        command.output().unwrap().status.code()
    };
    assert_eq!(health(&files.arguments()), Some(0));
    assert_eq!(health(&[]), Some(2));
}

#[test]
fn a_renewed_certificate_is_shown_after_a_reload() {
    let files = Files::new();
    let server = Server::start(&files.arguments());
    let first = files.client(b"http/1.1");
    let get = |trust: &Arc<ClientConfig>| {
        Client::encrypted(&server.address(), Arc::clone(trust)).get("/livez")
    };
    assert_eq!(get(&first).unwrap().status, 200);
    write_pair(&files.certificate, &files.key);
    let second = files.client(b"http/1.1");
    assert!(get(&second).is_err(), "the old one is shown");
    server.signal("-HUP");
    server.wait_for("model loaded");
    assert_eq!(get(&second).unwrap().status, 200);
}

#[test]
fn a_reload_tells_what_is_wrong_with_keys_and_certificate() {
    let files = Files::new();
    let folder = tempfile::tempdir().unwrap();
    let (keys, (_, hash)) = (folder.path().join("keys"), new_key());
    std::fs::write(&keys, hash).unwrap();
    let of_keys = ["--api-keys-file", keys.to_str().unwrap()];
    let server = Server::start(&[&files.arguments()[..], &of_keys].concat());
    files.spoil_certificate();
    std::fs::write(&keys, "no hash").unwrap();
    let answer = server.administer("/admin/reload");
    assert_eq!((answer.status, answer.code()), (422, "reload_failed"), "{answer:?}");
    for part in [keys.to_str().unwrap(), "cannot read a certificate from"] {
        assert!(answer.text().contains(part), "{part}: {answer:?}");
    }
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let (files, others) = (Files::new(), Files::new());
    let with = |certificate: &Path, key: &Path| {
        let (certificate, key) = (certificate.to_str().unwrap(), key.to_str().unwrap());
        let (code, said) = refusal(&["--tls-cert", certificate, "--tls-key", key]);
        assert_eq!(code, Some(2), "{said}");
        said
    };
    let nowhere = Path::new("/nowhere/file.pem");
    assert!(with(nowhere, &files.key).contains("/nowhere/file.pem"));
    assert!(with(&files.certificate, nowhere).contains("/nowhere/file.pem"));
    let said = with(&files.certificate, &others.key);
    assert!(said.contains("cannot be used together"), "{said}");
    let swapped = with(&files.key, &files.certificate);
    assert!(swapped.contains("cannot read a certificate from"), "{swapped}");
    let (code, said) = refusal(&["--tls-cert", files.certificate.to_str().unwrap()]);
    assert!(code == Some(2) && said.contains("--tls-key"), "{said}");
}

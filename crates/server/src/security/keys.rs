//! The keys that clients show.
//!
//! Keys are random, so that their plain SHA-256 tells nothing of them: only hashes are configured, and
//! only hashes are compared.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use thiserror::Error;

use crate::settings::{Redacted, SecuritySettings};

/// Longest name of a key, in bytes.
const MAX_NAME_BYTES: usize = 64;

/// Random bytes in a key that [`generate`] makes.
const KEY_BYTES: usize = 32;

/// Why the configured keys cannot be used. What stands in the wrong place is not repeated: it may be a
/// key.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The file.
    #[error("cannot read the keys file {path}")]
    Read {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// One of them.
    #[error(
        "entry {number} of {place} is neither SHA256 nor NAME=SHA256, with 64 hexadecimal digits and a name of letters, digits, '.', '_' and '-'; `sdd-server key` makes a key and its hash"
    )]
    Malformed {
        place: String,
        /// Which one, from 1.
        number: usize,
    },
    /// All of them: nobody could come in, or, if it were taken for no setting, everybody.
    #[error("{place} has no key: leave it out where no key is to be asked for")]
    Empty { place: String },
    /// No random numbers.
    #[error("the operating system gives no random numbers")]
    Random,
}

/// The keys of a server.
#[derive(Debug, Default)]
pub struct KeyRing {
    keys: Vec<Key>,
    /// Whether requests need a key.
    pub for_clients: bool,
    /// Whether /admin can be used with a key.
    pub for_admins: bool,
}

struct Key {
    /// In lower case.
    sha256: String,
    caller: Caller,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Key").field(&self.caller.name).finish()
    }
}

/// Who shows a known key.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The name of the key, for the log.
    pub name: Arc<str>,
    /// Whether the key is one of those for clients.
    pub is_client: bool,
    /// Whether the key is one of those for /admin.
    pub is_admin: bool,
}

impl KeyRing {
    /// The keys that the settings name.
    pub fn open(settings: &SecuritySettings) -> Result<Self, KeyError> {
        let mut ring = Self::default();
        let client = Caller { name: "".into(), is_client: true, is_admin: false };
        let admin = Caller { name: "".into(), is_client: false, is_admin: true };
        ring.add_flag("--api-key-hashes", settings.api_key_hashes.as_ref(), &client)?;
        ring.add_file(settings.api_keys_file.as_deref(), &client)?;
        ring.add_flag("--admin-key-hashes", settings.admin_key_hashes.as_ref(), &admin)?;
        ring.add_file(settings.admin_keys_file.as_deref(), &admin)?;
        ring.for_clients = ring.keys.iter().any(|key| key.caller.is_client);
        ring.for_admins = ring.keys.iter().any(|key| key.caller.is_admin);
        Ok(ring)
    }

    /// Whose key this is; the time that it takes tells nothing of the keys.
    pub fn find(&self, shown: &[u8]) -> Option<Caller> {
        let sha256 = hash_of(shown);
        let mut found = None;
        for key in &self.keys {
            if bool::from(key.sha256.as_bytes().ct_eq(sha256.as_bytes())) {
                found = Some(key.caller.clone());
            }
        }
        found
    }

    fn add_flag(
        &mut self,
        flag: &str,
        hashes: Option<&Redacted>,
        rights: &Caller,
    ) -> Result<(), KeyError> {
        let Some(hashes) = hashes else { return Ok(()) };
        self.add_all(flag, hashes.expose().split(','), rights)
    }

    /// One hash a line; empty lines and those that begin with # are passed over.
    fn add_file(&mut self, path: Option<&Path>, rights: &Caller) -> Result<(), KeyError> {
        let Some(path) = path else { return Ok(()) };
        let text = std::fs::read_to_string(path)
            .map_err(|source| KeyError::Read { path: path.to_owned(), source })?;
        let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
        self.add_all(&path.display().to_string(), lines, rights)
    }

    fn add_all<'a>(
        &mut self,
        place: &str,
        entries: impl Iterator<Item = &'a str>,
        rights: &Caller,
    ) -> Result<(), KeyError> {
        let entries = entries.map(str::trim).filter(|entry| !entry.is_empty());
        let mut count = 0;
        for entry in entries {
            count += 1;
            let malformed = || KeyError::Malformed { place: place.to_owned(), number: count };
            let (name, sha256) = parse(entry).ok_or_else(malformed)?;
            self.add(name, sha256, rights);
        }
        if count == 0 {
            return Err(KeyError::Empty { place: place.to_owned() });
        }
        Ok(())
    }

    /// A key in both lists has the rights of both.
    fn add(&mut self, name: String, sha256: String, rights: &Caller) {
        if let Some(known) = self.keys.iter_mut().find(|key| key.sha256 == sha256) {
            known.caller.is_client |= rights.is_client;
            known.caller.is_admin |= rights.is_admin;
        } else {
            let caller = Caller { name: name.into(), ..rights.clone() };
            self.keys.push(Key { sha256, caller });
        }
    }
}

/// `NAME=SHA256` or `SHA256`, whose first digits are then the name.
fn parse(entry: &str) -> Option<(String, String)> {
    let (name, digits) = match entry.split_once('=') {
        Some((name, digits)) => (Some(name.trim()), digits.trim()),
        None => (None, entry),
    };
    let is_sha256 = digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let sha256 = is_sha256.then(|| digits.to_ascii_lowercase())?;
    let is_name_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let is_name =
        |name: &str| (1..=MAX_NAME_BYTES).contains(&name.len()) && name.bytes().all(is_name_byte);
    match name {
        None => Some((sha256[..8].to_owned(), sha256)),
        Some(name) if is_name(name) => Some((name.to_owned(), sha256)),
        Some(_) => None,
    }
}

fn hash_of(key: &[u8]) -> String {
    format!("{:x}", Sha256::digest(key))
}

/// A new random key, and its hash as the settings take it.
pub fn generate() -> Result<(String, String), KeyError> {
    use base64::Engine;

    let mut bytes = [0; KEY_BYTES];
    let random = rustls::crypto::ring::default_provider().secure_random;
    random.fill(&mut bytes).map_err(|_| KeyError::Random)?;
    let key = format!("sdd_{}", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes));
    let hash = hash_of(key.as_bytes());
    Ok((key, hash))
}

//! The manifest: what a store says of itself, and the commit point of its writing.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::names;
use crate::error::{Error, Result};
use crate::flat::MAX_DIMENSION;
use crate::normalize::Normalization;
use crate::record::text_violation;

/// The one format version that this crate writes and reads.
const FORMAT_VERSION: u32 = 1;
/// Tells our manifest.json from the many other files of that name.
const FORMAT: &str = "sdd-reference-store";
const MAX_MANIFEST_BYTES: u64 = 1 << 20;
const MAX_MODEL_TEXT_BYTES: usize = 256;

/// Which distance a store's searches return.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Metric {
    /// The squared Euclidean distance.
    L2Squared,
}

/// Which model made a store's embeddings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelIdentity {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The SHA-256 of the model file, 64 lower-case hexadecimal digits.
    pub sha256: String,
}

/// One data file of a store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Its name in the store's folder.
    pub file: String,
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256, 64 lower-case hexadecimal digits.
    pub sha256: String,
}

/// What a store says of itself: `manifest.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Manifest {
    /// Always `sdd-reference-store`.
    pub format: String,
    /// The version of the file format.
    pub format_version: u32,
    /// How often this folder's store has been written, from 1.
    pub generation: u64,
    /// When it was written: RFC 3339, UTC.
    pub created_at: String,
    /// D, the number of values in an embedding.
    pub dimension: usize,
    /// N, the number of rows.
    pub count: usize,
    /// Which distance searches return.
    pub metric: Metric,
    /// What was done to the embeddings before they were stored, and is done to queries.
    pub normalization: Normalization,
    /// Which model made the embeddings; `None` if they came without one.
    pub model: Option<ModelIdentity>,
    /// The FAISS file.
    pub index: FileEntry,
    /// The ids, labels and norms.
    pub records: FileEntry,
    /// Further files, by the name under which they were attached.
    pub attachments: BTreeMap<String, FileEntry>,
    /// The SHA-256 of this manifest as it is written, with an empty text in place of this field.
    pub checksum: String,
}

/// The part of a manifest that is read before its version is known.
#[derive(Deserialize)]
struct Preamble {
    format: String,
    format_version: u64,
}

impl Manifest {
    /// A manifest of this format's version, still without its checksum.
    pub(super) fn draft(generation: u64, created_at: String, normalization: Normalization) -> Self {
        let none = FileEntry { file: String::new(), bytes: 0, sha256: String::new() };
        Self {
            format: FORMAT.to_owned(),
            format_version: FORMAT_VERSION,
            generation,
            created_at,
            dimension: 0,
            count: 0,
            metric: Metric::L2Squared,
            normalization,
            model: None,
            index: none.clone(),
            records: none,
            attachments: BTreeMap::new(),
            checksum: String::new(),
        }
    }

    /// Every data file that the manifest names.
    pub fn files(&self) -> impl Iterator<Item = &FileEntry> {
        [&self.index, &self.records].into_iter().chain(self.attachments.values())
    }

    /// Fills in the checksum and returns the bytes of `manifest.json`.
    pub(super) fn seal(&mut self) -> Result<Vec<u8>> {
        self.checksum = String::new();
        self.checksum = hex_sha256(&self.render()?);
        self.render()
    }

    fn render(&self) -> Result<Vec<u8>> {
        let mut bytes = serde_json::to_vec_pretty(self)
            .map_err(|error| Error::contents(format!("the manifest is no JSON: {error}")))?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Parses and checks the bytes of the manifest at `path`.
    ///
    /// They must be exactly what [`seal`](Self::seal) makes of their content: then no byte was
    /// changed, no field came twice and none is unknown.
    pub(super) fn parse(path: &Path, bytes: &[u8]) -> Result<Self> {
        let preamble: Preamble = serde_json::from_slice(bytes).map_err(|error| {
            Error::damaged(path, format!("expected a reference store's manifest, found: {error}"))
        })?;
        if preamble.format != FORMAT {
            let reason = format!("expected the format {FORMAT:?}, found {:?}", preamble.format);
            return Err(Error::damaged(path, reason));
        }
        if preamble.format_version != u64::from(FORMAT_VERSION) {
            return Err(Error::UnsupportedVersion {
                path: path.to_owned(),
                found: preamble.format_version,
                supported: FORMAT_VERSION,
            });
        }
        let manifest: Self = serde_json::from_slice(bytes)
            .map_err(|error| Error::damaged(path, format!("its JSON is wrong: {error}")))?;
        if manifest.clone().seal()? != bytes {
            let reason = format!("its content does not match its checksum {:?}", manifest.checksum);
            return Err(Error::damaged(path, reason));
        }
        match manifest.violation() {
            Some(reason) => Err(Error::damaged(path, reason)),
            None => Ok(manifest),
        }
    }

    /// Says what a manifest with a right checksum gets wrong, if anything.
    fn violation(&self) -> Option<String> {
        if self.dimension == 0 || self.dimension > MAX_DIMENSION {
            return Some(format!(
                "expected a dimension of 1 to {MAX_DIMENSION}, found {}",
                self.dimension
            ));
        }
        if self.count == 0 {
            return Some("expected at least one row, found 0".to_owned());
        }
        if !self
            .created_at
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'-' | b':' | b'.' | b'+' | b'T' | b'Z'))
        {
            return Some("expected an RFC 3339 time in created_at".to_owned());
        }
        let generation = self.generation;
        let named = |entry: &FileEntry, name: String| {
            (entry.file != name)
                .then(|| format!("expected a file {name:?}, found {:?}", entry.file))
        };
        named(&self.index, names::index_file(generation))
            .or_else(|| named(&self.records, names::records_file(generation)))
            .or_else(|| {
                self.attachments.iter().find_map(|(name, entry)| {
                    names::attachment_violation(name)
                        .or_else(|| named(entry, names::attachment_file(name, generation)))
                })
            })
            .or_else(|| self.files().find_map(|entry| sha256_violation(&entry.file, &entry.sha256)))
            .or_else(|| self.model.as_ref().and_then(ModelIdentity::violation))
    }

    /// Reads and checks the manifest from its open file.
    pub(super) fn read(path: &Path, file: File) -> Result<Self> {
        let mut bytes = Vec::new();
        file.take(MAX_MANIFEST_BYTES + 1)
            .read_to_end(&mut bytes)
            .map_err(Error::io("read", path))?;
        if bytes.len() as u64 > MAX_MANIFEST_BYTES {
            let reason = format!("expected at most {MAX_MANIFEST_BYTES} bytes, found more");
            return Err(Error::damaged(path, reason));
        }
        Self::parse(path, &bytes)
    }
}

impl ModelIdentity {
    /// Says which rule of the fields is broken, if any.
    pub(super) fn violation(&self) -> Option<String> {
        text_violation("model name", &self.name, MAX_MODEL_TEXT_BYTES)
            .or_else(|| text_violation("model version", &self.version, MAX_MODEL_TEXT_BYTES))
            .or_else(|| sha256_violation("the model", &self.sha256))
    }
}

fn sha256_violation(what: &str, digits: &str) -> Option<String> {
    let lower_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    (digits.len() != 64 || !digits.bytes().all(lower_hex)).then(|| {
        format!(
            "expected a SHA-256 of {what} in 64 lower-case hexadecimal digits, found {digits:?}"
        )
    })
}

fn hex_sha256(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

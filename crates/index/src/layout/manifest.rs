//! The manifest: what a store says of itself, and the commit point of its writing.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{names, regular_file};
use crate::error::{Error, Result};
use crate::limits::MAX_DIMENSION;
use crate::normalize::Normalization;
use crate::record::text_violation;

/// The format version that this crate writes and reads.
const FORMAT_VERSION: u32 = 2;
/// Tells our manifest.json from the many other files of that name.
const FORMAT: &str = "sdd-reference-store";
const MAX_MANIFEST_BYTES: u64 = 1 << 20;
const MAX_MODEL_TEXT_BYTES: usize = 256;
const MAX_COMMAND_BYTES: usize = 64;
const MAX_NOTE_BYTES: usize = 1024;

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

impl Change {
    /// By this command, from the content of this generation or from nothing, with no rows counted yet.
    #[must_use]
    pub fn new(command: &str, from: Option<u64>) -> Self {
        let command = command.to_owned();
        Self { command, from, added: 0, removed: 0, replaced: 0, note: None }
    }
}

impl ModelIdentity {
    /// Of a name, a version, and the SHA-256 of the file.
    #[must_use]
    pub fn new(name: &str, version: &str, sha256: &str) -> Self {
        Self { name: name.to_owned(), version: version.to_owned(), sha256: sha256.to_owned() }
    }
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

/// How a generation came about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// What made it, e.g. `add`: not empty, at most 64 bytes.
    pub command: String,
    /// The generation whose content it began from; `None` for one that began from nothing.
    pub from: Option<u64>,
    /// Rows that `from` does not have.
    pub added: usize,
    /// Rows of `from` that are gone.
    pub removed: usize,
    /// Rows of `from` that have another embedding or label under the same id.
    pub replaced: usize,
    /// What a person wrote about it: not empty, at most 1024 bytes, without control characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
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
    /// How it came about.
    pub change: Change,
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
    /// A manifest without files and checksum, which [`seal`](Self::seal) finishes.
    pub(crate) fn draft(generation: u64, created_at: String, normalization: Normalization) -> Self {
        let none = FileEntry::none();
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
            change: Change::new("build", None),
            checksum: String::new(),
        }
    }

    /// Every data file, with its name without a number.
    fn named_files(&self) -> impl Iterator<Item = (&str, &FileEntry)> {
        [(names::INDEX, &self.index), (names::RECORDS, &self.records)]
            .into_iter()
            .chain(self.attachments.iter().map(|(name, entry)| (name.as_str(), entry)))
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
        // In one way only from what the file is and a generation up to this one: no name leads out of the folder.
        let misnamed = |(name, entry): (&str, &FileEntry)| {
            let generation = names::generation_of(name, &entry.file);
            let known = generation.is_some_and(|found| (1..=self.generation).contains(&found));
            (!known).then(|| {
                let expected = names::numbered(name, self.generation);
                format!(
                    "expected a file {expected:?}, or of an earlier generation, found {:?}",
                    entry.file
                )
            })
        };
        let unattachable =
            || self.attachments.keys().find_map(|name| names::attachment_violation(name));
        unattachable()
            .or_else(|| self.named_files().find_map(misnamed))
            .or_else(|| self.files().find_map(|entry| sha256_violation(&entry.file, &entry.sha256)))
            .or_else(|| self.model.as_ref().and_then(ModelIdentity::violation))
            .or_else(|| self.change.violation())
    }

    /// Reads and checks the manifest from its open file.
    pub(super) fn read(path: &Path, file: &File) -> Result<Self> {
        let mut bytes = Vec::new();
        file.take(MAX_MANIFEST_BYTES + 1)
            .read_to_end(&mut bytes)
            .map_err(Error::io("read", path))?;
        if bytes.len() as u64 > MAX_MANIFEST_BYTES {
            let reason = format!("expected at most {MAX_MANIFEST_BYTES} bytes, found more");
            return Err(Error::damaged(path, reason));
        }
        Self::parse(path, &bytes)
            .map_err(|error| regular_file::pointer(path, file).unwrap_or(error))
    }

    /// What a store that is made of this one has in common with it: the files that stay, and neither number, time nor
    /// checksum, which it gets when it is written.
    pub(crate) fn unsaved(&self) -> Self {
        Self {
            dimension: self.dimension,
            count: self.count,
            model: self.model.clone(),
            index: self.index.clone(),
            records: self.records.clone(),
            attachments: self.attachments.clone(),
            ..Self::draft(0, String::new(), self.normalization)
        }
    }
}

impl FileEntry {
    /// Of a file that is not written yet.
    pub(crate) fn none() -> Self {
        Self { file: String::new(), bytes: 0, sha256: String::new() }
    }
}

impl Change {
    /// Says which rule of the fields is broken, if any.
    pub(super) fn violation(&self) -> Option<String> {
        text_violation("command", &self.command, MAX_COMMAND_BYTES).or_else(|| {
            self.note.as_ref().and_then(|note| text_violation("note", note, MAX_NOTE_BYTES))
        })
    }
}

impl ModelIdentity {
    /// Says which rule of the fields is broken, if any.
    pub(crate) fn violation(&self) -> Option<String> {
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

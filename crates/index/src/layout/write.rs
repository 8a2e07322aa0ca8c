//! Writing a store: new files beside the old ones, then one rename.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use ndarray::Array2;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::lock::WriterLock;
use super::manifest::{FileEntry, Manifest, ModelIdentity};
use super::{faiss_file, names, read, records_file};
use crate::error::{Error, Result};
use crate::flat::MAX_DIMENSION;
use crate::normalize::{Normalization, check_rows, norm, scale_down};
use crate::record::{Record, check_records, label_order};

/// The most attachments of a store.
pub(super) const MAX_ATTACHMENTS: usize = 64;
/// The largest attachment.
pub(super) const MAX_ATTACHMENT_BYTES: u64 = 256 << 20;

/// What a store is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct StoreContents {
    /// Which model made the embeddings; `None` if they came without one, as from a bare `.npy`.
    pub model: Option<ModelIdentity>,
    /// What is to be done to the embeddings before they are stored, and to queries later.
    pub normalization: Normalization,
    /// N x D, as the model made them: at least one row, finite.
    pub embeddings: Array2<f32>,
    /// One a row.
    pub records: Vec<Record>,
    /// Further files by name (`a-z`, `0-9`, `_`, `.`, `-`), e.g. `calibration.json`.
    pub attachments: BTreeMap<String, Vec<u8>>,
}

/// See [`FileStore::write`](crate::FileStore::write).
pub(crate) fn write(dir: &Path, contents: &StoreContents) -> Result<Manifest> {
    check(contents)?;
    make_folder(dir)?;
    refuse_foreign_folder(dir)?;
    let mut lock = WriterLock::acquire(dir)?;
    let left_behind = lock.journal()?;
    let current = current_manifest(dir)?;
    if current.is_none() {
        refuse_foreign_files(dir, &left_behind)?;
    }
    let kept = file_names(current.as_ref());
    remove(dir, left_behind.difference(&kept))?;
    remove(dir, [&names::MANIFEST_TEMPORARY.to_owned()])?;

    let generation = current.map_or(Some(1), |manifest| manifest.generation.checked_add(1));
    let generation = generation.ok_or_else(|| Error::contents("its generations are used up"))?;
    let made = planned_names(contents, generation);
    lock.set_journal(&kept.union(&made).cloned().collect())?;
    sync_folder(dir)?;

    let manifest = write_files(dir, contents, generation).inspect_err(|_| {
        // The error that is being reported matters more than one of tidying up, which the next
        // writer does again.
        let _ = remove(dir, &made);
        let _ = remove(dir, [&names::MANIFEST_TEMPORARY.to_owned()]);
    })?;
    // From here on the new store is the one that readers see.
    sync_folder(dir)?;
    // If tidying up fails, the journal still lists what the next writer has to remove.
    if remove(dir, kept.difference(&made)).is_ok() {
        let _ = lock.set_journal(&BTreeSet::new());
    }
    Ok(manifest)
}

/// Everything that can be wrong with contents, before a file is touched.
fn check(contents: &StoreContents) -> Result<()> {
    let StoreContents { model, embeddings, records, attachments, .. } = contents;
    let (count, dimension) = embeddings.dim();
    if dimension == 0 || dimension > MAX_DIMENSION {
        return Err(Error::DimensionOutOfRange { found: dimension });
    }
    if count == 0 {
        return Err(Error::contents("expected at least one embedding, found none"));
    }
    if records.len() != count {
        let found = records.len();
        return Err(Error::contents(format!(
            "expected one record for each of {count} embeddings, found {found}"
        )));
    }
    check_records(records)?;
    check_rows("rows", embeddings.view())?;
    if let Some(reason) = model.as_ref().and_then(ModelIdentity::violation) {
        return Err(Error::contents(reason));
    }
    if attachments.len() > MAX_ATTACHMENTS {
        return Err(Error::contents(format!(
            "expected at most {MAX_ATTACHMENTS} attachments, found {}",
            attachments.len()
        )));
    }
    for (name, bytes) in attachments {
        if let Some(reason) = names::attachment_violation(name) {
            return Err(Error::contents(reason));
        }
        if bytes.len() as u64 > MAX_ATTACHMENT_BYTES {
            return Err(Error::contents(format!(
                "expected at most {MAX_ATTACHMENT_BYTES} bytes in attachment {name:?}, found {}",
                bytes.len()
            )));
        }
    }
    Ok(())
}

fn make_folder(dir: &Path) -> Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(dir).map_err(Error::io("create the folder", dir))?;
    // So that the folder itself outlives a power cut. A parent that may be searched but not read
    // cannot be synced, and that is no reason to fail.
    if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        let _ = sync_folder(parent);
    }
    Ok(())
}

/// A folder with files, but neither manifest nor lock, is not ours: not even a lock is made there.
fn refuse_foreign_folder(dir: &Path) -> Result<()> {
    let exists = |name: &str| dir.join(name).symlink_metadata().is_ok();
    if exists(names::MANIFEST) || exists(names::LOCK) {
        return Ok(());
    }
    refuse_foreign_files(dir, &BTreeSet::new())
}

fn refuse_foreign_files(dir: &Path, left_behind: &BTreeSet<String>) -> Result<()> {
    for entry in fs::read_dir(dir).map_err(Error::io("list", dir))? {
        let name = entry.map_err(Error::io("list", dir))?.file_name();
        let name = name.to_string_lossy();
        let ours = [names::LOCK, names::MANIFEST_TEMPORARY].contains(&&*name)
            || left_behind.contains(&*name);
        if !ours {
            return Err(Error::Occupied {
                path: dir.to_owned(),
                reason: format!(
                    "expected a store or an empty folder, found {name:?} and no manifest.json"
                ),
            });
        }
    }
    Ok(())
}

/// The manifest of the store that is about to be replaced, if there is one.
fn current_manifest(dir: &Path) -> Result<Option<Manifest>> {
    match read::manifest(dir) {
        Ok(manifest) => Ok(Some(manifest)),
        Err(Error::NotAStore { .. }) => Ok(None),
        Err(error @ (Error::Damaged { .. } | Error::UnsupportedVersion { .. })) => {
            Err(Error::Occupied { path: dir.to_owned(), reason: error.to_string() })
        }
        Err(error) => Err(error),
    }
}

fn file_names(manifest: Option<&Manifest>) -> BTreeSet<String> {
    manifest.into_iter().flat_map(Manifest::files).map(|entry| entry.file.clone()).collect()
}

fn planned_names(contents: &StoreContents, generation: u64) -> BTreeSet<String> {
    let attached = contents.attachments.keys();
    attached
        .map(|name| names::attachment_file(name, generation))
        .chain([names::index_file(generation), names::records_file(generation)])
        .collect()
}

fn remove<'a>(dir: &Path, files: impl IntoIterator<Item = &'a String>) -> Result<()> {
    for file in files {
        let path = dir.join(file);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Error::Io { action: "remove", path, source: error });
            }
            _ => {}
        }
    }
    Ok(())
}

fn sync_folder(dir: &Path) -> Result<()> {
    File::open(dir).and_then(|folder| folder.sync_all()).map_err(Error::io("sync the folder", dir))
}

/// Writes and syncs all files of a generation and makes its manifest the current one.
fn write_files(dir: &Path, contents: &StoreContents, generation: u64) -> Result<Manifest> {
    let order = label_order(&contents.records);
    let mut manifest = Manifest::draft(generation, now()?, contents.normalization);
    (manifest.count, manifest.dimension) = contents.embeddings.dim();
    manifest.model.clone_from(&contents.model);
    (manifest.index, manifest.records) = write_rows(dir, contents, &order, generation)?;
    for (name, bytes) in &contents.attachments {
        let mut file = NewFile::create(dir, names::attachment_file(name, generation))?;
        file.write(bytes)?;
        manifest.attachments.insert(name.clone(), file.finish()?);
    }
    let bytes = manifest.seal()?;
    let mut temporary = NewFile::create(dir, names::MANIFEST_TEMPORARY.to_owned())?;
    temporary.write(&bytes)?;
    temporary.finish()?;
    sync_folder(dir)?;
    let path = dir.join(names::MANIFEST);
    fs::rename(dir.join(names::MANIFEST_TEMPORARY), &path).map_err(Error::io("replace", &path))?;
    Ok(manifest)
}

/// Writes the FAISS file and the records file.
fn write_rows(
    dir: &Path,
    contents: &StoreContents,
    order: &[usize],
    generation: u64,
) -> Result<(FileEntry, FileEntry)> {
    let (count, dimension) = contents.embeddings.dim();
    let header = faiss_file::header(dimension, count)
        .ok_or_else(|| Error::contents("more values than a FAISS file can count"))?;
    let mut index = NewFile::create(dir, names::index_file(generation))?;
    let mut records = NewFile::create(dir, names::records_file(generation))?;
    index.write(&header)?;
    let mut bytes = Vec::new();
    for &row in order {
        let embedding = contents.embeddings.row(row);
        let divisor = match contents.normalization {
            Normalization::None => None,
            Normalization::L2 => Some(norm(embedding)),
        };
        bytes.clear();
        scale_down(embedding, divisor.unwrap_or(1.0), |x| {
            bytes.extend_from_slice(&x.to_le_bytes());
        });
        index.write(&bytes)?;
        bytes.clear();
        records_file::render(&contents.records[row], divisor, &mut bytes)?;
        records.write(&bytes)?;
    }
    Ok((index.finish()?, records.finish()?))
}

fn now() -> Result<String> {
    OffsetDateTime::now_utc()
        .replace_nanosecond(0)
        .map_err(|error| error.to_string())
        .and_then(|time| time.format(&Rfc3339).map_err(|error| error.to_string()))
        .map_err(|error| Error::contents(format!("the clock shows no date: {error}")))
}

/// A file that did not exist before, its length and its checksum.
struct NewFile {
    path: PathBuf,
    name: String,
    file: BufWriter<File>,
    bytes: u64,
    hash: Sha256,
}

impl NewFile {
    /// Never opens a file that is there already: one of this name that no journal lists is not
    /// ours.
    fn create(dir: &Path, name: String) -> Result<Self> {
        let path = dir.join(&name);
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .custom_flags(libc::O_NOFOLLOW)
            .open(&path)
            .map_err(Error::io("create", &path))?;
        let file = BufWriter::with_capacity(1 << 20, file);
        Ok(Self { path, name, file, bytes: 0, hash: Sha256::new() })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        self.file.write_all(bytes).map_err(Error::io("write", &self.path))
    }

    /// Returns once the bytes are on disk.
    fn finish(mut self) -> Result<FileEntry> {
        self.file
            .flush()
            .and_then(|()| self.file.get_ref().sync_all())
            .map_err(Error::io("write", &self.path))?;
        let sha256 = format!("{:x}", self.hash.finalize());
        Ok(FileEntry { file: self.name, bytes: self.bytes, sha256 })
    }
}

//! Opening a store: nothing is believed before it is checked.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ndarray::ArrayView2;
use sha2::{Digest, Sha256};

use super::faiss_file::{HEADER_BYTES, check_header};
use super::group::Group;
use super::manifest::{FileEntry, Manifest};
use super::records_file::{self, MAX_LINE_BYTES, Rows};
use super::{history, names, unfetched};
use crate::error::{Error, Result};
use crate::flat::FlatIndex;
use crate::limits::{MAX_ATTACHMENT_BYTES, MAX_ATTACHMENTS};
use crate::normalize::{Normalization, norm};

/// How often a store may be replaced while it is being opened.
const MAX_ATTEMPTS: usize = 100;
/// How far a stored unit vector's norm may be from 1: ten times what rounding in single precision
/// can do.
const UNIT_TOLERANCE: f64 = 1e-5;
const BUFFER_BYTES: usize = 1 << 20;

/// A store in memory.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) manifest: Manifest,
    pub(crate) groups: Vec<Group>,
    pub(crate) ids: Vec<Arc<str>>,
    /// One a row with normalization l2, else empty.
    pub(crate) norms: Vec<f64>,
    pub(crate) attachments: BTreeMap<String, Vec<u8>>,
}

/// Reads the whole store, or an earlier generation of it, and checks everything but the lengths of single rows.
pub(crate) fn load(dir: &Path, generation: Option<u64>) -> Result<Loaded> {
    load_from(dir, generation).map_err(|error| {
        // What is wrong with an earlier one is no reason to leave the current one.
        let is_earlier = || manifest(dir).is_ok_and(|now| Some(now.generation) != generation);
        if generation.is_some() && is_earlier() {
            error
        } else {
            history::with_way_back(dir, error)
        }
    })
}

fn load_from(dir: &Path, generation: Option<u64>) -> Result<Loaded> {
    let Opened { manifest, index, records, attachments } = open_files(dir, generation)?;
    let attachments = read_attachments(&manifest, attachments)?;
    let longest = manifest.count.saturating_mul(MAX_LINE_BYTES) as u64;
    let path = records.path.clone();
    let bytes = records.read_to_end(longest)?;
    let rows = records_file::parse(&path, &bytes, manifest.count, manifest.normalization)?;
    drop(bytes);
    let groups = read_groups(index, &manifest, &rows)?;
    Ok(Loaded { manifest, groups, ids: rows.ids, norms: rows.norms, attachments })
}

/// Reads the manifest of the store in `dir`.
pub(super) fn manifest(dir: &Path) -> Result<Manifest> {
    let path = dir.join(names::MANIFEST);
    match open(&path)? {
        Some(file) => Manifest::read(&path, &file),
        None => Err(Error::NotAStore { path: dir.to_owned() }),
    }
}

/// The manifest of this generation, if it is kept beside the current one.
pub(super) fn numbered_manifest(dir: &Path, generation: u64) -> Result<Option<Manifest>> {
    let path = dir.join(names::numbered(names::MANIFEST, generation));
    let Some(file) = open(&path)? else { return Ok(None) };
    let manifest = Manifest::read(&path, &file)?;
    if manifest.generation == generation {
        return Ok(Some(manifest));
    }
    let reason = format!("expected generation {generation}, found {}", manifest.generation);
    Err(Error::damaged(&path, reason))
}

fn manifest_of(dir: &Path, generation: Option<u64>) -> Result<Manifest> {
    let Some(generation) = generation else { return manifest(dir) };
    // An earlier one can be read without the current one.
    let current = history::current(dir)?;
    if let Some(current) = current.as_ref().filter(|current| current.generation == generation) {
        return Ok(current.clone());
    }
    if let Some(found) = numbered_manifest(dir, generation)? {
        return Ok(found);
    }
    let earlier = history::earlier(dir, current.as_ref())?;
    let numbers = earlier.iter().chain(&current).map(|kept| kept.generation.to_string());
    let kept = numbers.collect::<Vec<_>>().join(", ");
    Err(Error::UnknownGeneration { path: dir.to_owned(), generation, kept })
}

/// Checks that a file of the store is there and what its manifest says.
pub(super) fn check_file(dir: &Path, entry: &FileEntry) -> Result<()> {
    match DataFile::open(dir, entry)? {
        Ok(file) => file.check(),
        Err(missing) => Err(missing_file(&missing)),
    }
}

fn missing_file(path: &Path) -> Error {
    Error::damaged(path, "the manifest names this file, and it is missing")
}

/// The manifest and all its files, open, so that a writer may remove them.
struct Opened {
    manifest: Manifest,
    index: DataFile,
    records: DataFile,
    attachments: Vec<(String, DataFile)>,
}

fn open_files(dir: &Path, generation: Option<u64>) -> Result<Opened> {
    let mut before: Option<Manifest> = None;
    for _ in 0..MAX_ATTEMPTS {
        let manifest = manifest_of(dir, generation)?;
        if manifest.attachments.len() > MAX_ATTACHMENTS {
            let found = manifest.attachments.len();
            return Err(Error::damaged(
                &dir.join(names::MANIFEST),
                format!("expected at most {MAX_ATTACHMENTS} attachments, found {found}"),
            ));
        }
        let missing = match open_all(dir, &manifest)? {
            Ok((index, records, attachments)) => {
                return Ok(Opened { manifest, index, records, attachments });
            }
            Err(missing) => missing,
        };
        // Removed files are no damage if a writer has replaced the store in the meantime.
        if before.as_ref() == Some(&manifest) {
            return Err(missing_file(&missing));
        }
        before = Some(manifest);
    }
    Err(Error::Unstable { path: dir.to_owned(), attempts: MAX_ATTEMPTS })
}

type DataFiles = (DataFile, DataFile, Vec<(String, DataFile)>);

/// The inner error is the path of a file that is missing.
fn open_all(dir: &Path, manifest: &Manifest) -> Result<Result<DataFiles, PathBuf>> {
    let (index, records) =
        match (DataFile::open(dir, &manifest.index)?, DataFile::open(dir, &manifest.records)?) {
            (Ok(index), Ok(records)) => (index, records),
            (Err(missing), _) | (_, Err(missing)) => return Ok(Err(missing)),
        };
    let mut attachments = Vec::with_capacity(manifest.attachments.len());
    for (name, entry) in &manifest.attachments {
        match DataFile::open(dir, entry)? {
            Ok(file) => attachments.push((name.clone(), file)),
            Err(missing) => return Ok(Err(missing)),
        }
    }
    Ok(Ok((index, records, attachments)))
}

/// Opens a regular file for reading, also through symbolic links; `None` if there is none. Does not wait for the other
/// end of a pipe.
fn open(path: &Path) -> Result<Option<File>> {
    let opened = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path);
    let file = match opened {
        Ok(file) => file,
        Err(error) => match unfetched::dangling_link(path, &error) {
            Some(error) => return Err(error),
            None if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            None => return Err(Error::io("open", path)(error)),
        },
    };
    let kind = file.metadata().map_err(Error::io("examine", path))?.file_type();
    if kind.is_file() {
        Ok(Some(file))
    } else {
        let found = if kind.is_dir() { "a folder" } else { "a pipe or a device" };
        Err(Error::damaged(path, format!("expected a regular file, found {found}")))
    }
}

/// An open data file whose length is the manifest's, hashed as it is read.
struct DataFile {
    path: PathBuf,
    file: File,
    bytes: u64,
    sha256: String,
    hash: Sha256,
}

impl DataFile {
    fn open(dir: &Path, entry: &FileEntry) -> Result<Result<Self, PathBuf>> {
        let path = dir.join(&entry.file);
        let Some(file) = open(&path)? else {
            return Ok(Err(path));
        };
        let found = file.metadata().map_err(Error::io("examine", &path))?.len();
        if found != entry.bytes {
            let reason = format!("expected {} bytes, found {found}", entry.bytes);
            let pointer = unfetched::pointer(&path, &file);
            return Err(pointer.unwrap_or_else(|| Error::damaged(&path, reason)));
        }
        let sha256 = entry.sha256.clone();
        Ok(Ok(Self { path, file, bytes: entry.bytes, sha256, hash: Sha256::new() }))
    }

    /// Reads all of the file, at most `longest` bytes.
    fn read_to_end(mut self, longest: u64) -> Result<Vec<u8>> {
        if self.bytes > longest {
            let found = self.bytes;
            return Err(Error::damaged(
                &self.path,
                format!("expected at most {longest} bytes, found {found}"),
            ));
        }
        let mut bytes = Vec::new();
        let expected = usize::try_from(self.bytes).unwrap_or(usize::MAX);
        reserve(&mut bytes, expected, "a file of the store")?;
        (&self.file)
            .take(self.bytes)
            .read_to_end(&mut bytes)
            .map_err(Error::io("read", &self.path))?;
        self.hash.update(&bytes);
        self.finish()?;
        Ok(bytes)
    }

    fn read_exact(&mut self, buffer: &mut [u8]) -> Result<()> {
        self.file.read_exact(buffer).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                Error::damaged(&self.path, "it was cut short while it was being read")
            }
            _ => Error::io("read", &self.path)(error),
        })?;
        self.hash.update(buffer);
        Ok(())
    }

    /// Reads all of the file for its checksum alone.
    fn check(mut self) -> Result<()> {
        let mut buffer = vec![0; BUFFER_BYTES];
        let mut remaining = self.bytes;
        while remaining > 0 {
            let part = usize::try_from(remaining).unwrap_or(BUFFER_BYTES).min(BUFFER_BYTES);
            self.read_exact(&mut buffer[..part])?;
            remaining -= part as u64;
        }
        self.finish().map(drop)
    }

    /// Compares the checksum of what was read.
    fn finish(self) -> Result<PathBuf> {
        let found = format!("{:x}", self.hash.finalize());
        if found == self.sha256 {
            return Ok(self.path);
        }
        let reason = format!("expected SHA-256 {}, found {found}", self.sha256);
        Err(Error::damaged(&self.path, reason))
    }
}

fn reserve<T>(values: &mut Vec<T>, count: usize, what: &'static str) -> Result<()> {
    let bytes = count.saturating_mul(size_of::<T>());
    values.try_reserve_exact(count).map_err(|_| Error::OutOfMemory { what, bytes })
}

fn read_attachments(
    manifest: &Manifest,
    files: Vec<(String, DataFile)>,
) -> Result<BTreeMap<String, Vec<u8>>> {
    debug_assert_eq!(files.len(), manifest.attachments.len());
    files
        .into_iter()
        .map(|(name, file)| Ok((name, file.read_to_end(MAX_ATTACHMENT_BYTES)?)))
        .collect()
}

/// Reads the FAISS file into one index a label.
fn read_groups(mut file: DataFile, manifest: &Manifest, rows: &Rows) -> Result<Vec<Group>> {
    let path = file.path.clone();
    if file.bytes < HEADER_BYTES as u64 {
        let reason = format!("expected a header of {HEADER_BYTES} bytes, found {}", file.bytes);
        return Err(Error::damaged(&path, reason));
    }
    let mut header = [0; HEADER_BYTES];
    file.read_exact(&mut header)?;
    check_header(&header, manifest.dimension, manifest.count, file.bytes)
        .map_err(|reason| Error::damaged(&path, reason))?;
    // From here on, the file is as long as count x dimension values, and the records file has
    // count lines: nothing below is larger than the files are.
    let mut groups = Vec::with_capacity(rows.runs.len());
    let mut first_row = 0;
    for (label, count) in &rows.runs {
        let values = read_values(&mut file, count * manifest.dimension)?;
        let index = ArrayView2::from_shape((*count, manifest.dimension), &values)
            .map_err(|error| Error::damaged(&path, error.to_string()))
            .and_then(FlatIndex::from_rows)
            .map_err(|error| at_row(&path, first_row, error))?;
        if manifest.normalization == Normalization::L2 {
            check_unit(&path, first_row, index.rows(), &rows.norms)?;
        }
        groups.push(Group { label: label.clone(), first_row, index });
        first_row += count;
    }
    file.finish()?;
    Ok(groups)
}

/// Checks that each row has length 1, or is zero where the norm it was given with is 0.
fn check_unit(
    path: &Path,
    first_row: usize,
    rows: ArrayView2<'_, f32>,
    norms: &[f64],
) -> Result<()> {
    for (row, values) in (first_row..).zip(rows.outer_iter()) {
        let expected = if norms[row] > 0.0 { 1.0 } else { 0.0 };
        let found = norm(values);
        if (found - expected).abs() > UNIT_TOLERANCE {
            let reason = format!("expected length {expected} at row {row}, found {found}");
            return Err(Error::damaged(path, reason));
        }
    }
    Ok(())
}

fn read_values(file: &mut DataFile, count: usize) -> Result<Vec<f32>> {
    let mut values = Vec::new();
    reserve(&mut values, count, "the rows of the store")?;
    let mut buffer = vec![0; BUFFER_BYTES.min(count * size_of::<f32>())];
    while values.len() < count {
        let remaining = (count - values.len()) * size_of::<f32>();
        let part = remaining.min(BUFFER_BYTES);
        file.read_exact(&mut buffer[..part])?;
        let (numbers, _) = buffer[..part].as_chunks::<4>();
        values.extend(numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)));
    }
    Ok(values)
}

/// Turns what the index refuses into damage of the file, with the row's number in the file.
fn at_row(path: &Path, first_row: usize, error: Error) -> Error {
    let reason = match error {
        Error::NotFinite { row, column, value, .. } => format!(
            "expected finite numbers, found {value} at row {}, column {column}",
            first_row + row
        ),
        Error::NormTooLarge { row, norm, .. } => {
            format!(
                "expected rows of norm at most {:e}, found {norm:e} at row {}",
                crate::limits::MAX_NORM,
                first_row + row
            )
        }
        other => return other,
    };
    Error::damaged(path, reason)
}

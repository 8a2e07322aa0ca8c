//! Opening a store: nothing is believed before it is checked.

use std::path::{Path, PathBuf};

use ndarray::ArrayView2;

use super::data_file::{BUFFER_BYTES, DataFile, missing_file, reserve};
use super::faiss_file::{HEADER_BYTES, check_header};
use super::manifest::Manifest;
use super::records_file::{self, MAX_LINE_BYTES};
use super::{history, manifests, names};
use crate::error::{Error, Result};
use crate::file_store::FileStore;
use crate::flat::FlatIndex;
use crate::limits::{MAX_ATTACHMENT_BYTES, MAX_ATTACHMENTS, MAX_NORM};
use crate::normalize::{Normalization, norm};
use crate::record::Record;
use crate::rows::{Group, Rows};

/// How often a store may be replaced while it is being opened.
const MAX_ATTEMPTS: usize = 100;
/// How far a stored unit vector's norm may be from 1: ten times what rounding in single precision
/// can do.
const UNIT_TOLERANCE: f64 = 1e-5;

impl FileStore {
    /// Opens the store in `dir` and reads all of it.
    ///
    /// Needs no right to write there. A store that is replaced at the same moment is read in its
    /// old or its new state, never in a mixture.
    ///
    /// # Errors
    ///
    /// [`Error::NotAStore`] without a `manifest.json`; [`Error::UnsupportedVersion`];
    /// [`Error::Damaged`] for anything that is missing, cut short, altered or forged;
    /// [`Error::NotFetched`]; [`Error::OutOfMemory`]; [`Error::Io`].
    pub fn open(dir: &Path) -> Result<Self> {
        load(dir, None)
    }

    /// Opens a generation that the store in `dir` keeps: the current one or an earlier one.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open), and [`Error::UnknownGeneration`].
    pub fn open_generation(dir: &Path, generation: u64) -> Result<Self> {
        load(dir, Some(generation))
    }
}

/// Reads the whole store, or an earlier generation of it, and checks everything but the lengths of single rows.
fn load(dir: &Path, generation: Option<u64>) -> Result<FileStore> {
    load_from(dir, generation).map_err(|error| {
        // What is wrong with an earlier one is no reason to leave the current one.
        let is_earlier =
            || manifests::sound(dir).is_ok_and(|now| Some(now.generation) != generation);
        if generation.is_some() && is_earlier() {
            error
        } else {
            history::with_way_back(dir, error)
        }
    })
}

fn load_from(dir: &Path, generation: Option<u64>) -> Result<FileStore> {
    let (manifest, files) = open_files(dir, generation)?;
    let attachments = files.attachments.into_iter();
    let attachments = attachments
        .map(|(name, file)| Ok((name, file.read_to_end(MAX_ATTACHMENT_BYTES)?)))
        .collect::<Result<_>>()?;
    let longest = manifest.count.saturating_mul(MAX_LINE_BYTES) as u64;
    let path = files.records.path.clone();
    let bytes = files.records.read_to_end(longest)?;
    let (records, norms) =
        records_file::parse(&path, &bytes, manifest.count, manifest.normalization)?;
    drop(bytes);
    let rows = read_rows(files.index, &manifest, &records, norms)?;
    Ok(FileStore { manifest, rows, attachments })
}

/// All files of a manifest, open, so that a writer may remove them.
struct DataFiles {
    index: DataFile,
    records: DataFile,
    attachments: Vec<(String, DataFile)>,
}

fn open_files(dir: &Path, generation: Option<u64>) -> Result<(Manifest, DataFiles)> {
    let mut before: Option<Manifest> = None;
    for _ in 0..MAX_ATTEMPTS {
        let manifest = manifests::of_generation(dir, generation)?;
        if manifest.attachments.len() > MAX_ATTACHMENTS {
            let found = manifest.attachments.len();
            return Err(Error::damaged(
                &dir.join(names::MANIFEST),
                format!("expected at most {MAX_ATTACHMENTS} attachments, found {found}"),
            ));
        }
        let missing = match open_all(dir, &manifest)? {
            Ok(files) => return Ok((manifest, files)),
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
    Ok(Ok(DataFiles { index, records, attachments }))
}

/// Reads the FAISS file into one index a label.
fn read_rows(
    mut file: DataFile,
    manifest: &Manifest,
    records: &[Record],
    norms: Vec<f64>,
) -> Result<Rows> {
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
    let rows = Rows::new(records, norms, |rows| {
        let values = read_values(&mut file, rows.len() * manifest.dimension)?;
        ArrayView2::from_shape((rows.len(), manifest.dimension), &values)
            .map_err(|error| Error::damaged(&path, error.to_string()))
            .and_then(FlatIndex::from_rows)
            .map_err(|error| at_row(&path, rows.start, error))
    })?;
    file.finish()?;
    if manifest.normalization == Normalization::L2 {
        rows.groups.iter().try_for_each(|group| check_unit(&path, group, &rows.norms))?;
    }
    Ok(rows)
}

/// Checks that each row has length 1, or is zero where the norm it was given with is 0.
fn check_unit(path: &Path, group: &Group, norms: &[f64]) -> Result<()> {
    for (row, values) in group.rows().zip(group.index.rows().outer_iter()) {
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
                "expected rows of norm at most {MAX_NORM:e}, found {norm:e} at row {}",
                first_row + row
            )
        }
        other => return other,
    };
    Error::damaged(path, reason)
}

//! Another store made of one: some rows less, some more, and those that stay the same to the bit.

use std::collections::{BTreeMap, HashSet};

use ndarray::{Array2, Axis};

use crate::error::{Error, Result};
use crate::file_store::FileStore;
use crate::layout::{FileEntry, StoredRows};
use crate::normalize::Normalization;
use crate::record::Record;
use crate::store::Filter;

/// What is to change in the rows of a store.
///
/// Rows that stay are not computed anew from embeddings, which would change their last bits: they are copied as they
/// are stored.
#[derive(Debug)]
pub struct RowEdit<'a> {
    base: &'a FileStore,
    removed: HashSet<String>,
    added: Vec<StoredRows>,
}

impl<'a> RowEdit<'a> {
    /// Nothing yet.
    #[must_use]
    pub fn new(base: &'a FileStore) -> Self {
        Self { base, removed: HashSet::new(), added: Vec::new() }
    }

    /// Leaves out the rows with these ids; ids that no row has are allowed.
    #[must_use]
    pub fn remove(mut self, ids: impl IntoIterator<Item = String>) -> Self {
        self.removed.extend(ids);
        self
    }

    /// Appends embeddings as a model made them, M x D, and what is known of each. An id that is also among those
    /// to [remove](Self::remove) replaces that row.
    ///
    /// # Errors
    ///
    /// [`Error::DimensionMismatch`], [`Error::NotFinite`], [`Error::NormTooLarge`], [`Error::InvalidContents`].
    pub fn add(mut self, embeddings: &Array2<f32>, records: &[Record]) -> Result<Self> {
        let (expected, found) = (self.base.dimension(), embeddings.ncols());
        if expected != found {
            return Err(Error::DimensionMismatch { what: "rows", expected, found });
        }
        let normalization = self.base.manifest().normalization;
        self.added.push(StoredRows::of_raw(normalization, embeddings.view(), records)?);
        Ok(self)
    }

    /// Appends the rows of another store that `keep` lets through, as they are stored there.
    ///
    /// # Errors
    ///
    /// [`Error::DimensionMismatch`], and [`Error::InvalidContents`] for a store that normalizes in another way.
    pub fn add_rows_of(mut self, other: &FileStore, keep: impl Fn(&str) -> bool) -> Result<Self> {
        let (expected, found) = (self.base.dimension(), other.dimension());
        if expected != found {
            return Err(Error::DimensionMismatch { what: "rows", expected, found });
        }
        let (expected, found) =
            (self.base.manifest().normalization, other.manifest().normalization);
        if expected != found {
            return Err(Error::contents(format!(
                "expected rows of a store with normalization {expected}, found {found}"
            )));
        }
        self.added.push(stored_rows(other, keep));
        Ok(self)
    }

    /// The other store, in memory alone, with the attachments of the first.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidRecord`] for an id that is there twice, [`Error::InvalidContents`] where no row is left.
    pub fn apply(self) -> Result<FileStore> {
        let mut rows = stored_rows(self.base, |id| !self.removed.contains(id));
        for added in self.added {
            rows = rows.followed_by(added)?;
        }
        let mut manifest = self.base.manifest().unsaved();
        (manifest.index, manifest.records) = (FileEntry::none(), FileEntry::none());
        let attachment = |name: &String| Some((name.clone(), self.base.attachment(name)?.to_vec()));
        let attachments: BTreeMap<_, _> =
            manifest.attachments.keys().filter_map(attachment).collect();
        FileStore::of_rows(manifest, rows, attachments)
    }
}

fn stored_rows(store: &FileStore, keep: impl Fn(&str) -> bool) -> StoredRows {
    let records = store.records(Filter::All);
    let rows: Vec<usize> = (0..records.len()).filter(|&row| keep(&records[row].id)).collect();
    let all = store.stored_rows(Filter::All);
    let norms = match store.manifest().normalization {
        Normalization::None => Vec::new(),
        Normalization::L2 => rows.iter().map(|&row| store.norms()[row]).collect(),
    };
    let kept = rows.iter().map(|&row| records[row].clone()).collect();
    StoredRows::of_stored(all.select(Axis(0), &rows), norms, kept)
}

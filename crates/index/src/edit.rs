//! Another store made of one: some rows less, some more, and those that stay the same to the bit.

use std::collections::HashSet;

use ndarray::{Array2, Axis, concatenate};

use crate::error::{Error, Result};
use crate::file_store::{FileStore, Filter};
use crate::layout::FileEntry;
use crate::record::Record;
use crate::rows::{Rows, UnorderedRows};

/// What is to change in the rows of a store.
///
/// Rows that stay are not computed anew from embeddings, which would change their last bits: they are copied as they
/// are stored.
#[derive(Debug)]
pub struct RowEdit<'a> {
    base: &'a FileStore,
    removed: HashSet<String>,
    added: Vec<UnorderedRows>,
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
        self.added.push(UnorderedRows::of_raw(normalization, embeddings.view(), records)?);
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
        self.added.push(rows_of(other, keep)?);
        Ok(self)
    }

    /// The other store, in memory alone, with the attachments of the first.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidContents`] for an id that is there twice, and where no row is left.
    pub fn apply(self) -> Result<FileStore> {
        let mut rows = rows_of(self.base, |id| !self.removed.contains(id))?;
        for added in self.added {
            rows = rows.followed_by(added)?;
        }
        let mut manifest = self.base.manifest().unsaved();
        (manifest.index, manifest.records) = (FileEntry::none(), FileEntry::none());
        FileStore::of_rows(manifest, rows, self.base.attachments.clone())
    }
}

fn rows_of(store: &FileStore, keep: impl Fn(&str) -> bool) -> Result<UnorderedRows> {
    let Rows { groups, norms, .. } = &store.rows;
    let records = store.records(Filter::All);
    let kept: Vec<usize> = (0..records.len()).filter(|&row| keep(&records[row].id)).collect();
    let blocks: Vec<_> = groups.iter().map(|group| group.index.rows()).collect();
    let all = concatenate(Axis(0), &blocks).map_err(|error| Error::contents(error.to_string()))?;
    Ok(UnorderedRows {
        embeddings: all.select(Axis(0), &kept),
        norms: kept.iter().filter_map(|&row| norms.get(row).copied()).collect(),
        records: kept.iter().map(|&row| records[row].clone()).collect(),
    })
}

//! A reference store in memory: rows with ids and labels, and what is searched and read of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use ndarray::{Array2, ArrayView2, s};

use crate::error::{Error, Result};
use crate::flat::check_question;
use crate::layout::{FileEntry, Manifest, ModelIdentity, StoreContents, check_attachments};
use crate::normalize::{RowKey, prepare_queries};
use crate::record::Record;
use crate::rows::{Group, Rows, UnorderedRows};

/// A reference store, held in memory: made of [contents](Self::in_memory), or opened from a folder.
///
/// # How rows are kept
///
/// The rows of one label lie together, in the file and in memory, and each label has an index of
/// its own. A search of the whole set merges the labels' answers; a search of one label scans only
/// its rows. (FAISS's own way to restrict a search, a selector, still visits every row, and gives
/// up the faster code for it.) No row is held twice.
///
/// # Order
///
/// A new store keeps the order of the rows where each label's rows already lie together,
/// and else sorts them stably by label, rows without a label first. Neighbors at equal distances
/// come in this order, so every search has one answer. The FAISS file holds the same rows in the
/// same order: row i of Python's `faiss.read_index(...)` is line i of the records file.
#[derive(Debug)]
pub struct FileStore {
    pub(crate) manifest: Manifest,
    pub(crate) rows: Rows,
    pub(crate) attachments: BTreeMap<String, Vec<u8>>,
}

/// One neighbor that a search found.
#[derive(Debug, Clone, PartialEq)]
pub struct Neighbor {
    /// The row's id.
    pub id: Arc<str>,
    /// The row's label, if it has one.
    pub label: Option<Arc<str>>,
    /// The squared Euclidean distance, after normalization of both sides.
    pub distance_squared: f32,
}

/// Which rows a search or a read looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Filter<'a> {
    /// All of them.
    All,
    /// Those with exactly this label; none where no row has it.
    Label(&'a str),
}

/// A label and how many rows have it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize)]
pub struct LabelCount {
    /// The label; `None` for the rows without one.
    pub label: Option<String>,
    /// How many rows have it.
    pub count: usize,
}

impl FileStore {
    /// A store in memory alone, of generation 0. It answers as it will once it is [saved](Self::save) and opened.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidContents`], [`Error::DimensionOutOfRange`],
    /// [`Error::NotFinite`] and [`Error::NormTooLarge`] for contents that cannot be stored.
    pub fn in_memory(contents: &StoreContents) -> Result<Self> {
        let StoreContents { model, normalization, embeddings, records, attachments } = contents;
        let rows = UnorderedRows::of_raw(*normalization, embeddings.view(), records)?;
        let mut manifest = Manifest::draft(0, String::new(), *normalization);
        manifest.model.clone_from(model);
        if let Some(reason) = model.as_ref().and_then(ModelIdentity::violation) {
            return Err(Error::contents(reason));
        }
        Self::of_rows(manifest, rows, BTreeMap::new())?.with_attachments(attachments.clone())
    }

    /// A store of these rows, whose files none has yet.
    pub(crate) fn of_rows(
        mut manifest: Manifest,
        rows: UnorderedRows,
        attachments: BTreeMap<String, Vec<u8>>,
    ) -> Result<Self> {
        (manifest.count, manifest.dimension) = rows.embeddings.dim();
        Ok(Self { manifest, rows: rows.in_order()?, attachments })
    }

    /// The same store with these attachments and no others, in memory alone.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidContents`].
    pub fn with_attachments(mut self, attachments: BTreeMap<String, Vec<u8>>) -> Result<Self> {
        check_attachments(&attachments)?;
        self.manifest = self.manifest.unsaved();
        let files = &mut self.manifest.attachments;
        // What stays as it is keeps its file.
        files.retain(|name, _| self.attachments.get(name) == attachments.get(name));
        for name in attachments.keys() {
            files.entry(name.clone()).or_insert_with(FileEntry::none);
        }
        self.attachments = attachments;
        Ok(self)
    }

    /// The ids and labels of the rows that `filter` lets through, in the order of the rows, which is
    /// that of [`embeddings`](Self::embeddings).
    #[must_use]
    pub fn records(&self, filter: Filter<'_>) -> Vec<Record> {
        self.groups(filter)
            .flat_map(|group| {
                self.rows.ids[group.rows()].iter().map(|id| Record {
                    id: id.to_string(),
                    label: group.label.as_deref().map(str::to_owned),
                })
            })
            .collect()
    }

    /// What tells the rows from others, in the order of [`records`](Self::records).
    #[must_use]
    pub fn row_keys(&self) -> Vec<RowKey> {
        self.rows.of_each(RowKey::of_stored)
    }

    fn groups(&self, filter: Filter<'_>) -> impl Iterator<Item = &Group> {
        self.rows.groups.iter().filter(move |group| match filter {
            Filter::All => true,
            Filter::Label(label) => group.label.as_deref() == Some(label),
        })
    }

    /// The Euclidean norms of the embeddings as they were given, in the order of the rows; empty for a store that
    /// does not normalize.
    #[must_use]
    pub fn norms(&self) -> &[f64] {
        &self.rows.norms
    }

    /// What the store says of itself: dimension, normalization, model, checksums.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// D, the number of values in an embedding.
    #[must_use]
    pub fn dimension(&self) -> usize {
        self.manifest.dimension
    }

    /// N, the number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.manifest.count
    }

    /// Whether there are no rows: never, since no such store can be made.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The labels with their numbers of rows, in the order of the rows.
    #[must_use]
    pub fn labels(&self) -> Vec<LabelCount> {
        let groups = self.rows.groups.iter();
        groups
            .map(|group| LabelCount {
                label: group.label.as_deref().map(str::to_owned),
                count: group.index.len(),
            })
            .collect()
    }

    /// The `k` nearest rows of each query (M x D) among those that `filter` lets through, ascending
    /// by (squared Euclidean distance, row); fewer where there are fewer than `k`.
    ///
    /// With [`Normalization::L2`](crate::Normalization::L2) each query is divided by its norm here,
    /// as the rows were when the store was written: give embeddings as the model made them.
    ///
    /// # Errors
    ///
    /// [`Error::ZeroNeighbors`] for `k = 0`, [`Error::DimensionMismatch`], [`Error::NotFinite`],
    /// [`Error::NormTooLarge`], [`Error::Faiss`].
    pub fn search(
        &self,
        queries: ArrayView2<'_, f32>,
        k: usize,
        filter: Filter<'_>,
    ) -> Result<Vec<Vec<Neighbor>>> {
        check_question(queries, k, self.dimension())?;
        let queries = prepare_queries(self.manifest.normalization, queries)?;
        let mut candidates: Vec<Vec<Candidate<'_>>> = vec![Vec::new(); queries.nrows()];
        for group in self.groups(filter) {
            let found = group.index.search(queries.view(), k)?;
            for (candidates, nearest) in candidates.iter_mut().zip(found) {
                candidates.extend(nearest.into_iter().map(|neighbor| Candidate {
                    distance_squared: neighbor.distance_squared,
                    row: group.first_row + neighbor.row,
                    label: group.label.as_ref(),
                }));
            }
        }
        Ok(candidates.into_iter().map(|candidates| self.nearest(candidates, k)).collect())
    }

    /// The embeddings that `filter` lets through, N x D, as they were given, for the scores that
    /// need all of them.
    ///
    /// With [`Normalization::L2`](crate::Normalization::L2) they are products of the stored unit
    /// vector and norm, equal to what was given up to the last place (relative error below 1.2e-7).
    #[must_use]
    pub fn embeddings(&self, filter: Filter<'_>) -> Array2<f32> {
        let count = self.groups(filter).map(|group| group.index.len()).sum();
        let mut embeddings = Array2::zeros((count, self.dimension()));
        let mut start = 0;
        for group in self.groups(filter) {
            let end = start + group.index.len();
            let mut block = embeddings.slice_mut(s![start..end, ..]);
            block.assign(&group.index.rows());
            if let Some(norms) = self.norms().get(group.rows()) {
                for (mut row, norm) in block.outer_iter_mut().zip(norms) {
                    row.mapv_inplace(|x| scale_up(x, *norm));
                }
            }
            start = end;
        }
        embeddings
    }

    /// The bytes that were stored under this name beside the rows, e.g. a calibration.
    #[must_use]
    pub fn attachment(&self, name: &str) -> Option<&[u8]> {
        self.attachments.get(name).map(Vec::as_slice)
    }

    fn nearest(&self, mut candidates: Vec<Candidate<'_>>, k: usize) -> Vec<Neighbor> {
        candidates.sort_by(|a, b| {
            a.distance_squared.total_cmp(&b.distance_squared).then(a.row.cmp(&b.row))
        });
        candidates.truncate(k);
        candidates
            .into_iter()
            .map(|found| Neighbor {
                id: Arc::clone(&self.rows.ids[found.row]),
                label: found.label.cloned(),
                distance_squared: found.distance_squared,
            })
            .collect()
    }
}

#[derive(Clone)]
struct Candidate<'a> {
    distance_squared: f32,
    row: usize,
    label: Option<&'a Arc<str>>,
}

#[expect(clippy::cast_possible_truncation, reason = "rounding to f32 is the point")]
fn scale_up(x: f32, norm: f64) -> f32 {
    if norm > 0.0 { (f64::from(x) * norm) as f32 } else { x }
}

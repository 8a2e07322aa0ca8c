//! A reference store in one folder of files, held in memory.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use ndarray::{Array2, ArrayView2, Axis, concatenate, s};

use crate::error::{Error, Result};
use crate::layout::{
    self, FileEntry, Generation, Group, GroupedRows, Loaded, Manifest, ModelIdentity,
    StoreContents, StoredRows, WriteOptions,
};
use crate::normalize::{RowKey, prepare_queries};
use crate::record::Record;
use crate::store::{Filter, LabelCount, Neighbor};

/// A reference store in one folder.
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
/// [`write`](Self::write) keeps the order of the rows where each label's rows already lie together,
/// and else sorts them stably by label, rows without a label first. Neighbors at equal distances
/// come in this order, so every search has one answer. The FAISS file holds the same rows in the
/// same order: row i of Python's `faiss.read_index(...)` is line i of the records file.
#[derive(Debug)]
pub struct FileStore {
    loaded: Loaded,
}

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
        Ok(Self { loaded: layout::load(dir, None)? })
    }

    /// Opens a generation that the store in `dir` keeps: the current one or an earlier one.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open), and [`Error::UnknownGeneration`].
    pub fn open_generation(dir: &Path, generation: u64) -> Result<Self> {
        Ok(Self { loaded: layout::load(dir, Some(generation))? })
    }

    /// The generations that the store in `dir` keeps, ascending. None of them is the current one where `manifest.json`
    /// is lost or damaged: [`Replaces::LostManifest`](crate::Replaces) makes one of them so again.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open), for the manifest of a store that keeps no others.
    pub fn history(dir: &Path) -> Result<Vec<Generation>> {
        layout::history(dir)
    }

    /// A store in memory alone, of generation 0. It answers as it will once it is [saved](Self::save) and opened.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidRecord`], [`Error::InvalidContents`], [`Error::DimensionOutOfRange`],
    /// [`Error::NotFinite`] and [`Error::NormTooLarge`] for contents that cannot be stored.
    pub fn in_memory(contents: &StoreContents) -> Result<Self> {
        let StoreContents { model, normalization, embeddings, records, attachments } = contents;
        let rows = StoredRows::of_raw(*normalization, embeddings.view(), records)?;
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
        rows: StoredRows,
        attachments: BTreeMap<String, Vec<u8>>,
    ) -> Result<Self> {
        (manifest.count, manifest.dimension) = rows.dim();
        let GroupedRows { groups, ids, norms } = rows.grouped()?;
        Ok(Self { loaded: Loaded { manifest, groups, ids, norms, attachments } })
    }

    /// The same store with these attachments and no others, in memory alone.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidContents`].
    pub fn with_attachments(mut self, attachments: BTreeMap<String, Vec<u8>>) -> Result<Self> {
        layout::check_attachments(&attachments)?;
        let Loaded { manifest, attachments: before, .. } = &mut self.loaded;
        *manifest = manifest.unsaved();
        // What stays as it is keeps its file.
        manifest.attachments.retain(|name, _| before.get(name) == attachments.get(name));
        for name in attachments.keys() {
            manifest.attachments.entry(name.clone()).or_insert_with(FileEntry::none);
        }
        self.loaded.attachments = attachments;
        Ok(self)
    }

    /// Writes a store into `dir`, which is made if need be, or replaces the one there and keeps nothing of it:
    /// [`save`](Self::save) of [`in_memory`](Self::in_memory), with the default options.
    ///
    /// # Errors
    ///
    /// As those two.
    pub fn write(dir: &Path, contents: &StoreContents) -> Result<Manifest> {
        Self::in_memory(contents)?.save(dir, &WriteOptions::default())
    }

    /// Writes this store into `dir`, which is made if need be, as the next generation of the one there.
    ///
    /// The new generation becomes visible at once and as a whole, after everything of it is on disk. If
    /// this fails or is killed at any point, the old one stays as it was; what is left over is
    /// removed by the next write. Files that no store made are never touched. Rows and attachments
    /// that a kept generation in `dir` has already, this store having been opened there, are not
    /// written again: the generations share the files.
    ///
    /// # Errors
    ///
    /// [`Error::Occupied`] for a folder that holds something else; [`Error::Locked`] while another
    /// process writes; [`Error::Superseded`]; [`Error::InvalidContents`] for a change that cannot be
    /// stored; [`Error::Damaged`] where a file that it would share is not there any more, or is another one;
    /// [`Error::Io`], e.g. for a full disk.
    pub fn save(&self, dir: &Path, options: &WriteOptions<'_>) -> Result<Manifest> {
        layout::write(dir, &self.loaded, options)
    }

    /// The ids and labels of the rows that `filter` lets through, in the order of the rows, which is
    /// that of [`embeddings`](Self::embeddings).
    #[must_use]
    pub fn records(&self, filter: Filter<'_>) -> Vec<Record> {
        self.groups(filter)
            .flat_map(|group| {
                let ids = &self.loaded.ids[group.first_row..][..group.index.len()];
                ids.iter().map(|id| Record {
                    id: id.to_string(),
                    label: group.label.as_deref().map(str::to_owned),
                })
            })
            .collect()
    }

    /// The rows that `filter` lets through as they are stored, of length 1 where the store normalizes, in the order of
    /// [`records`](Self::records). Stores of one model have the same bits for the same image.
    #[must_use]
    pub fn stored_rows(&self, filter: Filter<'_>) -> Array2<f32> {
        let blocks: Vec<_> = self.groups(filter).map(|group| group.index.rows()).collect();
        // Groups have the same width; there are none where no row has the label.
        concatenate(Axis(0), &blocks).unwrap_or_else(|_| Array2::zeros((0, self.dimension())))
    }

    /// What tells the rows from others, in the order of [`records`](Self::records).
    #[must_use]
    pub fn row_keys(&self) -> Vec<RowKey> {
        let rows = self.loaded.groups.iter().map(|group| group.index.rows());
        rows.flat_map(|rows| rows.outer_iter().map(RowKey::of_stored).collect::<Vec<_>>()).collect()
    }

    /// The groups that `filter` lets through.
    pub(crate) fn groups(&self, filter: Filter<'_>) -> impl Iterator<Item = &Group> {
        self.loaded.groups.iter().filter(move |group| match filter {
            Filter::All => true,
            Filter::Label(label) => group.label.as_deref() == Some(label),
        })
    }

    /// The Euclidean norms of the embeddings as they were given, in the order of the rows; empty for a store that
    /// does not normalize.
    #[must_use]
    pub fn norms(&self) -> &[f64] {
        &self.loaded.norms
    }

    /// What the store says of itself: dimension, normalization, model, checksums.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.loaded.manifest
    }

    /// D, the number of values in an embedding.
    #[must_use]
    pub fn dimension(&self) -> usize {
        self.loaded.manifest.dimension
    }

    /// N, the number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.loaded.manifest.count
    }

    /// Whether there are no rows: never, since no such store can be made.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The labels with their numbers of rows, in the order of the rows.
    #[must_use]
    pub fn labels(&self) -> Vec<LabelCount> {
        let groups = self.loaded.groups.iter();
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
        if k == 0 {
            return Err(Error::ZeroNeighbors);
        }
        if queries.ncols() != self.dimension() {
            let (expected, found) = (self.dimension(), queries.ncols());
            return Err(Error::DimensionMismatch { what: "queries", expected, found });
        }
        let queries = prepare_queries(self.loaded.manifest.normalization, queries)?;
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
            if let Some(norms) =
                self.norms().get(group.first_row..group.first_row + group.index.len())
            {
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
        self.loaded.attachments.get(name).map(Vec::as_slice)
    }

    fn nearest(&self, mut candidates: Vec<Candidate<'_>>, k: usize) -> Vec<Neighbor> {
        candidates.sort_by(|a, b| {
            a.distance_squared.total_cmp(&b.distance_squared).then(a.row.cmp(&b.row))
        });
        candidates.truncate(k);
        candidates
            .into_iter()
            .map(|found| Neighbor {
                id: Arc::clone(&self.loaded.ids[found.row]),
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

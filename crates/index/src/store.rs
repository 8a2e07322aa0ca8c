//! What a reference store answers, whichever way it keeps its rows.

use std::sync::Arc;

use ndarray::{Array2, ArrayView2};

use crate::error::Result;
use crate::layout::Manifest;

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

/// The embeddings of a reference data set, with ids and labels, and exact nearest neighbors
/// among them.
pub trait ReferenceStore: Send + Sync {
    /// What the store says of itself: dimension, normalization, model, checksums.
    fn manifest(&self) -> &Manifest;

    /// D, the number of values in an embedding.
    fn dimension(&self) -> usize;

    /// N, the number of rows.
    fn len(&self) -> usize;

    /// Whether there are no rows. Stores on disk always have at least one.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The labels with their numbers of rows, in the order of the rows.
    fn labels(&self) -> Vec<LabelCount>;

    /// The `k` nearest rows of each query (M x D) among those that `filter` lets through, ascending
    /// by (squared Euclidean distance, row); fewer where there are fewer than `k`.
    ///
    /// With [`Normalization::L2`](crate::Normalization::L2) each query is divided by its norm here,
    /// as the rows were when the store was written: give embeddings as the model made them.
    ///
    /// # Errors
    ///
    /// [`Error::ZeroNeighbors`](crate::Error::ZeroNeighbors) for `k = 0`,
    /// [`Error::DimensionMismatch`](crate::Error::DimensionMismatch),
    /// [`Error::NotFinite`](crate::Error::NotFinite),
    /// [`Error::NormTooLarge`](crate::Error::NormTooLarge), and what the back end reports.
    fn search(
        &self,
        queries: ArrayView2<'_, f32>,
        k: usize,
        filter: Filter<'_>,
    ) -> Result<Vec<Vec<Neighbor>>>;

    /// The embeddings that `filter` lets through, N x D, as they were given, for the scores that
    /// need all of them.
    ///
    /// With [`Normalization::L2`](crate::Normalization::L2) they are products of the stored unit
    /// vector and norm, equal to what was given up to the last place (relative error below 1.2e-7).
    ///
    /// # Errors
    ///
    /// What the back end reports.
    fn embeddings(&self, filter: Filter<'_>) -> Result<Array2<f32>>;

    /// The bytes that were stored under this name beside the rows, e.g. a calibration.
    fn attachment(&self, name: &str) -> Option<&[u8]>;
}

/// A store that several share.
impl<S: ReferenceStore + ?Sized> ReferenceStore for Arc<S> {
    fn manifest(&self) -> &Manifest {
        (**self).manifest()
    }

    fn dimension(&self) -> usize {
        (**self).dimension()
    }

    fn len(&self) -> usize {
        (**self).len()
    }

    fn labels(&self) -> Vec<LabelCount> {
        (**self).labels()
    }

    fn search(
        &self,
        queries: ArrayView2<'_, f32>,
        k: usize,
        filter: Filter<'_>,
    ) -> Result<Vec<Vec<Neighbor>>> {
        (**self).search(queries, k, filter)
    }

    fn embeddings(&self, filter: Filter<'_>) -> Result<Array2<f32>> {
        (**self).embeddings(filter)
    }

    fn attachment(&self, name: &str) -> Option<&[u8]> {
        (**self).attachment(name)
    }
}

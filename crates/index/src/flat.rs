//! Exact search over rows in memory: one FAISS `IndexFlatL2`.
//!
//! All FAISS types and all `unsafe` of the crate stay in this file.
//!
//! # Why queries go to FAISS sixteen at a time
//!
//! From 20 queries a call on, FAISS computes `|q|² + |x|² - 2 q·x` with a matrix product. In 32-bit
//! floats that form loses the digits of small distances (an image that is in the reference set
//! comes out at 1e-6 and not at 0), and the same query would get another distance alone than in a
//! batch: calibration, done in batches, and serving, done one by one, would disagree. Below 20,
//! each distance is the plain sum of squared differences and depends on the two vectors alone. It
//! also keeps `OpenBLAS`'s threads, which fight with `OpenMP`'s, out of the path. The price is
//! throughput: 64 queries at once over 960 to 100,000 rows of 512 take three to six times as long
//! as the matrix form with `OMP_WAIT_POLICY=PASSIVE`. (With threads that spin, the default, the
//! matrix form was the slower one by two to three on two busy cores.)
//!
//! # Why many queries go through the rows block by block
//!
//! In its plain form FAISS reads all rows for each query, and from memory where they are more than a processor's cache
//! holds. So where there are many queries, a block of rows that stays in the cache is copied into an index of its own
//! and asked for all of them, then the next one. Each distance is the same, so the answer is.
//!
//! # Why more than k are asked for
//!
//! Where rows tie at the k-th distance, FAISS does not promise which of them it keeps (version 1.12
//! happens to keep the first). So one more is asked for: if it is farther than the k-th, no tie was
//! cut. If it is not, the query is repeated with a larger number until the tie is whole.

#![allow(unsafe_code, reason = "OpenMP's thread count has no safe interface")]

use std::ffi::c_int;
use std::fmt;

use faiss::index::flat::FlatIndexImpl;
use faiss::{ConcurrentIndex, Index};
use ndarray::{ArrayView2, Axis, aview1};

use crate::error::{Error, Result};
use crate::limits::MAX_DIMENSION;
use crate::normalize::{check_rows, contiguous};

/// Fewer than the 20 from which FAISS changes to the matrix form; see the module's documentation.
const QUERIES_PER_CALL: usize = 16;

/// From this number of queries on, copying a block of rows costs little beside asking it.
const MANY_QUERIES: usize = 32;

/// What a core's own cache holds beside the queries.
const BLOCK_BYTES: usize = 256 << 10;

/// How much more is asked for when ties at the k-th distance were cut.
const WIDENING: usize = 16;

/// One row that a search found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RowDistance {
    /// Zero-based row.
    pub row: usize,
    /// The squared Euclidean distance (pgvector's `<->` is its square root).
    pub distance_squared: f32,
}

/// Exact nearest neighbors by Euclidean distance over N rows of D `f32` each, held in memory.
///
/// Every search scans all rows. It answers in ascending order of (squared distance, row), so the
/// result is the same on every machine with the same instructions, for any number of queries at
/// once. Sharing it between threads for searching needs no lock.
///
/// ```
/// use ndarray::array;
/// use sdd_index::FlatIndex;
///
/// let index = FlatIndex::from_rows(array![[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]].view())?;
/// let nearest = &index.search(array![[0.0, 0.0]].view(), 2)?[0];
/// assert_eq!((nearest[0].row, nearest[0].distance_squared), (0, 0.0));
/// assert_eq!((nearest[1].row, nearest[1].distance_squared), (2, 1.0));
/// # Ok::<(), sdd_index::Error>(())
/// ```
pub struct FlatIndex {
    inner: FlatIndexImpl,
    dimension: usize,
    len: usize,
}

impl FlatIndex {
    /// An index without rows.
    fn new(dimension: usize) -> Result<Self> {
        let out_of_range = || Error::DimensionOutOfRange { found: dimension };
        if dimension == 0 || dimension > MAX_DIMENSION {
            return Err(out_of_range());
        }
        let d = u32::try_from(dimension).map_err(|_| out_of_range())?;
        let inner = FlatIndexImpl::new_l2(d).map_err(faiss_error("make an index"))?;
        Ok(Self { inner, dimension, len: 0 })
    }

    /// An index of the rows of an N x D matrix.
    ///
    /// # Errors
    ///
    /// [`Error::DimensionOutOfRange`] unless D is 1 to [`MAX_DIMENSION`]; [`Error::NotFinite`] for NaN or an infinity;
    /// [`Error::NormTooLarge`] for a vector whose squared distances could overflow `f32`; [`Error::Faiss`] when FAISS
    /// gets no memory.
    pub fn from_rows(rows: ArrayView2<'_, f32>) -> Result<Self> {
        let mut index = Self::new(rows.ncols())?;
        check_rows("rows", rows)?;
        if rows.nrows() > 0 {
            index.append(rows)?;
        }
        Ok(index)
    }

    /// Appends rows that have been checked, at least one.
    fn append(&mut self, rows: ArrayView2<'_, f32>) -> Result<()> {
        self.inner.add(&contiguous(rows)).map_err(faiss_error("add rows"))?;
        self.len += rows.nrows();
        Ok(())
    }

    /// N, the number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// All rows, N x D, in their order.
    #[must_use]
    pub fn rows(&self) -> ArrayView2<'_, f32> {
        // FAISS gives a null pointer for an empty index, which no Rust slice may hold.
        let values = if self.is_empty() { &[] } else { self.inner.xb() };
        self.view(values)
    }

    fn view<'a>(&self, values: &'a [f32]) -> ArrayView2<'a, f32> {
        aview1(values)
            .into_shape_with_order((self.len, self.dimension))
            .expect("FAISS holds len x dimension values")
    }

    /// The `k` nearest rows of each query (M x D), ascending by (squared distance, row); fewer where
    /// the index holds fewer than `k`.
    ///
    /// Up to 16 queries are answered at once, each on one thread; see [`limit_threads`]. A query among some dozens
    /// costs a fraction of one alone.
    ///
    /// # Errors
    ///
    /// [`Error::ZeroNeighbors`] for `k = 0`; [`Error::DimensionMismatch`], [`Error::NotFinite`] and
    /// [`Error::NormTooLarge`] for queries that cannot be compared; [`Error::Faiss`].
    pub fn search(&self, queries: ArrayView2<'_, f32>, k: usize) -> Result<Vec<Vec<RowDistance>>> {
        check_question(queries, k, self.dimension)?;
        check_rows("queries", queries)?;
        if self.is_empty() {
            return Ok(vec![Vec::new(); queries.nrows()]);
        }
        let k = k.min(self.len);
        let block_rows = (BLOCK_BYTES / (self.dimension * size_of::<f32>())).max(1);
        let is_worth_it = self.len >= 2 * block_rows && k <= block_rows;
        if queries.nrows() >= MANY_QUERIES && is_worth_it {
            self.search_blocks(&contiguous(queries), k, block_rows)
        } else {
            self.search_rows(&contiguous(queries), k)
        }
    }

    /// The same answer as [`search_rows`](Self::search_rows).
    fn search_blocks(
        &self,
        queries: &[f32],
        k: usize,
        block_rows: usize,
    ) -> Result<Vec<Vec<RowDistance>>> {
        let mut nearest = vec![Vec::new(); queries.len() / self.dimension];
        for (number, rows) in self.rows().axis_chunks_iter(Axis(0), block_rows).enumerate() {
            let mut block = Self::new(self.dimension)?;
            block.append(rows)?;
            let found = block.search_rows(queries, k.min(block.len))?;
            for (nearest, found) in nearest.iter_mut().zip(found) {
                let first_row = number * block_rows;
                nearest.extend(
                    found
                        .into_iter()
                        .map(|found| RowDistance { row: first_row + found.row, ..found }),
                );
                sort(nearest);
                nearest.truncate(k);
            }
        }
        Ok(nearest)
    }

    /// `queries` holds whole rows that have been checked; `k` is 1 to `len`.
    fn search_rows(&self, queries: &[f32], k: usize) -> Result<Vec<Vec<RowDistance>>> {
        let mut answers = Vec::with_capacity(queries.len() / self.dimension);
        for few in queries.chunks(QUERIES_PER_CALL * self.dimension) {
            let asked = (k + 1).min(self.len);
            let found = self.ask(few, asked)?;
            for (query, mut nearest) in few.chunks(self.dimension).zip(found) {
                if self.cuts_a_tie(&nearest, k) {
                    nearest = self.ask_wider(query, k)?;
                }
                nearest.truncate(k);
                answers.push(nearest);
            }
        }
        Ok(answers)
    }

    /// Whether rows as near as the k-th may be missing from `found`.
    fn cuts_a_tie(&self, found: &[RowDistance], k: usize) -> bool {
        let farthest = found.last().map(|last| last.distance_squared);
        found.len() < self.len && farthest <= found.get(k - 1).map(|kth| kth.distance_squared)
    }

    fn ask_wider(&self, query: &[f32], k: usize) -> Result<Vec<RowDistance>> {
        let mut asked = k + 1;
        loop {
            asked = asked.saturating_mul(WIDENING).min(self.len);
            let found = self.ask(query, asked)?.pop().unwrap_or_default();
            if !self.cuts_a_tie(&found, k) {
                return Ok(found);
            }
        }
    }

    /// One call to FAISS. `queries` holds whole rows, fewer than 20; `asked` is 1 to `len`.
    fn ask(&self, queries: &[f32], asked: usize) -> Result<Vec<Vec<RowDistance>>> {
        let found = self.inner.search(queries, asked).map_err(faiss_error("search"))?;
        let pairs = found.labels.iter().zip(&found.distances);
        let neighbors = pairs
            .map(|(label, &distance_squared)| {
                let row = label.get().and_then(|row| usize::try_from(row).ok());
                let row = row.filter(|&row| row < self.len).ok_or_else(|| Error::Faiss {
                    action: "search",
                    source: format!("expected a row below {}, found {label:?}", self.len).into(),
                })?;
                Ok(RowDistance { row, distance_squared })
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(neighbors
            .chunks(asked)
            .map(|nearest| {
                let mut nearest = nearest.to_vec();
                sort(&mut nearest);
                nearest
            })
            .collect())
    }
}

impl fmt::Debug for FlatIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlatIndex")
            .field("dimension", &self.dimension)
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}

/// Refuses a search for no neighbor, and queries of another width.
pub(crate) fn check_question(
    queries: ArrayView2<'_, f32>,
    k: usize,
    expected: usize,
) -> Result<()> {
    match (k, queries.ncols()) {
        (0, _) => Err(Error::ZeroNeighbors),
        (_, found) if found != expected => {
            Err(Error::DimensionMismatch { what: "queries", expected, found })
        }
        _ => Ok(()),
    }
}

/// In the order of every answer.
fn sort(found: &mut [RowDistance]) {
    found.sort_by(|a, b| a.distance_squared.total_cmp(&b.distance_squared).then(a.row.cmp(&b.row)));
}

fn faiss_error(action: &'static str) -> impl FnOnce(faiss::error::Error) -> Error {
    move |source| Error::Faiss { action, source: Box::new(source) }
}

unsafe extern "C" {
    /// From `OpenMP`'s run-time library, which FAISS links.
    fn omp_set_num_threads(num_threads: c_int);
}

/// Sets how many threads a search **called from this thread** may use, for the rest of its life.
///
/// FAISS gives each query of a batch to one `OpenMP` thread, and by default starts as many as there
/// are cores, for every thread that searches. A server with its own worker threads calls
/// `limit_threads(1)` in each of them, or W workers on C cores would run W x C threads. A single
/// query runs on one thread either way. 0 counts as 1.
///
/// Do not search in a process made by `fork` without `exec`: `OpenMP`'s threads do not exist there
/// and the search can hang.
pub fn limit_threads(n: usize) {
    let n = c_int::try_from(n.max(1)).unwrap_or(c_int::MAX);
    // SAFETY: the OpenMP specification lets any thread call this at any time with a positive
    // number; it takes no pointer and changes a variable of the calling thread only.
    unsafe { omp_set_num_threads(n) }
}

#[cfg(test)]
mod tests;

//! Rows in memory: as a store searches them, and before they are in its order.

use std::ops::Range;
use std::sync::Arc;

use ndarray::{Array2, ArrayView1, ArrayView2, Axis, concatenate, s};

use crate::error::{Error, Result};
use crate::flat::FlatIndex;
use crate::limits::MAX_DIMENSION;
use crate::normalize::{Normalization, check_rows, norm, scale_down};
use crate::record::{Record, check_records, label_order};

/// Rows as they are searched: those of a label stand together, and are one index.
#[derive(Debug)]
pub(crate) struct Rows {
    pub(crate) groups: Vec<Group>,
    pub(crate) ids: Vec<Arc<str>>,
    /// One a row with normalization l2, else empty.
    pub(crate) norms: Vec<f64>,
}

/// The rows of one label.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) label: Option<Arc<str>>,
    /// The store's row that is this index's row 0.
    pub(crate) first_row: usize,
    pub(crate) index: FlatIndex,
}

impl Rows {
    /// Rows in the order of a store; `index` makes the index of each label's, one after the other.
    pub(crate) fn new(
        records: &[Record],
        norms: Vec<f64>,
        mut index: impl FnMut(Range<usize>) -> Result<FlatIndex>,
    ) -> Result<Self> {
        let (mut groups, mut first_row) = (Vec::new(), 0);
        for run in records.chunk_by(|a, b| a.label == b.label) {
            let rows = first_row..first_row + run.len();
            let label = run[0].label.as_deref().map(Arc::from);
            groups.push(Group { label, first_row, index: index(rows.clone())? });
            first_row = rows.end;
        }
        let ids = records.iter().map(|record| Arc::from(record.id.as_str())).collect();
        Ok(Self { groups, ids, norms })
    }

    /// A value of each row as it is stored.
    pub(crate) fn of_each<T>(&self, value: impl Fn(ArrayView1<'_, f32>) -> T) -> Vec<T> {
        let mut values = Vec::with_capacity(self.ids.len());
        for group in &self.groups {
            values.extend(group.index.rows().outer_iter().map(&value));
        }
        values
    }
}

impl Group {
    /// Its rows among those of the store.
    pub(crate) fn rows(&self) -> Range<usize> {
        self.first_row..self.first_row + self.index.len()
    }
}

/// Rows that are to become a store's, in any order; divided by their norms already where it normalizes.
#[derive(Debug)]
pub(crate) struct UnorderedRows {
    pub(crate) embeddings: Array2<f32>,
    /// One a row with normalization l2, else empty.
    pub(crate) norms: Vec<f64>,
    pub(crate) records: Vec<Record>,
}

impl UnorderedRows {
    /// `embeddings` as a model made them.
    pub(crate) fn of_raw(
        normalization: Normalization,
        embeddings: ArrayView2<'_, f32>,
        records: &[Record],
    ) -> Result<Self> {
        if records.len() != embeddings.nrows() {
            return Err(Error::contents(format!(
                "expected one record for each of {} embeddings, found {}",
                embeddings.nrows(),
                records.len()
            )));
        }
        check_rows("rows", embeddings)?;
        let mut rows = Self {
            embeddings: embeddings.as_standard_layout().into_owned(),
            norms: Vec::new(),
            records: records.to_vec(),
        };
        if normalization == Normalization::L2 {
            for (mut stored, given) in rows.embeddings.outer_iter_mut().zip(embeddings.outer_iter())
            {
                let norm = norm(given);
                let mut values = stored.iter_mut();
                scale_down(given, norm, |x| values.next().map_or((), |value| *value = x));
                rows.norms.push(norm);
            }
        }
        Ok(rows)
    }

    /// These rows and `others` behind them.
    pub(crate) fn followed_by(self, others: Self) -> Result<Self> {
        let embeddings = concatenate(Axis(0), &[self.embeddings.view(), others.embeddings.view()])
            .map_err(|_| Error::DimensionMismatch {
                what: "rows",
                expected: self.embeddings.ncols(),
                found: others.embeddings.ncols(),
            })?;
        Ok(Self {
            embeddings,
            norms: [self.norms, others.norms].concat(),
            records: [self.records, others.records].concat(),
        })
    }

    /// Checks what concerns all rows together, brings them into the order of a store and makes an index a label.
    pub(crate) fn in_order(self) -> Result<Rows> {
        let (count, dimension) = self.embeddings.dim();
        if dimension == 0 || dimension > MAX_DIMENSION {
            return Err(Error::DimensionOutOfRange { found: dimension });
        }
        if count == 0 {
            return Err(Error::contents("expected at least one embedding, found none"));
        }
        check_records(&self.records)
            .map_err(|(row, reason)| Error::contents(format!("record {row}: {reason}")))?;
        let order = label_order(&self.records);
        let records: Vec<Record> = order.iter().map(|&row| self.records[row].clone()).collect();
        let norms = order.iter().filter_map(|&row| self.norms.get(row).copied()).collect();
        let embeddings = self.embeddings.select(Axis(0), &order);
        Rows::new(&records, norms, |rows| FlatIndex::from_rows(embeddings.slice(s![rows, ..])))
    }
}

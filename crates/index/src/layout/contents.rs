//! What a store is made from, and rows as they are stored.

use std::collections::BTreeMap;
use std::sync::Arc;

use ndarray::{Array2, ArrayView2, Axis, concatenate, s};

use super::group::Group;
use super::manifest::ModelIdentity;
use super::names;
use crate::error::{Error, Result};
use crate::flat::FlatIndex;
use crate::limits::{MAX_ATTACHMENT_BYTES, MAX_ATTACHMENTS, MAX_DIMENSION};
use crate::normalize::{Normalization, check_rows, norm, scale_down};
use crate::record::{Record, check_records, label_order};

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

/// Rows as a store keeps them: divided by their norms where it normalizes, in their order.
#[derive(Debug)]
pub(crate) struct StoredRows {
    embeddings: Array2<f32>,
    /// One a row with normalization l2, else empty.
    norms: Vec<f64>,
    records: Vec<Record>,
}

/// Rows as they are searched.
pub(crate) struct GroupedRows {
    pub(crate) groups: Vec<Group>,
    pub(crate) ids: Vec<Arc<str>>,
    pub(crate) norms: Vec<f64>,
}

impl StoredRows {
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

    /// Rows that are stored already, as they are.
    pub(crate) fn of_stored(
        embeddings: Array2<f32>,
        norms: Vec<f64>,
        records: Vec<Record>,
    ) -> Self {
        Self { embeddings, norms, records }
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

    pub(crate) fn dim(&self) -> (usize, usize) {
        self.embeddings.dim()
    }

    /// Checks what concerns all rows together, brings them into their order and makes an index a label.
    pub(crate) fn grouped(self) -> Result<GroupedRows> {
        let (count, dimension) = self.dim();
        if dimension == 0 || dimension > MAX_DIMENSION {
            return Err(Error::DimensionOutOfRange { found: dimension });
        }
        if count == 0 {
            return Err(Error::contents("expected at least one embedding, found none"));
        }
        check_records(&self.records)?;
        let order = label_order(&self.records);
        let norms = if self.norms.is_empty() {
            Vec::new()
        } else {
            order.iter().map(|&row| self.norms[row]).collect()
        };
        let embeddings = self.embeddings.select(Axis(0), &order);
        let records: Vec<&Record> = order.iter().map(|&row| &self.records[row]).collect();
        let (mut groups, mut first_row) = (Vec::new(), 0);
        for run in records.chunk_by(|a, b| a.label == b.label) {
            let rows = embeddings.slice(s![first_row..first_row + run.len(), ..]);
            let label = run[0].label.as_deref().map(Arc::from);
            groups.push(Group { label, first_row, index: FlatIndex::from_rows(rows)? });
            first_row += run.len();
        }
        let ids = records.iter().map(|record| Arc::from(record.id.as_str())).collect();
        Ok(GroupedRows { groups, ids, norms })
    }
}

/// Says what is wrong with a store's attachments, if anything.
pub(crate) fn check_attachments(attachments: &BTreeMap<String, Vec<u8>>) -> Result<()> {
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

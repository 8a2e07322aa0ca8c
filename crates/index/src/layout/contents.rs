//! What a store is made of.

use std::collections::BTreeMap;

use ndarray::Array2;

use super::manifest::ModelIdentity;
use super::names;
use crate::error::{Error, Result};
use crate::limits::{MAX_ATTACHMENT_BYTES, MAX_ATTACHMENTS};
use crate::normalize::Normalization;
use crate::record::Record;

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

//! Rows of one class, which stand together.

use std::sync::Arc;

use crate::flat::FlatIndex;

/// The rows of one label, as one index.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) label: Option<Arc<str>>,
    /// The store's row that is this index's row 0.
    pub(crate) first_row: usize,
    pub(crate) index: FlatIndex,
}

//! The reference store of the defect classifier: embeddings of known images with their ids and
//! labels, and exact nearest neighbors among them.
//!
//! ```
//! use std::collections::BTreeMap;
//!
//! use ndarray::array;
//! use sdd_index::{FileStore, Filter, Normalization, Record, StoreContents};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let dir = folder.path().join("reference");
//! let record = |id: &str, label: &str| Record { id: id.into(), label: Some(label.into()) };
//! let contents = StoreContents {
//!     model: None,
//!     normalization: Normalization::L2,
//!     embeddings: array![[3.0, 4.0], [0.0, 2.0], [1.0, 0.0]],
//!     records: vec![record("a.bmp", "scratch"), record("b.bmp", "scratch"), record("c.bmp", "pit")],
//!     attachments: BTreeMap::new(),
//! };
//! FileStore::write(&dir, &contents)?;
//!
//! let store = FileStore::open(&dir)?;
//! // Queries are divided by their norm, as the rows were.
//! let nearest = store.search(array![[30.0, 40.0]].view(), 2, Filter::All)?;
//! assert_eq!(&*nearest[0][0].id, "a.bmp");
//! assert_eq!(nearest[0][0].distance_squared, 0.0);
//!
//! let pits = store.search(array![[30.0, 40.0]].view(), 2, Filter::Label("pit"))?;
//! assert_eq!(pits[0].len(), 1);
//! # Ok(())
//! # }
//! ```
//!
//! [`FlatIndex`] is the search itself, over plain rows in memory. [`FileStore`] keeps rows, ids,
//! labels and checksums in a folder that is replaced as a whole, and may keep what it replaces;
//! a [`Verification`] sums one up. A [`RowEdit`] makes another store of one, with the rows that stay as they are.
//!
//! Programs call [`check_cpu`] first in `main`, and [`limit_threads`] in threads that search.

#![allow(
    clippy::needless_pass_by_value,
    reason = "an ndarray view is a reference already, and is passed by value as one"
)]

mod cpu;
mod edit;
mod error;
mod file_store;
mod flat;
mod layout;
mod limits;
mod normalize;
mod record;
mod rows;
mod verify;

pub use cpu::check_cpu;
pub use edit::RowEdit;
pub use error::{Error, Result, WayBack};
pub use file_store::{FileStore, Filter, LabelCount, Neighbor};
pub use flat::{FlatIndex, RowDistance, limit_threads};
pub use layout::{
    Change, FileEntry, Generation, Manifest, Metric, ModelIdentity, Replaces, StoreContents,
    WriteOptions,
};
pub use limits::MAX_DIMENSION;
pub use normalize::{Normalization, RowKey};
pub use record::{MAX_ID_BYTES, MAX_LABEL_BYTES, Record};
pub use verify::Verification;

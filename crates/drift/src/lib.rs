//! Is this image like the ones the model was trained on?
//!
//! A [`Reference`] holds the embeddings of known images. It gives a new embedding a score (how far
//! it is from them, [`score`]), a p-value (how rare such a score is among held-out images that are
//! known to be fine, [`sdd_stats::conformal`]) and the nearest known images.
//!
//! ```
//! use std::collections::BTreeMap;
//!
//! use ndarray::array;
//! use sdd_drift::calibration::{CALIBRATION_ATTACHMENT, CalibrationEntry, CalibrationSource};
//! use sdd_drift::{Calibration, Query, Reference, Score, ScoreMethod};
//! use sdd_index::{FileStore, Normalization, Record, StoreContents};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let dir = folder.path().join("reference");
//! // 19 held-out images, the smallest number that can raise an alarm at 5 %, scored 0.01 … 0.19.
//! let score = Score::new(ScoreMethod::Knn, 1)?;
//! let held_out = (1..=19).map(|i| CalibrationEntry {
//!     score: f64::from(i) / 100.0,
//!     predicted_class: Some("good".into()),
//!     ..CalibrationEntry::default()
//! });
//! let calibration =
//!     Calibration::new(score, 0.05, held_out.collect(), None, CalibrationSource::Embeddings)?;
//!
//! // The images that they were scored against, with the calibration beside them.
//! let record = |id: &str| Record { id: id.into(), label: Some("good".into()) };
//! let contents = StoreContents {
//!     model: None,
//!     normalization: Normalization::L2,
//!     embeddings: array![[1.0, 0.0], [2.0, 0.0], [0.6, 0.8]],
//!     records: vec![record("a.png"), record("b.png"), record("c.png")],
//!     attachments: BTreeMap::from([(CALIBRATION_ATTACHMENT.into(), calibration.to_json())]),
//! };
//! FileStore::write(&dir, &contents)?;
//!
//! // A direction that no known image has.
//! let query = Query::new(&[0.0, 5.0]).of_class("good");
//! let assessment = Reference::open(&dir)?.assess(&query, 2)?;
//! assert!((assessment.score - 0.4_f64.sqrt()).abs() < 1e-6);
//! assert_eq!(assessment.p_value, Some(1.0 / 20.0));
//! assert_eq!(assessment.out_of_distribution, Some(true));
//! assert_eq!(&*assessment.neighbors[0].id, "c.png");
//! # Ok(())
//! # }
//! ```
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`score`] | the scores by name |
//! | [`query`] | what is asked: an embedding, and what else the model said |
//! | [`properties`] | what a picture is like, whatever it shows |
//! | [`mean_l1`] | the mean L1 distance to all rows in O(D log N) |
//! | [`mahalanobis`] | the relative Mahalanobis distance to the classes |
//! | [`verdict`] | what a calibration says of a score, or why it says nothing |
//! | [`calibration`] | what a store remembers of its calibration images |
//! | [`grouping`] | which images belong together, by their names |
//! | [`leave_one_group_out`] | the reference's own images, each scored among those of other groups |
//! | [`calibration_images`] | the held-out images themselves: embeddings, predicted classes, probabilities |
//! | [`status`] | stable, drifting, or too few images to say |
//! | [`batch`] | whether a batch of new images is like the held-out ones, in appearance and in mix of classes |
//! | [`reference`](mod@reference) | all of it together, for one embedding at a time |

// Where a test compares floats exactly, it means exactly.
#![cfg_attr(test, allow(clippy::float_cmp))]

pub mod batch;
pub mod calibration;
pub mod calibration_images;
mod document;
pub mod error;
mod fitted;
pub mod grouping;
pub mod leave_one_group_out;
mod leave_one_out;
pub mod mahalanobis;
pub mod mean_l1;
pub mod npy;
pub mod properties;
pub mod query;
pub mod reference;
pub mod score;
pub mod status;
pub mod verdict;

pub use calibration::Calibration;
pub use calibration_images::CalibrationImages;
pub use error::{Error, Result};
pub use grouping::{GroupBy, Grouping};
pub use properties::Properties;
pub use query::Query;
pub use reference::{Assessment, NearestImage, Reference};
pub use score::{Score, ScoreMethod};
pub use sdd_stats::conformal::{DEFAULT_DELTA, PValueKind, PValueWithin, VerdictRule};
pub use status::Status;
pub use verdict::{Unavailable, Verdict};

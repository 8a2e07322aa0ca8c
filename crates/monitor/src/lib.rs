//! The monitor: drift over time, in every prediction that a server makes.
//!
//! Nothing here reads a clock or a file. A [`Monitor`] holds what is tested, and at which levels: it follows from
//! the user's [`MonitorSettings`] and the reference's calibration ([`Baseline`]). A [`MonitorState`] is what it
//! remembers of one stream of images, a few kB that can be stored after any image; a [`MonitorReport`] is what can
//! be said of it. A [`MonitorStore`] keeps states and observations.
//!
//! ```
//! use sdd_monitor::{Baseline, CalibratedRate, Monitor, MonitorSettings, Observation, Status};
//!
//! # fn main() -> Result<(), sdd_monitor::Error> {
//! // 360 calibration images, 18 of them above the threshold of 5 %; a third of them predicted as defects.
//! let baseline = Baseline::new(0.05, vec![CalibratedRate { images: 360, above: 17 }])
//!     .with_class_mix([("defect".into(), 120), ("good".into(), 240)]);
//! let monitor = Monitor::new(MonitorSettings::default(), Some(baseline))?;
//! let mut state = monitor.start(0);
//! for image in 0..200_i64 {
//!     state.observe(&monitor, &Observation {
//!         time_ms: 1000 * image,
//!         predicted_class: "good".into(),
//!         out_of_distribution: Some(true),
//!         ..Observation::default()
//!     })?;
//! }
//! let report = monitor.report(&state)?;
//! assert_eq!(report.verdict, Status::Drifting);
//! assert!(report.retrain_recommended);
//! # Ok(())
//! # }
//! ```
//!
//! # What raises an alarm
//!
//! | test | asks | promises | stays |
//! | --- | --- | --- | --- |
//! | `e_process` | are more images out of distribution than the calibration or the tolerated share explains? | a false alarm, ever in an epoch, with probability δ at most | until a new epoch |
//! | `cusum` | the same, as soon as possible | the stated images between false alarms, at least, for 95 % of calibrations | until a new epoch |
//! | `window` | was the last full window unusual? | its size for each window; windows do not overlap | until the next window |
//! | `class_mix` | is the mix of predicted classes that of the calibration images? | the same | until the next window |
//!
//! The first three are tests of appearance. An epoch begins with the first image, by [`MonitorState::reset`], and
//! whenever a setting or the calibration changes what is tested. Of several servers that share a store it is the one
//! that declared its settings last ([`MonitorStore::declare`]) that decides; the others go on with these
//! ([`Monitor::in_force`]).

// Where a test compares floats exactly, it means exactly.
#![cfg_attr(test, allow(clippy::float_cmp))]

mod baseline;
mod class_mix;
mod error;
mod history;
mod judge;
mod location;
mod notice;
mod observation;
mod pair;
mod plan;
#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod record;
mod recorded;
mod report;
mod report_text;
mod ring;
mod settings;
mod soundness;
#[cfg(feature = "sqlite")]
pub mod sqlite;
mod state;
mod store;
mod strangest;
mod terms;

pub use baseline::{Baseline, CalibratedRate};
pub use error::{Error, Result};
pub use history::{Course, Stretch};
pub use location::Location;
pub use notice::{Notice, Turn};
pub use observation::{Observation, ObservedNeighbor};
pub use pair::PairId;
pub use plan::{InForce, Monitor, Tests};
#[cfg(feature = "postgres")]
pub use postgres::{PostgresAddress, PostgresMonitorStore};
pub use recorded::Recorded;
pub use report::{
    ClassMixReport, ClassReport, CusumReport, EProcessReport, EpochReport, MixStatus,
    MonitorReport, Reason, ShareReport, TestName, WindowReport, WindowTestReport,
};
pub use settings::{ClassMixRule, MonitorSettings};
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteMonitorStore;
pub use state::{MonitorState, Step};
pub use store::{
    Delivery, MonitorStore, Page, PairSummary, SeriesPoint, StoredObservation, Tidied,
};

pub use terms::{Alarm, EpochStart};

pub use sdd_drift::Status;

#[cfg(all(test, feature = "postgres", feature = "sqlite"))]
mod laws;
#[cfg(test)]
mod tests;

//! The monitor: drift over time, in every prediction that a server makes.
//!
//! Nothing here reads a clock or a file. A [`Monitor`] holds what is tested: it follows from the user's
//! [`MonitorSettings`] and the reference's calibration ([`Baseline`]). A [`MonitorState`] is what it remembers, some
//! 20 kB and as much for each stream, of which an image changes a small part ([`StoredState`]); a [`MonitorReport`] is
//! what can be said of it. A [`MonitorStore`] keeps states and observations.
//!
//! ```
//! use sdd_monitor::{Baseline, CalibratedImage, Monitor, MonitorSettings, Observation, Status};
//!
//! # fn main() -> Result<(), sdd_monitor::Error> {
//! // 40 parts of the calibration, of which there are 4 images each.
//! let image = |i: u32| CalibratedImage {
//!     group: Some(format!("part {}", i / 4)),
//!     class: "good".into(),
//!     score: f64::from(i * 37 % 100) / 100.0,
//!     properties: None,
//! };
//! let baseline = Baseline::new(0.05, (0..160).map(image).collect());
//! let monitor = Monitor::new(MonitorSettings::default(), Some(baseline))?;
//! let mut state = monitor.start(0);
//! for i in 0..200_i64 {
//!     state.observe(&monitor, &Observation {
//!         time_ms: 1000 * i,
//!         predicted_class: "good".into(),
//!         group: Some(format!("new {}", i / 4)),
//!         score: 2.0 + i as f64 / 100.0,
//!         out_of_distribution: Some(true),
//!         ..Observation::default()
//!     })?;
//! }
//! let report = monitor.report(&state)?;
//! assert_eq!(report.verdict, Status::Drifting);
//! # Ok(())
//! # }
//! ```
//!
//! # What raises an alarm
//!
//! What is exchangeable as long as nothing has changed is the group: a part, a tray, a shift. Its images are alike, and
//! count as one. When a group is complete ([`Observation::group`], or blocks of images in their order), the mean score of
//! its images, the means of the properties of its pictures, and the shares of the classes where a mix is expected are each
//! ranked among those of the calibration and of all groups before: conformal test martingales
//! ([`sdd_stats::sequential`]), two-sided. Their Shiryaev–Roberts statistics, each by its weight, make **one number**, R,
//! that alarms at the run length which the user states: as long as nothing has changed, that many groups lie between two
//! alarms on average at least, whatever happens within groups. The alarm stays until a new epoch. Where images come with
//! the name of a stream, a camera or a line, each has such a number of its own, and the verdict on all is by half of the
//! one over all groups and half of the streams' sum, which promises the same.
//!
//! That the same picture comes 20 times in a row is a fact and no test: it is a reason as long as it lasts. Windows and
//! intervals explain, and raise no alarm.
//!
//! An epoch begins with the first image, by [`MonitorState::reset`], and whenever a setting changes what is tested. Of
//! several servers that share a store it is the one that declared its settings last ([`MonitorStore::declare`]) that
//! decides; the others go on with these ([`Monitor::in_force`]).

// Where a test compares floats exactly, it means exactly.
#![cfg_attr(test, allow(clippy::float_cmp))]

mod accuracy;
mod baseline;
mod error;
mod group_tests;
mod history;
mod judge;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod location;
mod notice;
mod observation;
mod pair;
mod part;
mod plan;
#[cfg(feature = "postgres")]
pub mod postgres;
mod rank_test;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod record;
mod recorded;
mod report;
mod report_text;
mod ring;
mod sample;
mod settings;
mod soundness;
#[cfg(feature = "sqlite")]
pub mod sqlite;
mod state;
mod store;
mod stored;
mod strangest;
mod stream;
mod terms;
mod totals;

pub use baseline::{Baseline, CalibratedImage, Scale};
pub use error::{Error, Result};
pub use history::{Course, Stretch};
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub use location::Location;
pub use notice::{Notice, Turn};
pub use observation::{Observation, ObservedNeighbor};
pub use pair::PairId;
pub use plan::Monitor;
#[cfg(feature = "postgres")]
pub use postgres::{PostgresAddress, PostgresMonitorStore};
pub use recorded::Recorded;
pub use report::{
    Advice, ClassReport, EpochReport, EstimateReport, EvidenceReport, ExpectedAccuracyReport,
    GroupReport, MonitorReport, NoEstimate, PropertyReport, Reason, ShareReport, StreamReport,
    TestReport, UnitReport, WindowReport,
};
pub use settings::{ExpectedMix, MonitorSettings};
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteMonitorStore;
pub use state::{MonitorState, Step};
pub use store::{
    Delivery, MonitorStore, Page, PairSummary, SeriesPoint, StoredObservation, Tidied,
};
pub use stored::StoredState;

pub use terms::{Alarm, EpochStart, TestName};

pub use sdd_drift::Status;
pub use sdd_stats::interval::Interval;

#[cfg(all(test, feature = "postgres", feature = "sqlite"))]
mod laws;
#[cfg(test)]
mod tests;

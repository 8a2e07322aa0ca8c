//! Where answers are recorded, for how long, and who is told of a verdict.

use std::time::Duration;

use sdd_monitor::Location;

use crate::recording::notifier::Notifier;

/// Where answers are recorded, for how long, and who is told of a verdict.
pub struct RecordingOptions {
    /// The file, or the database.
    pub location: Location,
    /// Observations that are kept of each pair of model and reference.
    pub keep: u64,
    /// Time after which a pair is forgotten that nobody has served and that had no observation, in days on which others
    /// were served.
    pub keep_pairs: Duration,
    /// Who is told when the verdict changes.
    pub notifier: Option<Notifier>,
}

impl RecordingOptions {
    /// In this place: 100,000 observations of each pair, pairs for 90 days, and nobody is told.
    pub fn new(location: Location) -> Self {
        Self { location, keep: 100_000, keep_pairs: Duration::from_hours(90 * 24), notifier: None }
    }
}

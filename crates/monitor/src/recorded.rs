//! All that a report is made of, read at once.

use crate::error::Result;
use crate::history::Stretch;
use crate::pair::PairId;
use crate::plan::Monitor;
use crate::report::MonitorReport;
use crate::store::{MonitorStore, SeriesPoint, StoredObservation};

/// What a store has of a pair.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// The model and the reference that images were judged by.
    pub pair: PairId,
    /// Verdict, reasons and numbers.
    pub drift: MonitorReport,
    /// The last images of the epoch, [`Stretch::MOST_IMAGES`] at most, oldest first.
    pub images: Vec<SeriesPoint>,
    /// The strangest of the window, strangest first.
    pub strangest: Vec<StoredObservation>,
}

impl Recorded {
    /// Reads what `store` has of `pair`. What is tested is what the store's state says, else `monitor`.
    ///
    /// # Errors
    ///
    /// What the store reports.
    pub fn read(store: &mut dyn MonitorStore, pair: &PairId, monitor: &Monitor) -> Result<Self> {
        let mut state = store.state(pair, monitor)?;
        // As it was stated last, by whichever server.
        let monitor = monitor.in_force(&state)?;
        // What was seen under other settings is of an epoch that is over.
        state.renew(&monitor);
        Ok(Self {
            pair: pair.clone(),
            drift: monitor.report(&state)?,
            images: store.series(pair, state.began_after(), Stretch::MOST_IMAGES)?,
            strangest: store.by_sequence(pair, &state.strangest())?,
        })
    }
}

//! Where states and observations are kept.

use serde::Serialize;

use sdd_drift::Properties;

use crate::error::Result;
use crate::notice::Notice;
use crate::observation::Observation;
use crate::pair::PairId;
use crate::plan::Monitor;
use crate::state::MonitorState;

/// An observation as it was stored.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StoredObservation {
    /// Its number among all observations of the pair, from 1.
    pub sequence: u64,
    /// The epoch that it belongs to.
    pub epoch: u64,
    /// R, the evidence of drift after it; none where nothing is tested, or was stored before this was.
    pub evidence: Option<f64>,
    /// What was observed.
    #[serde(flatten)]
    pub observation: Observation,
}

/// An observation without what tells which image it was: what curves are drawn of.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SeriesPoint {
    /// Its number among all observations of the pair, from 1.
    pub sequence: u64,
    /// When the prediction was made: milliseconds since 1970 (UTC).
    pub time_ms: i64,
    /// The class that the model decided for.
    pub predicted_class: String,
    /// The drift score; larger is stranger.
    pub score: f64,
    /// Its p-value in (0, 1]; none where it could not be judged.
    pub p_value: Option<f64>,
    /// Whether the image is out of distribution; none where it could not be judged.
    pub out_of_distribution: Option<bool>,
    /// R, the evidence of drift after it, as in [`StoredObservation`].
    pub evidence: Option<f64>,
    /// What the picture is like, where that was looked at.
    pub properties: Option<Properties>,
}

/// What a store has of a pair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PairSummary {
    /// Which.
    pub pair: PairId,
    /// Images ever: the number of the last observation.
    pub images: u64,
    /// When the last prediction was made: milliseconds since 1970 (UTC); none before the first.
    pub last_ms: Option<i64>,
}

/// Which observations are asked for, latest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Only those with a smaller number; none: from the latest on.
    pub before: Option<u64>,
    /// How many at most.
    pub limit: usize,
}

/// Whose a batch is, so that one that is handed in twice, because nobody knows whether the first attempt was the end
/// of it, counts once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivery<'a> {
    /// A name that no other process has, not even the next one of the same program.
    pub writer: &'a str,
    /// Grows with each batch that the writer hands in for a pair.
    pub number: u64,
}

/// What [`MonitorStore::tidy`] did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tidied {
    /// The pair that is gone now.
    pub removed: Option<PairId>,
    /// Whether there is more to do.
    pub more: bool,
}

/// Keeps a state and the observations behind it for each pair of model and reference.
///
/// What a call has returned survives the end of the process, however it ends. Several processes may share one store:
/// each change of a state happens in a transaction that locks the pair's state, so that all of them see one stream.
pub trait MonitorStore: Send {
    /// For who has written and will not again: what is kept beside the store's file goes into it, unless somebody else
    /// is at work there just then.
    fn finish(&mut self) {}

    /// The state of a pair; the one before the first image where there is none yet.
    ///
    /// # Errors
    ///
    /// What the store reports; a stored state that cannot be read.
    fn state(&mut self, pair: &PairId, monitor: &Monitor) -> Result<MonitorState>;

    /// Declares that a pair is served from now on, and what is tested: that of all who share the store, until another
    /// one declares. An epoch begins where that is something else.
    ///
    /// # Errors
    ///
    /// As [`MonitorStore::state`].
    fn declare(&mut self, pair: &PairId, monitor: &Monitor, now_ms: i64) -> Result<MonitorState>;

    /// Observes a batch, in its order, by the settings that were declared last, see [`Monitor::in_force`]: state and
    /// observations are stored together or not at all. A delivery that was stored before changes nothing. Gives the
    /// state after it.
    ///
    /// # Errors
    ///
    /// As [`MonitorStore::state`].
    fn deliver(
        &mut self,
        pair: &PairId,
        monitor: &Monitor,
        delivery: Option<Delivery<'_>>,
        batch: &[Observation],
    ) -> Result<MonitorState>;

    /// The same for a batch that is not handed in twice.
    ///
    /// # Errors
    ///
    /// As [`MonitorStore::state`].
    fn apply(
        &mut self,
        pair: &PairId,
        monitor: &Monitor,
        batch: &[Observation],
    ) -> Result<MonitorState> {
        self.deliver(pair, monitor, None, batch)
    }

    /// Begins an epoch, see [`MonitorState::reset`]. Observations stay.
    ///
    /// # Errors
    ///
    /// As [`MonitorStore::state`].
    fn reset(&mut self, pair: &PairId, monitor: &Monitor, now_ms: i64) -> Result<MonitorState>;

    /// Observations of a pair by descending number.
    ///
    /// # Errors
    ///
    /// What the store reports.
    fn observations(&mut self, pair: &PairId, page: Page) -> Result<Vec<StoredObservation>>;

    /// The observations with these numbers, in their order; those that are no longer kept are left out.
    ///
    /// # Errors
    ///
    /// What the store reports.
    fn by_sequence(&mut self, pair: &PairId, sequences: &[u64]) -> Result<Vec<StoredObservation>>;

    /// The last `limit` observations that are kept of those numbered beyond `after`, in their order: with
    /// [`MonitorState::began_after`] those of the epoch.
    ///
    /// # Errors
    ///
    /// What the store reports.
    fn series(&mut self, pair: &PairId, after: u64, limit: usize) -> Result<Vec<SeriesPoint>>;

    /// All pairs that the store knows of, the one with the latest prediction first.
    ///
    /// # Errors
    ///
    /// What the store reports.
    fn pairs(&mut self) -> Result<Vec<PairSummary>>;

    /// What other programs were told of a pair.
    ///
    /// # Errors
    ///
    /// What the store reports.
    fn notice(&mut self, pair: &PairId) -> Result<Notice>;

    /// Changes that in a transaction. The change may be asked for more than once, the last time counts.
    ///
    /// # Errors
    ///
    /// What the store reports.
    fn change_notice(&mut self, pair: &PairId, change: &mut dyn FnMut(&mut Notice)) -> Result<()>;

    /// Notes that `current` is served today and the other pairs are not, and removes some of what is kept of one pair
    /// that was not served and had no image on more than `keep_days` days of these: the pair itself once nothing is left
    /// of it. Days count on which this is called, whatever lies between them. One short transaction; to be called again
    /// while there is more.
    ///
    /// # Errors
    ///
    /// What the store reports.
    fn tidy(&mut self, current: &PairId, now_ms: i64, keep_days: u64) -> Result<Tidied>;
}

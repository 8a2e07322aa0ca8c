//! What a store keeps of a pair in one row, and how it changes: the same whatever database the row is in.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use sdd_drift::Properties;

use crate::error::{Error, Result};
use crate::notice::Notice;
use crate::observation::{Observation, ObservedNeighbor};
use crate::plan::Monitor;
use crate::state::{MonitorState, Step};
use crate::store::Delivery;

/// Writers that are remembered at most, those that came last, by no clock: a server that dies and is restarted over and
/// over is a new one each time.
const WRITERS: usize = 100;

/// A day in milliseconds.
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// A pair's row, all of it as text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct PairRecord {
    /// As [`MonitorState::to_json`]; empty before the first image and the first declaration.
    pub state: String,
    /// What other programs were told, a [`Notice`]; empty where that is nothing.
    pub notice: String,
    /// The last delivery of each writer, [`Writers`]; empty before the first.
    pub writers: String,
    /// When the pair was last served or had an image: milliseconds since 1970 (UTC).
    pub seen_ms: i64,
    /// Days since then on which others were served, [`UnseenDays`]; empty before the first.
    pub unseen_days: String,
}

/// The days on which a memory was in use and one of its pairs was not.
///
/// A pair is forgotten for the number of these days, and not for the time that a clock says has passed: a clock that is
/// 200 days ahead for once adds one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UnseenDays(BTreeSet<i64>);

impl UnseenDays {
    /// Of what is stored; what is no day there is none.
    pub fn of(text: &str) -> Self {
        Self(text.split(' ').filter_map(|day| day.parse().ok()).collect())
    }

    /// With the day of a moment; the text to be stored where that is a new one.
    pub fn add(&mut self, now_ms: i64) -> Option<String> {
        let is_new = self.0.insert(now_ms.div_euclid(DAY_MS));
        let text = || self.0.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        is_new.then(text)
    }

    /// Whether they are more than a pair is kept for. The last one does not count: it is not over, and the pair may have
    /// been served on it already, by another server a moment ago or by this one before a reload.
    pub fn are_more_than(&self, keep_days: u64) -> bool {
        self.0.len() as u64 > keep_days
    }
}

/// What a delivery did.
pub(super) struct Delivered<'a> {
    pub state: MonitorState,
    /// To be stored; empty where the delivery had been there before.
    pub rows: Vec<(Step, &'a Observation)>,
    /// The last observation that need no longer be kept.
    pub last_removable: u64,
}

/// The last delivery of each writer, and its place among the deliveries of all.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Writers(BTreeMap<String, (u64, i64)>);

/// Integers of databases have a sign; counts stay far below where it matters.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// Neighbors as the text that is stored of them: `[["a.png","good",0.25]]`.
pub(super) fn neighbors_to_text(neighbors: &[ObservedNeighbor]) -> serde_json::Result<String> {
    let neighbors: Vec<_> =
        neighbors.iter().map(|near| (&near.id, &near.label, near.distance)).collect();
    serde_json::to_string(&neighbors)
}

/// The reverse of [`neighbors_to_text`].
pub(super) fn neighbors_of_text(text: &str) -> serde_json::Result<Vec<ObservedNeighbor>> {
    let neighbors: Vec<(String, Option<String>, f64)> = serde_json::from_str(text)?;
    let neighbor = |(id, label, distance)| ObservedNeighbor { id, label, distance };
    Ok(neighbors.into_iter().map(neighbor).collect())
}

/// Properties as the text that is stored of them: `[182.5,40.25,3.5,1.125,0.0]`.
pub(super) fn properties_to_text(
    properties: Option<Properties>,
) -> serde_json::Result<Option<String>> {
    let values = properties.map(|properties| {
        let Properties { brightness, contrast, sharpness, noise, saturated } = properties;
        [brightness, contrast, sharpness, noise, saturated]
    });
    values.map(|values| serde_json::to_string(&values)).transpose()
}

/// The reverse of [`properties_to_text`].
pub(super) fn properties_of_text(text: Option<String>) -> serde_json::Result<Option<Properties>> {
    let values: Option<[f64; 5]> = text.map(|text| serde_json::from_str(&text)).transpose()?;
    Ok(values.map(Properties::of_array))
}

impl PairRecord {
    pub fn state(&self, monitor: &Monitor, now_ms: i64) -> Result<MonitorState> {
        if self.state.is_empty() {
            Ok(monitor.start(now_ms))
        } else {
            MonitorState::from_json(&self.state)
        }
    }

    /// Observes a batch by the settings that were declared last, unless it was delivered before.
    pub fn deliver<'a>(
        &mut self,
        monitor: &Monitor,
        delivery: Option<Delivery<'_>>,
        batch: &'a [Observation],
        keep: u64,
    ) -> Result<Delivered<'a>> {
        let first_ms = batch.first().map_or(0, |first| first.time_ms);
        let last_ms = batch.last().map_or(0, |last| last.time_ms);
        let mut state = self.state(monitor, first_ms)?;
        let monitor = monitor.in_force(&state)?;
        let mut rows = Vec::new();
        if delivery.is_none_or(|delivery| self.take(delivery)) {
            rows.reserve(batch.len());
            for observation in batch {
                rows.push((state.observe(&monitor, observation)?, observation));
            }
            self.state = state.to_json()?;
            self.note_seen(last_ms);
        }
        let keep = keep.max(monitor.settings().window as u64);
        let last_removable = state.sequence().saturating_sub(keep);
        Ok(Delivered { state, rows, last_removable })
    }

    fn note_seen(&mut self, now_ms: i64) {
        self.seen_ms = self.seen_ms.max(now_ms);
        self.unseen_days.clear();
    }

    /// Notes a delivery; false where it has been here.
    fn take(&mut self, delivery: Delivery<'_>) -> bool {
        let mut writers = serde_json::from_str::<Writers>(&self.writers).unwrap_or_default();
        let last = writers.0.get(delivery.writer).map(|(number, _)| *number);
        if last.is_some_and(|last| last >= delivery.number) {
            return false;
        }
        let last = writers.0.values().map(|(_, place)| *place).max().unwrap_or(0);
        writers.0.insert(delivery.writer.to_owned(), (delivery.number, last.saturating_add(1)));
        while writers.0.len() > WRITERS {
            let others = writers.0.iter().filter(|(name, _)| *name != delivery.writer);
            let Some(oldest) = others.min_by_key(|(_, (_, place))| *place) else { break };
            let oldest = oldest.0.clone();
            writers.0.remove(&oldest);
        }
        self.writers = serde_json::to_string(&writers).unwrap_or_default();
        true
    }

    /// What this monitor states is what is tested from now on.
    pub fn declare(&mut self, monitor: &Monitor, now_ms: i64) -> Result<MonitorState> {
        let mut state = self.state(monitor, now_ms)?;
        state.declare(monitor, now_ms);
        self.state = state.to_json()?;
        self.note_seen(now_ms);
        Ok(state)
    }

    /// Begins an epoch. `last` is the number of the last observation, for a state that cannot be read: this is also
    /// how one gets rid of it.
    pub fn reset(&mut self, monitor: &Monitor, now_ms: i64, last: u64) -> Result<MonitorState> {
        let state = if self.state.is_empty() {
            monitor.start(now_ms)
        } else if let Ok(mut state) = MonitorState::from_json(&self.state) {
            let monitor = monitor.in_force(&state)?;
            state.reset(&monitor, now_ms);
            state
        } else {
            let mut state = monitor.resume_after(last, now_ms);
            state.reset(monitor, now_ms);
            state
        };
        self.state = state.to_json()?;
        Ok(state)
    }

    /// What other programs were told; nothing where that cannot be read.
    pub fn notice(&self) -> Notice {
        serde_json::from_str(&self.notice).unwrap_or_default()
    }

    pub fn change_notice(&mut self, change: &mut dyn FnMut(&mut Notice)) -> Result<()> {
        let mut notice = self.notice();
        change(&mut notice);
        self.notice = serde_json::to_string(&notice)
            .map_err(|error| Error::InvalidState { source: error.into() })?;
        Ok(())
    }
}

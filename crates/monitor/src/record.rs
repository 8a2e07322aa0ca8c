//! What a store keeps of a pair in one row, and how it changes: the same whatever database the row is in.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use sdd_drift::Properties;

use crate::error::{Error, Result};
use crate::notice::Notice;
use crate::observation::{Observation, ObservedNeighbor};
use crate::part::{Parts, key_of};
use crate::plan::Monitor;
use crate::state::{Epoch, MonitorState, Step};
use crate::store::Delivery;
use crate::stored::StoredState;

/// Writers that are remembered at most, those that came last, by no clock: a server that dies and is restarted over and
/// over is a new one each time.
const WRITERS: usize = 100;

/// A day in milliseconds.
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// A pair's row, all of it as text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct PairRecord {
    /// The state's head, see [`StoredState`]; empty before the first image and the first declaration.
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

/// A state, and the head that it was read or stored with: what a store need not read again.
#[derive(Debug, Clone)]
pub(super) struct Known {
    head: String,
    state: MonitorState,
}

/// What a change of a state comes to, to be stored.
pub(super) struct Changed<'a> {
    pub state: MonitorState,
    pub removed: Removed,
    /// Parts that are new.
    pub inserted: Parts,
    /// Observations.
    pub rows: Vec<(Step, &'a Observation)>,
    /// The last observation that need no longer be kept.
    pub last_removable: u64,
}

/// The parts of before that are no longer of a state.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Removed {
    /// Those with these keys.
    Keys(Vec<i64>),
    /// Whatever there was.
    All,
}

/// The last delivery of each writer, and its place among the deliveries of all.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Writers(BTreeMap<String, (u64, i64)>);

/// The state of a stream of which only the number of its last image is known.
fn start_after(sequence: u64, monitor: &Monitor, now_ms: i64) -> MonitorState {
    let state = monitor.start(now_ms);
    let epoch = Epoch { began_after: sequence, ..state.epoch };
    MonitorState { sequence, epoch, ..state }
}

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
    /// Whether there is no state yet. One that is empty later was taken away.
    fn is_new(&self) -> bool {
        self.state.is_empty() && self.seen_ms == 0
    }

    /// The keys of the parts that are to be read.
    pub fn missing(&self, known: Option<&Known>) -> Vec<i64> {
        match known {
            Some(known) if known.head == self.state => Vec::new(),
            known => MonitorState::missing(&self.state, known.map(|known| &known.state)),
        }
    }

    /// The state, with the parts that were missing; none where there is none yet.
    pub fn read(
        &self,
        known: Option<&Known>,
        parts: Vec<(i64, String)>,
    ) -> Result<Option<MonitorState>> {
        match known {
            _ if self.is_new() => Ok(None),
            Some(known) if known.head == self.state => Ok(Some(known.state.clone())),
            known => {
                let is_whole = |(key, text): &(i64, String)| key_of(text) == *key;
                let parts = parts.into_iter().filter(is_whole).collect();
                let stored = StoredState { head: self.state.clone(), parts };
                MonitorState::read_changed(&stored, known.map(|known| &known.state)).map(Some)
            }
        }
    }

    /// What is known once this record and its state have been read or stored.
    pub fn known(self, state: MonitorState) -> Known {
        Known { head: self.state, state }
    }

    /// Observes a batch by the settings that were declared last, unless it was delivered before.
    pub fn deliver<'a>(
        &mut self,
        before: Option<&MonitorState>,
        monitor: &Monitor,
        delivery: Option<Delivery<'_>>,
        batch: &'a [Observation],
        keep: u64,
    ) -> Result<Changed<'a>> {
        let first_ms = batch.first().map_or(0, |first| first.time_ms);
        let last_ms = batch.last().map_or(0, |last| last.time_ms);
        let mut state = before.map_or_else(|| monitor.start(first_ms), Clone::clone);
        let monitor = monitor.in_force(&state)?;
        let mut rows = Vec::new();
        if delivery.is_some_and(|delivery| !self.take(delivery)) {
            return Ok(Changed {
                state,
                removed: Removed::Keys(Vec::new()),
                inserted: Parts::new(),
                rows,
                last_removable: 0,
            });
        }
        rows.reserve(batch.len());
        for observation in batch {
            rows.push((state.observe(&monitor, observation)?, observation));
        }
        self.note_seen(last_ms);
        let keep = keep.max(monitor.settings().window as u64);
        let last_removable = state.sequence().saturating_sub(keep);
        Ok(Changed { rows, last_removable, ..self.store(before, state)? })
    }

    /// Stores a state in place of the one before, of which nothing is kept where that one has no parts: a new one, one
    /// that could not be read, or one of an earlier version.
    fn store(
        &mut self,
        before: Option<&MonitorState>,
        mut state: MonitorState,
    ) -> Result<Changed<'static>> {
        let StoredState { head, parts: mut inserted } = state.store()?;
        self.state = head;
        let (old, new) = (before.map_or_else(Vec::new, MonitorState::keys), state.keys());
        inserted.retain(|key, _| old.binary_search(key).is_err());
        let is_left = |key: &i64| new.binary_search(key).is_err();
        let removed = match old.as_slice() {
            [] => Removed::All,
            old => Removed::Keys(old.iter().copied().filter(is_left).collect()),
        };
        Ok(Changed { state, removed, inserted, rows: Vec::new(), last_removable: 0 })
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
    pub fn declare(
        &mut self,
        before: Option<&MonitorState>,
        monitor: &Monitor,
        now_ms: i64,
    ) -> Result<Changed<'static>> {
        let mut state = before.map_or_else(|| monitor.start(now_ms), Clone::clone);
        state.declare(monitor, now_ms);
        self.note_seen(now_ms);
        self.store(before, state)
    }

    /// Begins an epoch. `last` is the number of the last observation, for a state that cannot be read: this is also
    /// how one gets rid of it.
    pub fn reset(
        &mut self,
        before: Result<Option<MonitorState>>,
        monitor: &Monitor,
        now_ms: i64,
        last: u64,
    ) -> Result<Changed<'static>> {
        let state = match before {
            Ok(None) => monitor.start(now_ms),
            Ok(Some(mut state)) => {
                let monitor = monitor.in_force(&state)?;
                state.reset(&monitor, now_ms);
                state
            }
            Err(_) => {
                let mut state = start_after(last, monitor, now_ms);
                state.reset(monitor, now_ms);
                state
            }
        };
        // Nothing of before is in a new epoch, whatever it was.
        self.store(None, state)
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

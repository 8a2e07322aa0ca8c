//! How a state is stored: a head, which each image changes, and parts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::part::{Part, Parts};
use crate::state::{Epoch, MonitorState};
use crate::stream::Stream;

/// The version of the stored form. Of a state of an earlier one the numbers of image and epoch are taken over.
const FORMAT_VERSION: u32 = 3;

/// A state as texts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StoredState {
    /// What is stored at each image, and which parts belong to it.
    pub head: String,
    /// Texts of parts by their keys.
    pub parts: BTreeMap<i64, String>,
}

#[derive(Serialize, Deserialize)]
struct Head<S> {
    format_version: u32,
    state: S,
    parts: Keys,
}

/// The keys of a state's parts.
#[derive(Default, Serialize, Deserialize)]
struct Keys {
    all: Option<i64>,
    /// By the names of streams: of what each image of it changes, and of its tests.
    streams: BTreeMap<String, (i64, Option<i64>)>,
}

impl MonitorState {
    /// As it is stored: the head, and those parts that were changed since it was read or stored.
    ///
    /// # Errors
    ///
    /// None in practice: numbers and texts can always be written.
    pub fn store(&mut self) -> Result<StoredState> {
        let mut parts = Parts::new();
        let all = self.all.as_mut().map(|all| all.store(&mut parts)).transpose()?;
        let mut streams = BTreeMap::new();
        for (name, stream) in &mut self.streams {
            let tested =
                stream.tested.as_mut().map(|tested| tested.store(&mut parts)).transpose()?;
            streams.insert(name.clone(), (stream.seen.store(&mut parts)?, tested));
        }
        let keys = Keys { all, streams };
        let head = Head { format_version: FORMAT_VERSION, state: &*self, parts: keys };
        let head = serde_json::to_string(&head)
            .map_err(|error| Error::InvalidState { source: error.into() })?;
        Ok(StoredState { head, parts })
    }

    /// The reverse of [`MonitorState::store`], with the texts of all parts; trusts nothing that it reads.
    ///
    /// # Errors
    ///
    /// [`Error::UnreadableState`] for what is no state or one of a later version, [`Error::InvalidState`] for one that
    /// no stream leads to.
    pub fn read(stored: &StoredState) -> Result<Self> {
        Self::read_changed(stored, None)
    }

    /// The same with those parts that a state does not have which is known already.
    pub(crate) fn read_changed(stored: &StoredState, known: Option<&Self>) -> Result<Self> {
        let (mut state, keys) = read_head(&stored.head)?;
        let known_all = known.and_then(|known| known.all.as_ref());
        let all = keys.all.map(|key| Part::read(key, known_all, &stored.parts));
        state.all = all.transpose()?;
        for (name, (seen, tested)) in keys.streams {
            let known = known.and_then(|known| known.streams.get(&name));
            let known_tested = known.and_then(|known| known.tested.as_ref());
            let seen = Part::read(seen, known.map(|known| &known.seen), &stored.parts)?;
            let tested = tested.map(|key| Part::read(key, known_tested, &stored.parts));
            state.streams.insert(name, Stream { seen, tested: tested.transpose()? });
        }
        state.check()?;
        Ok(state)
    }
}

/// What stores ask.
#[cfg(any(feature = "postgres", feature = "sqlite"))]
impl MonitorState {
    /// The keys of those parts of a stored head that a state does not have; none of a head that cannot be read.
    pub(crate) fn missing(head: &str, known: Option<&Self>) -> Vec<i64> {
        let keys = read_head(head).map_or_else(|_| Keys::default(), |(_, keys)| keys);
        let known_all = known.and_then(|known| known.all.as_ref()?.key());
        let mut missing: Vec<i64> =
            keys.all.filter(|key| Some(*key) != known_all).into_iter().collect();
        for (name, (seen, tested)) in keys.streams {
            let known = known.and_then(|known| known.streams.get(&name));
            let known_seen = known.and_then(|known| known.seen.key());
            let known_tested = known.and_then(|known| known.tested.as_ref()?.key());
            missing.extend(Some(seen).filter(|key| Some(*key) != known_seen));
            missing.extend(tested.filter(|key| Some(*key) != known_tested));
        }
        missing
    }

    /// Those of the parts that are stored, ascending.
    pub(crate) fn keys(&self) -> Vec<i64> {
        let of_streams = self
            .streams
            .values()
            .flat_map(|stream| [stream.seen.key(), stream.tested.as_ref().and_then(Part::key)]);
        let all = self.all.as_ref().and_then(Part::key);
        let mut keys: Vec<i64> = of_streams.chain([all]).flatten().collect();
        keys.sort_unstable();
        keys
    }
}

/// The version first, so that a state of another one is refused by it and not by whichever field happens to differ.
fn read_head(head: &str) -> Result<(MonitorState, Keys)> {
    #[derive(Deserialize)]
    struct Version {
        format_version: u32,
    }
    #[derive(Deserialize)]
    struct Numbers {
        sequence: u64,
        last_ms: Option<i64>,
        epoch: Epoch,
    }
    let unreadable = |source: serde_json::Error| Error::UnreadableState { source: source.into() };
    let Version { format_version } = serde_json::from_str(head).map_err(unreadable)?;
    match format_version {
        FORMAT_VERSION => {
            let head: Head<MonitorState> = serde_json::from_str(head).map_err(unreadable)?;
            Ok((head.state, head.parts))
        }
        1 | 2 => {
            let numbers: Numbers = serde_json::from_str(head).map_err(unreadable)?;
            let Numbers { sequence, last_ms, epoch } = numbers;
            let empty = MonitorState::empty(epoch.began_ms, epoch.because);
            let epoch = Epoch { began_after: sequence, ..epoch };
            Ok((MonitorState { sequence, last_ms, epoch, ..empty }, Keys::default()))
        }
        _ => {
            let source = format!("it has format version {format_version}, not {FORMAT_VERSION}");
            Err(Error::UnreadableState { source: source.into() })
        }
    }
}

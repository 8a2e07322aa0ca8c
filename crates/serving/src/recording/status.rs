//! What is known of the recording: whether it works, what it missed, and the state that was last seen.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwapOption;
use sdd_monitor::{MonitorReport, MonitorSettings, MonitorState};
use serde::Serialize;

use crate::causes::chain_of;
use crate::recording::observation::now_ms;
use crate::watched::WatchedPair;

/// Whether predictions are written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = DriftRecording))]
pub struct RecordingStatus {
    /// Whether the last attempt to write succeeded.
    pub available: bool,
    /// Why not.
    pub reason: Option<String>,
    /// Since when not: milliseconds since 1970 (UTC).
    pub unavailable_since_ms: Option<i64>,
    /// Images that were answered since this server's start and will not be recorded.
    pub unrecorded_images: u64,
    /// Images that were answered before they were recorded.
    pub late_images: u64,
}

/// A state, and which pair's it is.
#[derive(Debug)]
pub struct Current {
    /// The pair.
    pub pair: Arc<WatchedPair>,
    /// Its state.
    pub state: MonitorState,
    report: OnceLock<Option<MonitorReport>>,
}

impl Current {
    /// What can be said of it, by the settings in force; made once. `None` where that cannot be had.
    pub fn report(&self) -> Option<&MonitorReport> {
        let make = || match self.pair.report(&self.state) {
            Ok(report) => Some(report),
            Err(error) => {
                tracing::debug!("no report of drift: {}", chain_of(&error));
                None
            }
        };
        self.report.get_or_init(make).as_ref()
    }
}

/// What all threads share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    /// `None` while predictions are written.
    off: ArcSwapOption<Off>,
    unrecorded: AtomicU64,
    told_of_no_room: AtomicBool,
    late: AtomicU64,
    serving: ArcSwapOption<WatchedPair>,
    /// Whether the store has not been told yet that it is served.
    undeclared: AtomicBool,
    /// The settings of another server that are in force here, so that it is said once.
    of_others: ArcSwapOption<MonitorSettings>,
    current: ArcSwapOption<Current>,
}

/// Why images that were answered are not recorded.
#[derive(Debug)]
pub(crate) enum Unrecorded {
    /// As many wait as may.
    NoRoom,
    /// The thread that writes has ended.
    Stopped,
    /// Their model and reference are no longer served, and their state cannot be read.
    Unreadable(sdd_monitor::Error),
}

#[derive(Debug)]
struct Off {
    reason: String,
    since_ms: i64,
}

impl Shared {
    pub fn serve(&self, pair: &Arc<WatchedPair>) {
        self.serving.store(Some(Arc::clone(pair)));
        self.undeclared.store(true, Ordering::Release);
    }

    /// The pair that is to be declared to the store, once.
    pub fn take_undeclared(&self) -> Option<Arc<WatchedPair>> {
        let undeclared = self.undeclared.swap(false, Ordering::Acquire);
        self.serving().filter(|_| undeclared)
    }

    /// It could not be declared.
    pub fn declare_again(&self) {
        self.undeclared.store(true, Ordering::Release);
    }

    pub fn serving(&self) -> Option<Arc<WatchedPair>> {
        self.serving.load_full()
    }

    /// Notes a state, unless it is that of a pair that has been replaced.
    pub fn note(&self, pair: &Arc<WatchedPair>, state: MonitorState) {
        if self.serving().is_some_and(|serving| serving.id == pair.id) {
            self.tell_of_others(pair, &state);
            let (pair, report) = (Arc::clone(pair), OnceLock::new());
            self.current.store(Some(Arc::new(Current { pair, state, report })));
        }
    }

    /// Says once that what is tested is what another server has declared.
    fn tell_of_others(&self, pair: &WatchedPair, state: &MonitorState) {
        let own = pair.monitor.settings();
        let others = state.settings().filter(|settings| *settings != own);
        if self.of_others.load().as_deref() == others {
            return;
        }
        self.of_others.store(others.cloned().map(Arc::new));
        if let Some(settings) = others {
            tracing::warn!(
                "another server that shares the drift monitor was started or reloaded later, with other settings: they \
                 are in force here, too ({settings:?}); a reload here takes these settings back"
            );
        } else {
            tracing::info!("the drift monitor's own settings are in force again");
        }
    }

    pub fn current(&self) -> Option<Arc<Current>> {
        let current = self.current.load_full()?;
        let serving = self.serving()?;
        (serving.id == current.pair.id).then_some(current)
    }

    /// Warns once, however long it lasts.
    pub fn turn_off(&self, reason: String) {
        if self.off.load().is_some() {
            tracing::debug!("the drift monitor stays off: {reason}");
            return;
        }
        tracing::warn!(
            "predictions are answered and not recorded for now: {reason}; trying again every 2 s"
        );
        self.off.store(Some(Arc::new(Off { reason, since_ms: now_ms() })));
    }

    pub fn turn_on(&self) {
        if self.off.swap(None).is_some() {
            tracing::info!("predictions are recorded again");
        }
    }

    /// Counts images that will not be recorded, and says why.
    pub fn count_unrecorded(&self, images: usize, why: &Unrecorded) {
        if images == 0 {
            return;
        }
        self.unrecorded.fetch_add(images as u64, Ordering::Relaxed);
        match why {
            // Once, however long it lasts.
            Unrecorded::NoRoom => {
                if !self.told_of_no_room.swap(true, Ordering::Relaxed) {
                    tracing::warn!(
                        "more images wait to be recorded than may: the drift monitor will not know of some"
                    );
                }
            }
            Unrecorded::Stopped => tracing::warn!(
                "{images} images are not recorded: the thread that writes ended before it could"
            ),
            Unrecorded::Unreadable(error) => tracing::warn!(
                "{images} images of a model and reference that are no longer served are not recorded: {}",
                chain_of(error)
            ),
        }
    }

    pub fn count_late(&self, images: usize) {
        if self.late.fetch_add(images as u64, Ordering::Relaxed) == 0 {
            tracing::warn!(
                "recording takes longer than an answer waits: a crash now would lose some images"
            );
        }
    }

    pub fn recording(&self) -> RecordingStatus {
        let off = self.off.load();
        RecordingStatus {
            available: off.is_none(),
            reason: off.as_ref().map(|off| off.reason.clone()),
            unavailable_since_ms: off.as_ref().map(|off| off.since_ms),
            unrecorded_images: self.unrecorded.load(Ordering::Relaxed),
            late_images: self.late.load(Ordering::Relaxed),
        }
    }
}

//! A pair of model and reference that is watched for drift over time.

use std::sync::Arc;

use sdd_drift::Reference;
use sdd_monitor::{Baseline, Monitor, MonitorReport, MonitorSettings, MonitorState, PairId};

/// A pair of model and reference that is watched.
#[derive(Debug)]
pub struct WatchedPair {
    /// Which.
    pub id: PairId,
    /// What is tested.
    pub monitor: Monitor,
    /// What images are compared with.
    pub reference: Arc<Reference>,
    /// When the reference was written: RFC 3339, UTC.
    pub reference_created_at: String,
}

impl WatchedPair {
    /// Of a model file's SHA-256 and its reference.
    ///
    /// # Errors
    /// As [`Monitor::new`].
    pub fn new(
        model_sha256: &str,
        reference: &Arc<Reference>,
        settings: MonitorSettings,
    ) -> sdd_monitor::Result<Self> {
        Ok(Self {
            id: PairId::of(model_sha256, reference),
            monitor: Monitor::new(settings, reference.calibration().map(Baseline::of))?,
            reference: Arc::clone(reference),
            reference_created_at: reference.store().manifest().created_at.clone(),
        })
    }

    /// What can be said of a state, by the settings in force.
    ///
    /// # Errors
    /// As [`Monitor::report`].
    pub fn report(&self, state: &MonitorState) -> sdd_monitor::Result<MonitorReport> {
        self.monitor.in_force(state)?.report(state)
    }
}

//! The next generation on its way.

use sdd_index::{Change, FileStore};

use crate::calibration::LeftOut;
use crate::held_out::HeldOut;
use crate::remarks::Remarks;

pub struct Next {
    pub store: FileStore,
    /// The held-out images so far.
    pub held_out: Option<HeldOut>,
    /// Whether those of the stores are kept; else others take their place.
    pub keeps_held_out: bool,
    /// Whether the store has a calibration.
    pub is_calibrated: bool,
    /// What is known of the reference's images, in case these calibrate.
    pub known: LeftOut,
    pub change: Change,
    pub remarks: Remarks,
}

impl Next {
    pub fn count(&mut self, rows: usize, replaced: usize) {
        self.change.replaced += replaced;
        self.change.added += rows - replaced;
    }
}

//! What an update makes on its way.

use crate::calibration::LeftOut;
use crate::remarks::Remarks;

/// What is known of a change beside the rows that it leaves.
#[derive(Default)]
pub struct Made {
    pub added: usize,
    pub removed: usize,
    pub replaced: usize,
    /// Of the reference's images, in case these calibrate.
    pub known: LeftOut,
    pub remarks: Remarks,
}

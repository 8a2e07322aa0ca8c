//! Numbers of images.

use serde::{Deserialize, Serialize};

/// Numbers of images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Totals {
    pub images: u64,
    /// Those that the calibration could judge.
    pub judged: u64,
    pub out_of_distribution: u64,
}

impl Totals {
    pub fn count(&mut self, out_of_distribution: Option<bool>) {
        self.images += 1;
        self.judged += u64::from(out_of_distribution.is_some());
        self.out_of_distribution += u64::from(out_of_distribution == Some(true));
    }

    pub fn is_sound(self) -> bool {
        self.out_of_distribution <= self.judged && self.judged <= self.images
    }
}

//! Words that states and reports share.

use serde::{Deserialize, Serialize};

/// 1 less the confidence of every interval.
pub(crate) const INTERVAL_ALPHA: f64 = 0.05;

/// When something was first seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = DriftAlarm))]
pub struct Alarm {
    /// The image, counted among those of the epoch that could be judged, from 1.
    pub image: u64,
    /// The number of its observation.
    pub sequence: u64,
    /// When it was seen: milliseconds since 1970 (UTC).
    pub time_ms: i64,
}

/// Why an epoch began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum EpochStart {
    /// It is the first one.
    First,
    /// Someone asked for it, for example after seeing to an alarm.
    Reset,
    /// A setting or the calibration has changed what is tested.
    Settings,
}

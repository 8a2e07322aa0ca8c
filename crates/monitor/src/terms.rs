//! Words that states and reports share.

use serde::{Deserialize, Serialize};

/// 1 less the confidence of every interval.
pub(crate) const INTERVAL_ALPHA: f64 = 0.05;

/// When something was first seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = DriftAlarm))]
pub struct Alarm {
    /// How many groups had been tested by then, of the stream or of all.
    pub group: u64,
    /// The number of the last image's observation.
    pub sequence: u64,
    /// When that was seen: milliseconds since 1970 (UTC).
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
    /// What is tested has changed, by a setting or with another version of the program.
    Settings,
}

/// What is tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = DriftTest))]
#[serde(rename_all = "snake_case")]
pub enum TestName {
    /// Whether images of a class look as the calibration's do, by their drift scores.
    Appearance,
    /// Brightness, contrast, sharpness, noise and saturation of the picture.
    Properties,
    /// The mix of predicted classes.
    ClassMix,
    /// The same picture again and again, as of a camera that stands still: a fact and no test.
    Repetition,
}

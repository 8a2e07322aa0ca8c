//! What can be said of a stream.

use serde::{Deserialize, Serialize};

use super::settings::MonitorSettings;
use super::terms::{Alarm, EpochStart};
use sdd_drift::Status;
use sdd_stats::sequential::window::Interval;

/// A test by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = DriftTest))]
#[serde(rename_all = "snake_case")]
pub enum TestName {
    /// The share of images out of distribution in the last full window.
    Window,
    /// The e-process.
    EProcess,
    /// The CUSUM.
    Cusum,
    /// The mix of predicted classes in the last full window.
    ClassMix,
}

/// A share with what it was counted from.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = DriftShare))]
pub struct ShareReport {
    /// Images that could be judged.
    pub images: u64,
    /// Those of them that are out of distribution.
    pub out_of_distribution: u64,
    /// The one divided by the other; 0 without images.
    pub share: f64,
    /// Its exact 95 % interval, by Clopper and Pearson.
    pub interval: Interval,
}

/// Why the verdict is what it is.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = DriftReason))]
pub struct Reason {
    /// The test that raised the alarm.
    pub test: TestName,
    /// What it found: an e-value, a CUSUM, or a p-value.
    pub value: f64,
    /// What it is compared with: at least this for e-value and CUSUM, at most this for a p-value.
    pub threshold: f64,
    /// The same in a sentence.
    pub message: String,
    /// When the alarm was raised.
    pub since: Alarm,
    /// The share in the window that speaks for it, for the tests of appearance.
    pub share: Option<ShareReport>,
    /// The classes that it is about: those whose own share is above what is tolerated, or whose part of the mix has
    /// changed. Empty where none stands out.
    pub classes: Vec<String>,
}

/// The last images.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = DriftWindow))]
pub struct WindowReport {
    /// Images that a full window has.
    pub size: usize,
    /// The share in the last images, as many as there are up to that.
    pub recent: ShareReport,
    /// The test of the last full window; none before the first.
    pub test: Option<WindowTestReport>,
}

/// The test of a full window.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = DriftWindowTest))]
pub struct WindowTestReport {
    /// When the window was full.
    pub at: Alarm,
    /// Its share.
    pub share: ShareReport,
    /// The probability of as many out of distribution without drift: beta-binomial.
    pub p_value: f64,
    /// It alarms at this p-value or below: the probability of a false alarm in one window.
    pub size: f64,
    /// Whether it does.
    pub alarm: bool,
}

/// The e-process.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = DriftEProcess))]
pub struct EProcessReport {
    /// The evidence of drift: 1 at the beginning, falling slowly without drift.
    pub value: f64,
    /// The largest so far.
    pub largest: f64,
    /// It alarms from here on.
    pub alarm_at: f64,
    /// The share that counts as no drift.
    pub level: f64,
    /// The probability of a false alarm, ever in this epoch, is at most this.
    pub false_alarm_probability: f64,
    /// When it alarmed.
    pub alarm: Option<Alarm>,
}

/// The CUSUM.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = DriftCusum))]
pub struct CusumReport {
    /// Its value now.
    pub value: f64,
    /// The largest so far.
    pub largest: f64,
    /// It alarms from here on.
    pub threshold: f64,
    /// The share that counts as no drift.
    pub share_without_drift: f64,
    /// The share that it is made to find: the stated one, or where the calibration is too small to tell that from
    /// its own false alarms, the least that it can.
    pub share_to_find: f64,
    /// Images between false alarms, on average, where the share is the one without drift.
    pub images_between_false_alarms: f64,
    /// Images until the alarm, on average, from the moment on that the share is the one to be found.
    pub mean_delay: f64,
    /// When it first alarmed.
    pub alarm: Option<Alarm>,
}

/// What the test of the class mix says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = DriftMixStatus))]
#[serde(rename_all = "snake_case")]
pub enum MixStatus {
    /// The mix is that of the calibration images, as far as can be seen.
    Unchanged,
    /// It is another.
    Changed,
    /// No full window yet.
    InsufficientData,
    /// The calibration does not say which classes were predicted.
    Unavailable,
}

/// The mix of predicted classes in the last full window, against that of the calibration images.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = DriftClassMix))]
pub struct ClassMixReport {
    /// What it says.
    pub status: MixStatus,
    /// When the window was full.
    pub at: Option<Alarm>,
    /// Pearson's chi-square statistic of the two rows.
    pub chi_square: Option<f64>,
    /// The p-value.
    pub p_value: Option<f64>,
    /// Whether that is by permutations, which is exact for small counts and sees a class come up among many that have
    /// an image each, and not that of the statistic by the chi-square distribution.
    pub permuted: Option<bool>,
    /// The classes whose part of the mix has changed, where the mix has.
    pub changed_classes: Vec<String>,
    /// It says `changed` at this p-value or below.
    pub size: f64,
    /// The same in a sentence.
    pub message: String,
}

/// One class. Appearance within a class does not depend on the mix.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = DriftClass))]
pub struct ClassReport {
    /// Its name.
    pub class: String,
    /// Images in the epoch that were predicted to be of it.
    pub images: u64,
    /// The share of them that is out of distribution.
    pub epoch: ShareReport,
    /// The same in the last images.
    pub recent: ShareReport,
    /// Calibration images that were predicted to be of it.
    pub calibration_images: u64,
}

/// The stretch of the stream that the tests look at.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = DriftEpoch))]
pub struct EpochReport {
    /// Its number, from 1.
    pub number: u64,
    /// When it began: milliseconds since 1970 (UTC); none before the first image.
    pub began_ms: Option<i64>,
    /// Why.
    pub because: EpochStart,
    /// Images in it.
    pub images: u64,
    /// Those of them that the calibration could judge, and the share of these out of distribution.
    pub judged: ShareReport,
}

/// What can be said of a stream.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = DriftReport))]
pub struct MonitorReport {
    /// The version of this form.
    pub format_version: u32,
    /// Whether there is drift.
    pub verdict: Status,
    /// The same by the tests of appearance alone: a changed mix of classes does not count.
    pub appearance: Status,
    /// What happened and what to do, in a sentence or two.
    pub summary: String,
    /// The tests that raised an alarm.
    pub reasons: Vec<Reason>,
    /// Whether a new model or reference is advised, by the rule below.
    pub retrain_recommended: bool,
    /// The rule.
    pub retrain_rule: String,
    /// Images that are missing for a verdict; 0 where there is one, none without a calibration: no number of images
    /// makes a verdict then.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub images_needed: Option<u64>,
    /// The share that counts as no drift: the tolerated one, or what the calibration's own false alarms hardly
    /// exceed; none without a calibration.
    pub tolerated_share: Option<f64>,
    /// The last images; none without a calibration.
    pub window: Option<WindowReport>,
    /// The e-process; none without a calibration.
    pub e_process: Option<EProcessReport>,
    /// The CUSUM; none without a calibration.
    pub cusum: Option<CusumReport>,
    /// The mix of predicted classes.
    pub class_mix: ClassMixReport,
    /// Each class that was predicted or calibrated.
    pub classes: Vec<ClassReport>,
    /// The stretch of the stream that the tests look at.
    pub epoch: EpochReport,
    /// Images ever, over all epochs.
    pub images_ever: u64,
    /// When the last image was seen: milliseconds since 1970 (UTC).
    pub last_image_ms: Option<i64>,
    /// What was stated.
    pub settings: MonitorSettings,
}

//! What can be said of all images.

use serde::Serialize;

use sdd_drift::Status;
use sdd_stats::interval::Interval;

use crate::settings::MonitorSettings;
use crate::terms::{Alarm, EpochStart, TestName};

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
    /// Its 95 % interval by Clopper and Pearson, exact for images that come independently: where several are of one
    /// group, the truth may well lie outside.
    pub interval: Interval,
}

/// Why the verdict is what it is.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = DriftReason))]
pub struct Reason {
    /// What was tested.
    pub test: TestName,
    /// What is about it: the property or the class; none for appearance.
    pub subject: Option<String>,
    /// The same in a sentence.
    pub message: String,
    /// When it was seen.
    pub since: Alarm,
    /// The stream that it was seen in; none: in all together, or in images of no named stream.
    pub stream: Option<String>,
    /// The classes whose recent share of images out of distribution is higher than the level explains.
    pub classes: Vec<String>,
}

/// What a person is advised to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = DriftAdvice))]
#[serde(rename_all = "snake_case")]
pub enum Advice {
    /// Nothing.
    None,
    /// To look at camera, light and part: what comes is far from everything that is known, or the picture itself has
    /// changed.
    Look,
    /// To look at the strangest images, and where they are what will come from now on, to label them and train anew.
    Retrain,
    /// To look at why classes come in another mix.
    LookAtMix,
}

/// What makes a group.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = DriftUnit))]
pub struct UnitReport {
    /// Groups of the calibration; images where it does not say which belong together.
    pub calibration_groups: u64,
    /// Whether the calibration says which images belong together.
    pub calibration_is_grouped: bool,
    /// Images that make a group where nobody says which group an image is of.
    pub block: u64,
    /// Of the last groups, how many were named; the others are blocks of images in their order.
    pub named: u64,
    /// The same in a sentence.
    pub message: String,
}

/// The evidence of drift.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = DriftEvidence))]
pub struct EvidenceReport {
    /// R, the Shiryaev–Roberts statistic, the sum of the streams': grows by 1 a group on average as long as nothing has
    /// changed.
    pub value: f64,
    /// The largest so far.
    pub largest: f64,
    /// It alarms from here on: as many groups as there are between false alarms, on average at least.
    pub alarm_at: f64,
    /// When it alarmed.
    pub alarm: Option<Alarm>,
    /// How likely it is at most, of each test by itself, that groups like those of the calibration ever look as strange
    /// as these since the epoch began: 1 divided by the largest value of the martingale, the mean of the tests'; times the
    /// number of streams, of that of the stream where it is largest.
    pub probability_of_ever: f64,
    /// Groups that were tested.
    pub groups: u64,
    /// The tests, each with its part of it.
    pub tests: Vec<TestReport>,
}

/// One of the tests.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = DriftTestEvidence))]
pub struct TestReport {
    /// What is tested.
    pub test: TestName,
    /// The property or the class; none for appearance.
    pub subject: Option<String>,
    /// Whether what it found is more: stranger, brighter, more of the class; else less.
    pub more: bool,
    /// Its own R, the sum over streams.
    pub value: f64,
    /// Its part of the evidence, of which that is the mean by these.
    pub weight: f64,
}

/// The last images: they explain, and raise no alarm.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = DriftWindow))]
pub struct WindowReport {
    /// Images that a full window has.
    pub size: usize,
    /// The share in the last images, as many as there are up to that.
    pub recent: ShareReport,
    /// The share that is expected without drift, on average: the level of the calibration.
    pub expected_share: f64,
    /// Images of the last that are far from everything: twice as far from the middle as any of the calibration.
    pub far: u64,
}

/// One class.
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
    /// Its part of the last images.
    pub recent_mix: f64,
    /// Calibration images that were predicted to be of it.
    pub calibration_images: u64,
    /// Its part of the calibration images.
    pub calibration_mix: f64,
    /// Its part of what the line is said to have; none where nothing is said of it.
    pub expected_mix: Option<f64>,
}

/// One of the properties of a picture, over the last groups.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = DriftProperty))]
pub struct PropertyReport {
    /// Its name.
    pub property: String,
    /// The middle of the calibration.
    pub middle: f64,
    /// How far the calibration's images spread around it, as a standard deviation.
    pub spread: f64,
    /// The mean of the last groups; none before the first.
    pub recent: Option<f64>,
    /// How many spreads that lies above the middle.
    pub spreads: Option<f64>,
    /// The same in a sentence.
    pub message: String,
}

/// A group that was tested.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = DriftGroup))]
pub struct GroupReport {
    /// Its name; none for a block of images in their order.
    pub group: Option<String>,
    /// Its stream, where that has a name.
    pub stream: Option<String>,
    /// Its images.
    pub images: u64,
    /// Those of them that are out of distribution.
    pub out_of_distribution: u64,
    /// The mean of its images' scores, in spreads from the middle of the calibration's images of their class.
    pub score: Option<f64>,
    /// The number of the image that it was complete with.
    pub last_sequence: u64,
    /// When that was seen: milliseconds since 1970 (UTC).
    pub last_ms: i64,
}

/// An estimate over groups.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = DriftEstimate))]
pub struct EstimateReport {
    /// The estimate; none where it is withheld or too few groups have come.
    pub value: Option<f64>,
    /// Its 95 % interval, each group counting as one draw.
    pub interval: Option<Interval>,
    /// The number of groups that it is of, as many of one size: a few large ones among small ones count as fewer.
    pub effective_groups: f64,
}

/// Why no accuracy is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = DriftNoEstimate))]
#[serde(rename_all = "snake_case")]
pub enum NoEstimate {
    /// What comes in has changed: probabilities are calibrated on images like those of training.
    Drifting,
    /// There is no verdict yet.
    NoVerdict,
    /// Too few groups with images in distribution are complete.
    NotEnoughGroups,
}

/// Accuracy without labels, by the model's own probabilities: of images that are in distribution, and as long as the
/// verdict is `stable`. Takes the probabilities to be calibrated.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = DriftExpectedAccuracy))]
pub struct ExpectedAccuracyReport {
    /// The share of decisions that is expected to be right.
    pub accuracy: EstimateReport,
    /// The class that precision and recall are of; none for a model that does not decide by a threshold.
    pub positive_class: Option<String>,
    /// The expected share of images of the positive class among those that were called so.
    pub precision: Option<EstimateReport>,
    /// The expected share of images of the positive class that were called so.
    pub recall: Option<EstimateReport>,
    /// The images that this is of: those in distribution of the groups that are complete.
    pub images: u64,
    /// Groups that an estimate takes.
    pub groups_needed: u64,
    /// The share of the epoch's images that is in distribution; none without images.
    pub share_in_distribution: Option<f64>,
    /// Images of the epoch that the calibration could not judge, which are not counted.
    pub unjudged: u64,
    /// Why there is no estimate.
    pub unavailable: Option<NoEstimate>,
    /// The same in words.
    pub message: String,
}

/// One of the streams.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = DriftStream))]
pub struct StreamReport {
    /// Its name; none: the images of no named stream.
    pub stream: Option<String>,
    /// Its own verdict.
    pub verdict: Status,
    /// Its images, and the share of them that is out of distribution.
    pub images: u64,
    /// Of those that could be judged.
    pub judged: ShareReport,
    /// Groups that were tested.
    pub groups: u64,
    /// Its own R; none before its first group is complete.
    pub evidence: Option<f64>,
    /// When it alarmed.
    pub alarm: Option<Alarm>,
    /// Images of the group that is not complete yet.
    pub open_group_images: u64,
    /// Its name.
    pub open_group: Option<String>,
    /// How often its last picture has come in a row.
    pub repeats: u64,
    /// Its accuracy without labels; none without a calibration.
    pub expected_accuracy: Option<ExpectedAccuracyReport>,
    /// When its last image was seen: milliseconds since 1970 (UTC).
    pub last_image_ms: Option<i64>,
}

/// The stretch of time that the tests look at.
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

/// What can be said of all images.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = DriftReport))]
pub struct MonitorReport {
    /// The version of this form.
    pub format_version: u32,
    /// Whether there is drift.
    pub verdict: Status,
    /// The same of how images look: a changed mix of classes does not count.
    pub appearance: Status,
    /// What happened and what to do, in a sentence or two.
    pub summary: String,
    /// What was found; empty unless the verdict is `drifting`.
    pub reasons: Vec<Reason>,
    /// What a person is advised to do.
    pub advice: Advice,
    /// Whether a new model or reference is advised, by the rule below.
    pub retrain_recommended: bool,
    /// The rule.
    pub retrain_rule: String,
    /// Groups that are missing until an alarm of appearance is possible, about; 0 where it is, none without a calibration: no number of
    /// groups makes a verdict then.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub groups_needed: Option<u64>,
    /// What makes a group; none without a calibration.
    pub unit: Option<UnitReport>,
    /// The one number that decides; none without a calibration.
    pub evidence: Option<EvidenceReport>,
    /// The last images; none without a calibration.
    pub window: Option<WindowReport>,
    /// Accuracy without labels; none without a calibration.
    pub expected_accuracy: Option<ExpectedAccuracyReport>,
    /// Each class that was predicted or calibrated.
    pub classes: Vec<ClassReport>,
    /// What pictures are like; empty where the calibration does not say.
    pub properties: Vec<PropertyReport>,
    /// The last groups that were tested, latest first.
    pub groups: Vec<GroupReport>,
    /// Each stream.
    pub streams: Vec<StreamReport>,
    /// The stretch of time that the tests look at.
    pub epoch: EpochReport,
    /// Images ever, over all epochs.
    pub images_ever: u64,
    /// When the last image was seen: milliseconds since 1970 (UTC).
    pub last_image_ms: Option<i64>,
    /// What was stated.
    pub settings: MonitorSettings,
}

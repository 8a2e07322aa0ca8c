//! What is written down of a prediction.

use sdd_core::Probabilities;
use sdd_drift::Assessment;
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::names::ImageName;
use crate::engine::{Answer, ServedModel};

/// Of [`Record`]. A reader refuses those that it does not know; fields may be added without a new one.
const FORMAT_VERSION: u32 = 1;

/// Why a prediction is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Its image is in the share that is. Records with this reason, and no others, are a fair sample
    /// of the images.
    Sample,
    /// The image is out of distribution.
    OutOfDistribution,
    /// The model is not sure.
    LowConfidence,
}

/// What is known of a prediction when it has been made.
#[derive(Debug, Clone)]
pub(super) struct CapturedPrediction {
    pub time: OffsetDateTime,
    pub request_id: String,
    pub class: String,
    pub confidence: f32,
    pub probabilities: Probabilities,
    pub drift: Option<Assessment>,
    pub model: RecordedModel,
    /// At least one.
    pub reasons: Vec<Reason>,
}

impl CapturedPrediction {
    /// Of a prediction made just now.
    pub fn new(
        request_id: &str,
        answer: &Answer,
        served: &ServedModel,
        reasons: Vec<Reason>,
    ) -> Self {
        Self {
            time: OffsetDateTime::now_utc(),
            request_id: request_id.to_owned(),
            class: served.class_of(answer).to_owned(),
            confidence: answer.prediction.confidence,
            probabilities: answer.prediction.probabilities_of(&served.spec.labels),
            drift: answer.drift.clone(),
            model: RecordedModel {
                name: served.spec.name.clone(),
                version: served.spec.version.clone(),
                sha256: served.sha256.clone(),
            },
            reasons,
        }
    }
}

/// The model that answered.
#[derive(Debug, Clone, Serialize)]
pub struct RecordedModel {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of its file, 64 hexadecimal digits.
    pub sha256: String,
}

/// The image that was looked at.
#[derive(Debug, Serialize)]
pub struct RecordedImage {
    /// From the capture folder. The file may have been removed since, to make room.
    pub path: String,
    /// SHA-256 of the file, 64 hexadecimal digits.
    pub sha256: String,
    /// Length of the file.
    pub bytes: usize,
}

/// One line of `predictions-YYYY-MM-DD.jsonl`.
#[derive(Debug, Serialize)]
pub struct Record<'a> {
    /// 1.
    pub format_version: u32,
    /// When the image was answered: RFC 3339, UTC.
    pub time: String,
    /// The request's name, as in the log and in the header `x-request-id`.
    pub request_id: &'a str,
    /// The image.
    pub image: RecordedImage,
    /// The decided class.
    pub class: &'a str,
    /// Probability of that class, in [0, 1].
    pub confidence: f32,
    /// Probability of every class.
    pub probabilities: &'a Probabilities,
    /// How the image compares with the reference; `null` without one.
    pub drift: Option<&'a Assessment>,
    /// The model that answered.
    pub model: &'a RecordedModel,
    /// Why it was kept: at least one reason.
    pub reasons: &'a [Reason],
}

impl<'a> Record<'a> {
    pub(super) fn new(observed: &'a CapturedPrediction, image: &ImageName, bytes: usize) -> Self {
        Self {
            format_version: FORMAT_VERSION,
            // Fails for years of five digits alone.
            time: observed.time.format(&Rfc3339).unwrap_or_default(),
            request_id: &observed.request_id,
            image: RecordedImage { path: image.path(), sha256: image.sha256.clone(), bytes },
            class: &observed.class,
            confidence: observed.confidence,
            probabilities: &observed.probabilities,
            drift: observed.drift.as_ref(),
            model: &observed.model,
            reasons: &observed.reasons,
        }
    }
}

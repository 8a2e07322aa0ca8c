//! A prediction as it is kept, for people and programs.

use sdd_core::Probabilities;
use sdd_core::image::file_extension;
use sdd_drift::Assessment;
use serde::{Serialize, Serializer};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::capture::names::ImageName;
use crate::engine::{Answer, AnsweredImage, ServedModel};

/// Of [`CapturedPrediction`]. A reader refuses those that it does not know; fields may be added without a new one.
pub(crate) const FORMAT_VERSION: u32 = 1;

/// Why a prediction is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reason {
    /// Its image is in the share that is. Predictions with this reason, and no others, are a fair sample
    /// of the images.
    Sample,
    /// The image is out of distribution.
    OutOfDistribution,
    /// The model is not sure.
    LowConfidence,
}

/// One line of `predictions-YYYY-MM-DD.jsonl`.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct CapturedPrediction {
    pub format_version: u32,
    /// When the image was answered: RFC 3339, UTC.
    #[serde(serialize_with = "rfc3339")]
    pub time: OffsetDateTime,
    /// The request's name, as in the log and in the header `x-request-id`.
    pub request_id: String,
    pub image: CapturedImage,
    /// The decided class.
    pub class: String,
    /// Probability of that class, in [0, 1].
    pub confidence: f32,
    /// Probability of every class.
    pub probabilities: Probabilities,
    /// How the image compares with the reference; `null` without one.
    pub drift: Option<Assessment>,
    pub model: CapturedModel,
    /// Why it is kept: at least one reason.
    pub reasons: Vec<Reason>,
}

/// The image that was looked at.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct CapturedImage {
    /// From the capture folder. The file may have been removed since, to make room.
    pub path: String,
    /// SHA-256 of the file, 64 hexadecimal digits.
    pub sha256: String,
    /// Length of the file.
    pub bytes: usize,
}

/// The model that answered.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct CapturedModel {
    pub name: String,
    pub version: String,
    /// SHA-256 of its file, 64 hexadecimal digits.
    pub sha256: String,
}

impl CapturedPrediction {
    /// Of a prediction made just now, and the name that its image has. `None` for an image of a format that the model's
    /// side has learned alone.
    pub fn new(
        request_id: &str,
        answer: &Answer,
        image: &AnsweredImage,
        served: &ServedModel,
        reasons: Vec<Reason>,
    ) -> Option<(Self, ImageName)> {
        let (bytes, sha256) = (image.bytes.len(), image.sha256.clone());
        let extension = file_extension(&image.bytes)?;
        let name = ImageName { sha256: sha256.clone(), extension };
        let prediction = Self {
            format_version: FORMAT_VERSION,
            time: OffsetDateTime::now_utc(),
            request_id: request_id.to_owned(),
            image: CapturedImage { path: name.path(), sha256, bytes },
            class: served.class_of(answer).to_owned(),
            confidence: answer.prediction.confidence,
            probabilities: answer.prediction.probabilities_of(&served.spec.labels),
            drift: answer.drift.clone(),
            model: CapturedModel {
                name: served.spec.name.clone(),
                version: served.spec.version.clone(),
                sha256: served.sha256.clone(),
            },
            reasons,
        };
        Some((prediction, name))
    }
}

fn rfc3339<S: Serializer>(time: &OffsetDateTime, serializer: S) -> Result<S::Ok, S::Error> {
    // Fails for years of five digits alone.
    serializer.serialize_str(&time.format(&Rfc3339).unwrap_or_default())
}

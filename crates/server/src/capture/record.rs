//! What is written down of a prediction, and which predictions are.

use sdd_core::Probabilities;
use sdd_drift::Assessment;
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::names::ImageName;
use crate::engine::{Answer, ServedModel};
use crate::settings::CaptureSettings;

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

/// Which predictions are kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Selection {
    share: f64,
    always_ood: bool,
    below_confidence: f64,
}

impl Selection {
    pub fn new(settings: &CaptureSettings) -> Self {
        let &CaptureSettings { share, always_ood, below_confidence, .. } = settings;
        Self { share, always_ood, below_confidence }
    }

    /// Whether any image is kept without a reason of its own.
    pub fn takes_samples(&self) -> bool {
        self.share > 0.0
    }

    /// The reasons that lie in the prediction.
    pub fn reasons(&self, answer: &Answer) -> Vec<Reason> {
        let drift = answer.drift.as_ref();
        let strange = drift.and_then(|drift| drift.out_of_distribution) == Some(true);
        let mut reasons = Vec::new();
        if self.always_ood && strange {
            reasons.push(Reason::OutOfDistribution);
        }
        if f64::from(answer.prediction.confidence) < self.below_confidence {
            reasons.push(Reason::LowConfidence);
        }
        reasons
    }

    /// Whether the image with this SHA-256 is in the sample. By content rather than by chance: an
    /// image that is sent again and again is not kept in the end, and servers beside each other keep
    /// the same ones.
    pub fn samples(&self, sha256: &[u8; 32]) -> bool {
        let [a, b, c, d, e, f, g, h, ..] = *sha256;
        // The first 53 bits, which a float holds exactly, as a number from 0 to below 1.
        let bits = u64::from_be_bytes([a, b, c, d, e, f, g, h]) >> 11;
        (bits as f64) / ((1_u64 << 53) as f64) < self.share
    }
}

/// What is known of a prediction when it has been made.
#[derive(Debug, Clone)]
pub(super) struct Observation {
    pub time: OffsetDateTime,
    pub request_id: String,
    pub class: String,
    pub confidence: f32,
    pub probabilities: Probabilities,
    pub drift: Option<Assessment>,
    pub model: RecordedModel,
    pub reasons: Vec<Reason>,
}

impl Observation {
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
    pub(super) fn new(observed: &'a Observation, image: &ImageName, bytes: usize) -> Self {
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

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::Selection;

    fn selection(share: f64) -> Selection {
        Selection { share, always_ood: true, below_confidence: 0.8 }
    }

    #[test]
    fn a_share_of_all_contents_is_sampled() {
        let sampled = |share| {
            let digests = (0..2000_u32).map(|number| Sha256::digest(number.to_le_bytes()).into());
            digests.filter(|sha256| selection(share).samples(sha256)).count()
        };
        assert_eq!((sampled(0.0), sampled(1.0)), (0, 2000));
        // The contents are fixed, and so is their number; 500 and 20 are the expectations.
        assert!((430..570).contains(&sampled(0.25)), "{}", sampled(0.25));
        assert!((5..40).contains(&sampled(0.01)), "{}", sampled(0.01));
        assert!(selection(1.0).samples(&[0xff; 32]) && !selection(0.0).samples(&[0; 32]));
    }
}

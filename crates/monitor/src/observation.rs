//! One prediction, as the monitor sees it.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use sdd_drift::{Assessment, NearestImage, Properties};

/// One prediction. No pixels and no embedding: nothing that the image could be made of again.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Observation {
    /// When it was made: milliseconds since 1970 (UTC).
    pub time_ms: i64,
    /// The request that it was made for.
    pub request_id: String,
    /// The class that the model decided for.
    pub predicted_class: String,
    /// The probability of that class.
    pub confidence: f64,
    /// The drift score; larger is stranger.
    pub score: f64,
    /// Its p-value in (0, 1]; none without a calibration that can judge this image.
    pub p_value: Option<f64>,
    /// Whether the image is out of distribution; none without a calibration that can judge it.
    pub out_of_distribution: Option<bool>,
    /// The nearest reference images, nearest first.
    pub neighbors: Vec<ObservedNeighbor>,
    /// The camera or line that it came from, where that was said.
    pub stream: Option<String>,
    /// The part, tray or shift that it is of, where that is known.
    pub group: Option<String>,
    /// What the picture is like, where that was looked at.
    pub properties: Option<Properties>,
    /// SHA-256 of the image file, 64 hexadecimal digits, where images are kept, so that it can be found.
    pub image_sha256: Option<String>,
}

impl Observation {
    /// What a model and a reference said of an image: without time, request and file.
    #[must_use]
    pub fn new(predicted_class: &str, confidence: f32, assessment: &Assessment) -> Self {
        Self {
            predicted_class: predicted_class.to_owned(),
            confidence: f64::from(confidence),
            score: assessment.score,
            p_value: assessment.p_value,
            out_of_distribution: assessment.out_of_distribution,
            neighbors: assessment.neighbors.iter().map(ObservedNeighbor::from).collect(),
            ..Self::default()
        }
    }

    /// A number that two observations share where they are of one picture, as when a line retries or a camera stands
    /// still: by the file where its SHA-256 is known, else by all that the model and the reference said of it, to six
    /// digits, since a batch of another size may change the last ones.
    #[must_use]
    pub fn picture(&self) -> u64 {
        let text = self.image_sha256.clone().unwrap_or_else(|| {
            let near = |near: &ObservedNeighbor| format!("{}\0{:.5e}", near.id, near.distance);
            let near: Vec<String> = self.neighbors.iter().map(near).collect();
            let Self { predicted_class, confidence, score, .. } = self;
            format!("{predicted_class}\0{confidence:.5e}\0{score:.5e}\0{}", near.join("\0"))
        });
        let digest: [u8; 32] = Sha256::digest(text).into();
        digest[..8].iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
    }
}

/// One of the nearest reference images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ObservedNeighbor {
    /// Its id in the store.
    pub id: String,
    /// Its class, where it has one.
    pub label: Option<String>,
    /// Its distance.
    pub distance: f64,
}

impl From<&NearestImage> for ObservedNeighbor {
    fn from(near: &NearestImage) -> Self {
        Self {
            id: near.id.to_string(),
            label: near.label.as_deref().map(str::to_owned),
            distance: near.distance,
        }
    }
}

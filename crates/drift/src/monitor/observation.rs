//! One prediction, as the monitor sees it.

use serde::{Deserialize, Serialize};

use crate::reference::{Assessment, NearestImage};

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

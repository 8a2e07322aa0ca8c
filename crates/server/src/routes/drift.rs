//! How an image compares with the reference, as clients see it.

use std::sync::Arc;

use sdd_drift::{Assessment, NearestImage, ScoreMethod};
use serde::Serialize;
use utoipa::ToSchema;

/// How an image compares with what the model was trained on.
#[derive(Debug, Serialize, ToSchema)]
pub struct Drift {
    /// How the score was computed.
    pub method: Method,
    /// The distance from the reference; larger is stranger.
    #[schema(minimum = 0)]
    pub score: f64,
    /// The share of calibration images that were at least as strange, never 0; `null` without a
    /// calibration.
    #[schema(required = true, exclusive_minimum = 0, maximum = 1)]
    pub p_value: Option<f64>,
    /// Scores above it are out of distribution; `null` without a calibration.
    #[schema(required = true)]
    pub threshold: Option<f64>,
    /// Whether the image does not look like the training images; `null` without a calibration.
    #[schema(required = true)]
    pub out_of_distribution: Option<bool>,
    /// The nearest reference images of any class, nearest first.
    pub neighbors: Vec<Neighbor>,
}

/// How a score is computed.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = DriftMethod)]
pub enum Method {
    /// The distance to the k-th nearest reference image.
    Knn,
    /// The same among the reference images of the decided class.
    KnnSameClass,
    /// The mean L1 distance to all reference images.
    MeanL1,
    /// The same over the reference images of the decided class.
    MeanL1SameClass,
}

/// One of the nearest reference images.
#[derive(Debug, Serialize, ToSchema)]
pub struct Neighbor {
    /// Its id in the store, for images their path.
    #[schema(value_type = String)]
    pub id: Arc<str>,
    /// Its class, where it has one.
    #[schema(required = true, value_type = Option<String>)]
    pub label: Option<Arc<str>>,
    /// The Euclidean distance, of unit vectors where the store normalizes.
    #[schema(minimum = 0)]
    pub distance: f64,
}

impl From<Assessment> for Drift {
    fn from(assessment: Assessment) -> Self {
        Self {
            method: assessment.method.into(),
            score: assessment.score,
            p_value: assessment.p_value,
            threshold: assessment.threshold,
            out_of_distribution: assessment.out_of_distribution,
            neighbors: assessment.neighbors.into_iter().map(Neighbor::from).collect(),
        }
    }
}

impl From<NearestImage> for Neighbor {
    fn from(image: NearestImage) -> Self {
        Self { id: image.id, label: image.label, distance: image.distance }
    }
}

impl From<ScoreMethod> for Method {
    fn from(method: ScoreMethod) -> Self {
        match method {
            ScoreMethod::Knn => Self::Knn,
            ScoreMethod::KnnSameClass => Self::KnnSameClass,
            ScoreMethod::MeanL1 => Self::MeanL1,
            ScoreMethod::MeanL1SameClass => Self::MeanL1SameClass,
        }
    }
}

#[cfg(test)]
mod tests {
    use sdd_drift::ScoreMethod;

    use super::Method;

    #[test]
    fn methods_have_the_names_that_stores_and_programs_use() {
        for method in ScoreMethod::ALL {
            let name = serde_json::to_value(Method::from(method)).unwrap();
            assert_eq!(name, method.name());
        }
    }
}

//! How an image compares with the reference, as clients see it.

use std::sync::Arc;

use sdd_drift::{Assessment, NearestImage, ScoreMethod, Unavailable as Reason};
use serde::Serialize;
use utoipa::ToSchema;

/// How an image compares with what the model was trained on.
#[derive(Debug, Serialize, ToSchema)]
pub struct Drift {
    /// How the score was computed.
    pub method: Method,
    /// The distance from the reference; larger is stranger. `mahalanobis` may be negative.
    pub score: f64,
    /// The share of calibration images that were at least as strange (with what the guarantee adds to
    /// it), never 0; `null` where `unavailable` says why.
    #[schema(required = true, exclusive_minimum = 0, maximum = 1)]
    pub p_value: Option<f64>,
    /// Scores above it are out of distribution; `null` where `unavailable` says why.
    #[schema(required = true)]
    pub threshold: Option<f64>,
    /// Whether the image does not look like the training images; `null` where `unavailable` says why.
    #[schema(required = true)]
    pub out_of_distribution: Option<bool>,
    /// Why there is no p-value, threshold and verdict; `null` where there are.
    #[schema(required = true)]
    pub unavailable: Option<Unavailable>,
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
    /// The relative Mahalanobis distance to the classes of the reference.
    Mahalanobis,
}

/// Why an image has no verdict.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DriftUnavailable)]
pub struct Unavailable {
    /// A name that does not change: `no_calibration`, `not_enough_calibration_images` (of the decided
    /// class, where each class is judged by its own images), or `class_not_given`.
    pub reason: &'static str,
    /// The same as a sentence.
    pub message: String,
    /// The decided class, where its images are too few.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// How many calibration images it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub images: Option<usize>,
    /// How many it takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub required: Option<usize>,
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
            unavailable: assessment.unavailable.map(Unavailable::from),
            neighbors: assessment.neighbors.into_iter().map(Neighbor::from).collect(),
        }
    }
}

impl From<Reason> for Unavailable {
    fn from(unavailable: Reason) -> Self {
        let (reason, message) = (unavailable.reason(), unavailable.to_string());
        let (class, images, required) = match unavailable {
            Reason::NotEnoughCalibrationImages { class, images, required } => {
                (Some(class), Some(images), Some(required))
            }
            _ => (None, None, None),
        };
        Self { reason, message, class, images, required }
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
            ScoreMethod::Mahalanobis => Self::Mahalanobis,
        }
    }
}

#[cfg(test)]
mod tests {
    use sdd_drift::ScoreMethod;

    use super::{Method, Reason, Unavailable};

    #[test]
    fn methods_have_the_names_that_stores_and_programs_use() {
        for method in ScoreMethod::ALL {
            let name = serde_json::to_value(Method::from(method)).unwrap();
            assert_eq!(name, method.name());
        }
    }

    #[test]
    fn reasons_are_those_of_the_library() {
        for reason in [
            Reason::NoCalibration,
            Reason::ClassNotGiven,
            Reason::NotEnoughCalibrationImages { class: "a".into(), images: 7, required: 19 },
        ] {
            let expected = serde_json::to_value(&reason).unwrap();
            assert_eq!(serde_json::to_value(Unavailable::from(reason)).unwrap(), expected);
        }
    }
}

//! What a reference and its calibration say of themselves.

use sdd_drift::{Calibration, Reference};
use sdd_index::ModelIdentity;
use serde::Serialize;

/// What a reference says of itself.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReferenceFacts {
    /// The model's name and version, where it is known.
    pub model: Option<String>,
    /// Its images.
    pub images: usize,
    /// When it was written: RFC 3339, UTC.
    pub created_at: String,
    /// The score, and with how many neighbors.
    pub score: String,
    /// Its calibration; none without.
    pub calibration: Option<CalibrationFacts>,
}

/// What a calibration says of itself.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CalibrationFacts {
    /// Its images.
    pub images: usize,
    /// The groups that they are of, where that is known: these count.
    pub groups: Option<usize>,
    /// The level: the tolerated share of false alarms among good images.
    pub alpha: f64,
    /// Scores above it are out of distribution; none where each class has a threshold of its own.
    pub threshold: Option<f64>,
}

impl ReferenceFacts {
    pub(crate) fn of(reference: &Reference) -> Self {
        let manifest = reference.store().manifest();
        let model = |model: &ModelIdentity| format!("{} {}", model.name, model.version);
        Self {
            model: reference.model().map(model),
            images: reference.store().len(),
            created_at: manifest.created_at.clone(),
            score: reference.score().to_string(),
            calibration: reference.calibration().map(CalibrationFacts::of),
        }
    }
}

impl CalibrationFacts {
    fn of(calibration: &Calibration) -> Self {
        Self {
            images: calibration.images(),
            groups: calibration.groups(),
            alpha: calibration.alpha(),
            threshold: calibration.threshold(),
        }
    }
}

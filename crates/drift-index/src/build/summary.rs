//! What `build` says at its end.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use sdd_drift::{Calibration, Score};
use sdd_index::{LabelCount, Manifest};
use serde::Serialize;

use crate::answer::line;
use crate::describe::{self, CalibrationInfo, ModelInfo, ScoreInfo};
use crate::remarks::Remarks;

/// A store that was written.
pub struct Built {
    pub manifest: Manifest,
    pub labels: Vec<LabelCount>,
    pub score: Score,
    pub calibration: Option<Calibration>,
    pub remarks: Remarks,
}

/// The answer of `build`.
#[derive(Serialize)]
pub struct Summary {
    store: String,
    images: usize,
    dimension: usize,
    normalization: String,
    labels: Vec<LabelCount>,
    model: Option<ModelInfo>,
    score: ScoreInfo,
    calibration: Option<CalibrationInfo>,
    #[serde(flatten)]
    remarks: Remarks,
    seconds: f64,
}

impl Summary {
    pub fn new(out: &Path, built: Built, elapsed: Duration) -> Self {
        Self {
            store: out.display().to_string(),
            images: built.manifest.count,
            dimension: built.manifest.dimension,
            normalization: built.manifest.normalization.to_string(),
            labels: built.labels,
            model: built.manifest.model.as_ref().map(ModelInfo::from),
            score: built.score.into(),
            calibration: built.calibration.as_ref().map(CalibrationInfo::from),
            remarks: built.remarks,
            seconds: elapsed.as_secs_f64(),
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "built {} in {:.1} s", self.store, self.seconds)?;
        line(f, "images", describe::images_text(self.images, self.dimension, &self.labels))?;
        line(f, "model", describe::model_text(self.model.as_ref()))?;
        line(f, "score", format_args!("{}, normalization {}", self.score, self.normalization))?;
        describe::fmt_calibration(f, self.calibration.as_ref())?;
        self.remarks.fmt(f)
    }
}

//! `drift-index info`: what a store says of itself.

use std::fmt;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use sdd_drift::calibration::{CalibrationSource, GroupBy};
use sdd_drift::{Calibration, Reference, Score};
use sdd_index::{LabelCount, ModelIdentity};
use serde::Serialize;

use crate::answer::{Answer, count, line};
use crate::exit::ExitStatus;

const AFTER_LONG_HELP: &str = "\
JSON (--json): status, store, images, dimension, normalization, generation, created_at,
labels [{label, count}], model {name, version, sha256} or null, score {method, k},
calibration {images, groups, alpha, threshold, source} or null.";

/// Say what a store holds and how it was made
#[derive(Debug, Args)]
#[command(after_long_help = AFTER_LONG_HELP)]
pub struct Arguments {
    /// The store
    store: PathBuf,
}

pub fn run(arguments: &Arguments) -> Result<Answer> {
    let reference = Reference::open(&arguments.store)
        .with_context(|| format!("cannot open {}", arguments.store.display()))?;
    Answer::new(ExitStatus::Success, &StoreInfo::new(&arguments.store, &reference))
}

/// What a store says of itself.
#[derive(Serialize)]
pub struct StoreInfo {
    store: String,
    images: usize,
    dimension: usize,
    normalization: String,
    generation: u64,
    created_at: String,
    labels: Vec<LabelCount>,
    model: Option<ModelInfo>,
    score: ScoreInfo,
    calibration: Option<CalibrationInfo>,
}

impl StoreInfo {
    pub fn new(path: &std::path::Path, reference: &Reference) -> Self {
        let (store, manifest) = (reference.store(), reference.store().manifest());
        Self {
            store: path.display().to_string(),
            images: store.len(),
            dimension: store.dimension(),
            normalization: manifest.normalization.to_string(),
            generation: manifest.generation,
            created_at: manifest.created_at.clone(),
            labels: store.labels(),
            model: reference.model().map(ModelInfo::from),
            score: reference.score().into(),
            calibration: reference.calibration().map(CalibrationInfo::from),
        }
    }
}

impl fmt::Display for StoreInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.store)?;
        line(f, "images", images_text(self.images, self.dimension, &self.labels))?;
        line(f, "model", model_text(self.model.as_ref()))?;
        line(f, "score", format_args!("{}, normalization {}", self.score, self.normalization))?;
        line(f, "calibration", calibration_text(self.calibration.as_ref()))?;
        line(f, "written", format_args!("{}, generation {}", self.created_at, self.generation))
    }
}

/// The model that made the embeddings.
#[derive(Serialize)]
pub struct ModelInfo {
    name: String,
    version: String,
    sha256: String,
}

impl From<&ModelIdentity> for ModelInfo {
    fn from(model: &ModelIdentity) -> Self {
        let ModelIdentity { name, version, sha256 } = model.clone();
        Self { name, version, sha256 }
    }
}

/// The score that the store is for.
#[derive(Serialize)]
pub struct ScoreInfo {
    method: &'static str,
    k: Option<usize>,
}

impl From<Score> for ScoreInfo {
    fn from(score: Score) -> Self {
        Self { method: score.method().name(), k: score.k() }
    }
}

impl fmt::Display for ScoreInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.k {
            Some(k) => write!(f, "{} (k = {k})", self.method),
            None => f.write_str(self.method),
        }
    }
}

/// The calibration without its single scores.
#[derive(Serialize)]
pub struct CalibrationInfo {
    images: usize,
    groups: Option<usize>,
    alpha: f64,
    threshold: f64,
    source: CalibrationSource,
}

impl From<&Calibration> for CalibrationInfo {
    fn from(calibration: &Calibration) -> Self {
        Self {
            images: calibration.images(),
            groups: calibration.groups(),
            alpha: calibration.alpha(),
            threshold: calibration.threshold(),
            source: calibration.source().clone(),
        }
    }
}

/// `12 (8 good, 4 without class), embeddings of 1280 values`
pub fn images_text(images: usize, dimension: usize, labels: &[LabelCount]) -> String {
    let classes: Vec<String> = labels
        .iter()
        .map(|entry| match &entry.label {
            Some(label) => format!("{} {label}", entry.count),
            None => format!("{} without class", entry.count),
        })
        .collect();
    format!("{} ({}), embeddings of {}", images, classes.join(", "), count(dimension, "value"))
}

pub fn model_text(model: Option<&ModelInfo>) -> String {
    model.map_or_else(
        || "unknown".to_owned(),
        |model| format!("{} {}, SHA-256 {}", model.name, model.version, model.sha256),
    )
}

pub fn calibration_text(calibration: Option<&CalibrationInfo>) -> String {
    let Some(calibration) = calibration else {
        return "none: queries get a score, and no p-value".to_owned();
    };
    let groups = calibration.groups.map(|groups| format!(" of {}", count(groups, "group")));
    let source = match &calibration.source {
        CalibrationSource::Directory => "from a folder of their own".to_owned(),
        CalibrationSource::Embeddings => "from embeddings".to_owned(),
        CalibrationSource::Split { group_by, share, seed } => {
            let by = match group_by {
                GroupBy::CsvColumn(column) => format!("column {column}"),
                GroupBy::Regex(regex) => format!("expression {regex}"),
                _ => "another rule".to_owned(),
            };
            format!("share {share} by {by}, seed {seed}")
        }
        _ => "chosen in another way".to_owned(),
    };
    format!(
        "{}{}, {source}; out of distribution above {:.6} (alpha {})",
        count(calibration.images, "image"),
        groups.unwrap_or_default(),
        calibration.threshold,
        calibration.alpha,
    )
}

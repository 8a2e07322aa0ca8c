//! What a store says of itself: images, model, score, calibration.

use std::fmt;
use std::path::Path;

use sdd_drift::calibration::{CalibrationSource, ClassCalibration};
use sdd_drift::{Calibration, GroupBy, PValueKind, PValueWithin, Reference, Score};
use sdd_index::{LabelCount, ModelIdentity};
use serde::Serialize;

use crate::answer::{count, line};

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
    pub fn new(path: &Path, reference: &Reference) -> Self {
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
        fmt_calibration(f, self.calibration.as_ref())?;
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
    group_by: Option<GroupBy>,
    smallest_p_value: f64,
    alpha: f64,
    p_value: PValueKind,
    within: PValueWithin,
    threshold: Option<f64>,
    classes: Vec<ClassInfo>,
    #[serde(skip)]
    required: usize,
    source: CalibrationSource,
}

impl CalibrationInfo {
    /// `64 calibration images, threshold 0.123456`
    pub fn short(&self) -> String {
        let images = count(self.images, "calibration image");
        match self.threshold {
            Some(threshold) => format!("{images}, threshold {threshold:.6}"),
            None if self.within == PValueWithin::All => format!("{images}, too few groups"),
            None => format!("{images}, a threshold a class"),
        }
    }
}

/// The calibration images of a predicted class.
#[derive(Serialize)]
pub struct ClassInfo {
    class: Option<String>,
    images: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<usize>,
    threshold: Option<f64>,
}

impl From<&Calibration> for CalibrationInfo {
    fn from(calibration: &Calibration) -> Self {
        Self {
            images: calibration.images(),
            groups: calibration.groups(),
            group_by: calibration.group_by().cloned(),
            smallest_p_value: calibration.smallest_p_value(),
            alpha: calibration.alpha(),
            p_value: calibration.rule().p_value,
            within: calibration.rule().within,
            threshold: calibration.threshold(),
            classes: calibration.classes().into_iter().map(ClassInfo::from).collect(),
            required: calibration.rule().required_images(),
            source: calibration.source().clone(),
        }
    }
}

impl From<ClassCalibration> for ClassInfo {
    fn from(calibration: ClassCalibration) -> Self {
        let ClassCalibration { class, images, groups, threshold } = calibration;
        Self { class, images, groups, threshold }
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

/// The images, and what is unusual among them: for all, or for each predicted class.
pub fn fmt_calibration(
    f: &mut fmt::Formatter<'_>,
    calibration: Option<&CalibrationInfo>,
) -> fmt::Result {
    let Some(calibration) = calibration else {
        return line(f, "calibration", "none: images get a score, and no p-value");
    };
    line(f, "calibration", calibration_text(calibration))?;
    if calibration.within == PValueWithin::All {
        return line(f, "predicted", classes_text(&calibration.classes));
    }
    for (position, class) in calibration.classes.iter().enumerate() {
        let name = if position == 0 { "predicted" } else { "" };
        let verdict = class.threshold.map_or_else(
            || format!("no verdict, which takes {}", calibration.required),
            |threshold| format!("out of distribution above {threshold:.6}"),
        );
        let images = classes_text(std::slice::from_ref(class));
        line(f, name, format_args!("{images}: {verdict}"))?;
    }
    Ok(())
}

/// `15 good, 4 without class`
fn classes_text(classes: &[ClassInfo]) -> String {
    let text = |entry: &ClassInfo| {
        let class = entry.class.as_deref().unwrap_or("without class");
        let groups = entry.groups.map(|groups| format!(" of {}", count(groups, "group")));
        format!("{} {class}{}", entry.images, groups.unwrap_or_default())
    };
    classes.iter().map(text).collect::<Vec<_>>().join(", ")
}

fn calibration_text(calibration: &CalibrationInfo) -> String {
    let groups = calibration.groups.map(|groups| format!(" of {}", count(groups, "group")));
    let source = source_text(calibration);
    let level = match calibration.p_value {
        PValueKind::Marginal => format!("alpha {}", calibration.alpha),
        simes @ PValueKind::Simes { .. } => format!("alpha {}, {simes}", calibration.alpha),
    };
    let level = format!("{level}, smallest p {:.4}", calibration.smallest_p_value);
    let verdict = match calibration.threshold {
        Some(threshold) => format!("out of distribution above {threshold:.6} ({level})"),
        None if calibration.within == PValueWithin::All => {
            format!("no verdict, which takes {} ({level})", count(calibration.required, "group"))
        }
        None => format!("by predicted class ({level})"),
    };
    let images = count(calibration.images, "image");
    format!("{images}{}, {source}; {verdict}", groups.unwrap_or_default())
}

/// How the images were chosen, and how their groups are told.
fn source_text(calibration: &CalibrationInfo) -> String {
    let source = chosen_text(&calibration.source);
    match (&calibration.source, &calibration.group_by) {
        (CalibrationSource::Directory | CalibrationSource::Embeddings, Some(group_by)) => {
            format!("{source}, grouped by {}", group_by_text(group_by))
        }
        _ => source,
    }
}

fn chosen_text(source: &CalibrationSource) -> String {
    match source {
        CalibrationSource::Directory => "from a folder of their own".to_owned(),
        CalibrationSource::Embeddings => "from embeddings".to_owned(),
        CalibrationSource::Split { group_by, share, seed } => {
            format!("share {share} by {}, seed {seed}", group_by_text(group_by))
        }
        CalibrationSource::LeaveOneGroupOut { group_by } => {
            format!("each among those of the other groups, by {}", group_by_text(group_by))
        }
        CalibrationSource::Joined { parts } => {
            parts.iter().map(chosen_text).collect::<Vec<_>>().join(" and ")
        }
        _ => "chosen in another way".to_owned(),
    }
}

fn group_by_text(group_by: &GroupBy) -> String {
    match group_by {
        GroupBy::CsvColumn(column) => format!("column {column}"),
        GroupBy::Regex(regex) => format!("expression {regex}"),
        GroupBy::Folder(level) => format!("folder {level} above"),
        _ => "another rule".to_owned(),
    }
}

//! What a store says of itself: images, model, score, calibration.

use std::fmt;
use std::path::Path;

use sdd_drift::calibration::{CalibrationSource, ClassCalibration};
use sdd_drift::{Calibration, GroupBy, PValueKind, PValueWithin, Reference, Score};
use sdd_index::{FileStore, LabelCount, Manifest, ModelIdentity, Normalization};
use serde::Serialize;

use crate::answer::{count, line};

/// What a store says of itself.
#[derive(Serialize)]
pub struct StoreInfo {
    pub store: String,
    images: usize,
    dimension: usize,
    normalization: Normalization,
    /// Null where nothing was written, as in a dry run.
    generation: Option<u64>,
    created_at: Option<String>,
    labels: Vec<LabelCount>,
    model: Option<ModelIdentity>,
    score: Score,
    calibration: Option<CalibrationInfo>,
}

impl StoreInfo {
    /// Of a store that is in this folder, where this is its manifest, or is only held in memory.
    pub fn new(
        folder: &Path,
        written: Option<&Manifest>,
        store: &FileStore,
        score: Score,
        calibration: Option<&Calibration>,
    ) -> Self {
        Self {
            store: folder.display().to_string(),
            images: store.len(),
            dimension: store.dimension(),
            normalization: store.manifest().normalization,
            generation: written.map(|manifest| manifest.generation),
            created_at: written.map(|manifest| manifest.created_at.clone()),
            labels: store.labels(),
            model: store.manifest().model.clone(),
            score,
            calibration: calibration.map(CalibrationInfo::from),
        }
    }

    /// Of a store that was opened.
    pub fn of_reference(folder: &Path, reference: &Reference) -> Self {
        let store = reference.store();
        let (score, calibration) = (reference.score(), reference.calibration());
        Self::new(folder, Some(store.manifest()), store, score, calibration)
    }

    /// All but its name.
    pub fn fmt_content(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        line(f, "images", images_text(self.images, self.dimension, &self.labels))?;
        line(f, "model", model_text(self.model.as_ref()))?;
        line(f, "score", format_args!("{}, normalization {}", self.score, self.normalization))?;
        fmt_calibration(f, self.calibration.as_ref())?;
        match (&self.created_at, self.generation) {
            (Some(time), Some(number)) => {
                line(f, "written", format_args!("{time}, generation {number}"))
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for StoreInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.store)?;
        self.fmt_content(f)
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
    classes: Vec<ClassCalibration>,
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
            classes: calibration.classes(),
            required: calibration.rule().required_images(),
            source: calibration.source().clone(),
        }
    }
}

/// `12 (8 good, 4 without class), embeddings of 1280 values`
fn images_text(images: usize, dimension: usize, labels: &[LabelCount]) -> String {
    let classes: Vec<String> = labels
        .iter()
        .map(|entry| match &entry.label {
            Some(label) => format!("{} {label}", entry.count),
            None => format!("{} without class", entry.count),
        })
        .collect();
    format!("{} ({}), embeddings of {}", images, classes.join(", "), count(dimension, "value"))
}

pub fn model_text(model: Option<&ModelIdentity>) -> String {
    model.map_or_else(
        || "unknown".to_owned(),
        |model| format!("{} {}, SHA-256 {}", model.name, model.version, model.sha256),
    )
}

/// The images, and what is unusual among them: for all, or for each predicted class.
fn fmt_calibration(
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
fn classes_text(classes: &[ClassCalibration]) -> String {
    let text = |entry: &ClassCalibration| {
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

//! The report: numbers only.

use serde::Serialize;

use super::facts::ReferenceFacts;
use super::p_values::PValueHistogram;
use super::scores::{self, ScoreBox};
use crate::error::Result;
use sdd_drift::Reference;
use sdd_monitor::{
    Course, MonitorReport, PairId, Recorded, SeriesPoint, StoredObservation, Stretch,
};

/// What the document says that it is.
const FORMAT: &str = "sdd-drift-report";

/// Its version: a reader refuses those that it does not know; fields may be added without a new one.
const FORMAT_VERSION: u32 = 2;

/// Points of the path of the evidence.
const PATH_POINTS: usize = 400;

/// What a monitor has seen.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = DriftReportDocument))]
pub struct Report {
    /// `sdd-drift-report`.
    pub format: String,
    /// The version of this form.
    pub format_version: u32,
    /// When it was made: milliseconds since 1970 (UTC).
    pub made_ms: i64,
    /// The model and the reference that images were judged by.
    pub pair: PairId,
    /// What the reference says of itself.
    pub reference: ReferenceFacts,
    /// Verdict, reasons and numbers.
    pub drift: MonitorReport,
    /// What to do, step by step.
    pub what_to_do: Vec<String>,
    /// The epoch in stretches of as many images each, oldest first.
    pub stretches: Vec<Stretch>,
    /// What the evidence did, oldest first.
    pub path: Vec<PathPoint>,
    /// The scores of samples of images, each as a box.
    pub scores: Vec<ScoreBox>,
    /// The p-values of the epoch; none without.
    pub p_values: Option<PValueHistogram>,
    /// The strangest pictures of the window with their nearest reference images, strangest first, each once.
    pub strangest: Vec<StrangeImage>,
}

/// One of the strangest pictures.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = DriftStrangeImage))]
pub struct StrangeImage {
    /// When it came last.
    #[serde(flatten)]
    pub image: StoredObservation,
    /// How many of the last images, as many as a window has, are this picture, as of a camera that stands still.
    pub times: usize,
}

/// What the evidence did within a stretch.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = DriftPathPoint))]
pub struct PathPoint {
    /// The number of its last image.
    pub sequence: u64,
    /// R; none where nothing was tested.
    pub evidence: Option<Course>,
}

impl Report {
    /// Of what a monitor's store has of a pair, and that pair's reference. `now_ms` is the time: milliseconds since
    /// 1970 (UTC).
    ///
    /// # Errors
    ///
    /// What the reference reports.
    pub fn of(recorded: Recorded, reference: &Reference, now_ms: i64) -> Result<Self> {
        let Recorded { pair, drift, images, strangest } = recorded;
        let facts = ReferenceFacts::of(reference);
        let recent = &images[images.len().saturating_sub(drift.settings.window)..];
        Ok(Self {
            format: FORMAT.into(),
            format_version: FORMAT_VERSION,
            made_ms: now_ms,
            pair,
            what_to_do: super::advice::what_to_do(&drift, &facts),
            stretches: Stretch::divide(&images, Stretch::USUAL_NUMBER)?,
            path: path(&images)?,
            scores: scores::boxes(reference, recent)?,
            p_values: PValueHistogram::of(&images, reference.calibration()),
            reference: facts,
            drift,
            strangest: strangest.into_iter().map(|image| StrangeImage::of(image, recent)).collect(),
        })
    }
}

impl StrangeImage {
    fn of(image: StoredObservation, recent: &[SeriesPoint]) -> Self {
        let seen = &image.observation;
        let is_same = |point: &&SeriesPoint| {
            (point.score, point.p_value, &point.predicted_class)
                == (seen.score, seen.p_value, &seen.predicted_class)
        };
        let times = recent.iter().filter(is_same).count().max(1);
        Self { image, times }
    }
}

fn path(images: &[SeriesPoint]) -> Result<Vec<PathPoint>> {
    let point = |stretch: Stretch| PathPoint {
        sequence: stretch.last_sequence,
        evidence: stretch.evidence,
    };
    Ok(Stretch::divide(images, PATH_POINTS)?.into_iter().map(point).collect())
}

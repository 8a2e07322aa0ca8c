//! The samples of images whose scores are compared.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::error::Result;
use sdd_drift::Reference;
use sdd_drift::calibration::CalibrationEntry;
use sdd_monitor::SeriesPoint;
use sdd_stats::box_plot::BoxPlot;

/// Reference images that are scored for the plot at most; evenly spaced ones of a larger reference.
const MOST_REFERENCE_IMAGES: usize = 500;

/// Classes that are shown by themselves at most, the most frequent ones.
const MOST_CLASSES: usize = 8;

/// Fliers that a box keeps at most, the outermost ones.
const MOST_FLIERS: usize = 60;

/// Which images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = DriftSample))]
#[serde(rename_all = "snake_case")]
pub enum Sample {
    /// Reference images, each against the others.
    Reference,
    /// The held-out images of the calibration.
    Calibration,
    /// The last images: as many as a window.
    Recent,
}

/// The scores of a sample.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = DriftScoreBox))]
pub struct ScoreBox {
    /// Which images.
    pub sample: Sample,
    /// The predicted class that they are of; none for all.
    pub class: Option<String>,
    /// Their scores; of fliers, the outermost 60.
    #[serde(flatten)]
    pub plot: BoxPlot,
}

/// Reference, calibration and recent images, and the last two by predicted class.
pub(super) fn boxes(reference: &Reference, recent: &[SeriesPoint]) -> Result<Vec<ScoreBox>> {
    let held_out = reference.calibration().map_or(&[][..], |calibration| calibration.entries());
    let known = reference.leave_one_out_scores(MOST_REFERENCE_IMAGES)?.unwrap_or_default();
    let mut boxes = Vec::new();
    let mut add = |sample, class: Option<&str>, scores: Vec<f64>| -> Result<()> {
        if !scores.is_empty() {
            let mut plot = BoxPlot::new(&scores)?;
            keep_outermost(&mut plot);
            boxes.push(ScoreBox { sample, class: class.map(str::to_owned), plot });
        }
        Ok(())
    };
    add(Sample::Reference, None, known)?;
    add(Sample::Calibration, None, held_out.iter().map(|entry| entry.score).collect())?;
    add(Sample::Recent, None, recent.iter().map(|image| image.score).collect())?;
    for class in classes(held_out, recent) {
        let of_class = |entry: &&CalibrationEntry| entry.predicted_class.as_deref() == Some(class);
        add(
            Sample::Calibration,
            Some(class),
            held_out.iter().filter(of_class).map(|entry| entry.score).collect(),
        )?;
        let of_class = recent.iter().filter(|image| image.predicted_class == class);
        add(Sample::Recent, Some(class), of_class.map(|image| image.score).collect())?;
    }
    Ok(boxes)
}

/// The most frequent classes, by name; none where there is but one, which would be shown twice.
fn classes<'a>(held_out: &'a [CalibrationEntry], recent: &'a [SeriesPoint]) -> Vec<&'a str> {
    let recent = recent.iter().map(|image| image.predicted_class.as_str());
    let all: Vec<&str> = held_out
        .iter()
        .filter_map(|entry| entry.predicted_class.as_deref())
        .chain(recent)
        .collect();
    let mut known: Vec<&str> = all.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
    if known.len() < 2 {
        return Vec::new();
    }
    let count = |class: &str| all.iter().filter(|known| **known == class).count();
    known.sort_by_key(|class| std::cmp::Reverse(count(class)));
    known.truncate(MOST_CLASSES);
    known.sort_unstable();
    known
}

fn keep_outermost(plot: &mut BoxPlot) {
    let median = plot.median;
    plot.fliers.sort_by(|a, b| (b - median).abs().total_cmp(&(a - median).abs()));
    plot.fliers.truncate(MOST_FLIERS);
}

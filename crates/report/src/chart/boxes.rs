//! The box plot: the scores of reference, calibration and recent images.

use super::scale::{Scale, number};
use super::{Anchor, Drawing, WIDTH, shortened};
use crate::document::Report;
use crate::scores::{Sample, ScoreBox};

const LEFT: f64 = 210.0;
const RIGHT: f64 = WIDTH - 20.0;
const TOP: f64 = 48.0;
const ROW: f64 = 40.0;
const HALF_BOX: f64 = 11.0;

/// The names of a row are cut to so many characters.
const MOST_LETTERS: usize = 28;

/// Boxes one below the other on one scale, with the threshold.
pub(crate) fn drawing(report: &Report) -> Drawing {
    let boxes = &report.scores;
    let calibration = report.reference.calibration.as_ref();
    let threshold = calibration.and_then(|calibration| calibration.threshold);
    let bottom = TOP + ROW * boxes.len().max(1) as f64;
    let mut drawing = Drawing::new(bottom + 48.0, description(report));
    drawing.text("title", [LEFT, 20.0], Anchor::Start, "Drift scores: larger is stranger");
    if boxes.is_empty() {
        drawing.text("tick", [LEFT, TOP + ROW / 2.0], Anchor::Start, "no scores yet");
        return drawing;
    }
    let scale = Scale::straight(range(boxes, threshold), [LEFT, RIGHT]);
    for tick in scale.ticks() {
        let x = scale.at(tick);
        drawing.line("grid", [x, TOP], [x, bottom]);
        drawing.text("tick", [x, bottom + 18.0], Anchor::Middle, &number(tick));
    }
    let name = format!("drift score ({})", report.reference.score);
    drawing.text("tick", [f64::midpoint(LEFT, RIGHT), bottom + 38.0], Anchor::Middle, &name);
    for (row, of) in boxes.iter().enumerate() {
        row_of(&mut drawing, &scale, TOP + ROW * (row as f64 + 0.5), of);
    }
    if let Some(threshold) = threshold {
        let x = scale.at(threshold);
        drawing.line("limit", [x, TOP - 6.0], [x, bottom]);
        let text = format!("out of distribution above {}", number(threshold));
        let (anchor, x) = if x > f64::midpoint(LEFT, RIGHT) {
            (Anchor::End, x + 4.0)
        } else {
            (Anchor::Start, x - 4.0)
        };
        drawing.text("limit-name", [x, TOP - 12.0], anchor, &text);
    }
    drawing
}

fn description(report: &Report) -> String {
    let boxes = report.scores.iter().map(|of| {
        format!("{}: {} images, median {}", name(of), of.plot.count, number(of.plot.median))
    });
    format!("Box plots of the drift scores. {}.", boxes.collect::<Vec<_>>().join("; "))
}

fn name(of: &ScoreBox) -> String {
    let sample = match of.sample {
        Sample::Reference => "reference",
        Sample::Calibration => "calibration",
        Sample::Recent => "recent",
    };
    match &of.class {
        Some(class) => format!("{sample}, {class}"),
        None => sample.to_owned(),
    }
}

/// From the smallest to the largest thing that is drawn, with some room.
fn range(boxes: &[ScoreBox], threshold: Option<f64>) -> [f64; 2] {
    let ends = boxes.iter().flat_map(|of| {
        of.plot.fliers.iter().copied().chain([
            of.plot.whisker_low,
            of.plot.whisker_high,
            of.plot.mean,
        ])
    });
    let (low, high) = ends
        .chain(threshold)
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), end| (low.min(end), high.max(end)));
    let room = 0.04 * (high - low);
    [low - room, high + room]
}

fn row_of(drawing: &mut Drawing, scale: &Scale, y: f64, of: &ScoreBox) {
    let plot = &of.plot;
    drawing.text("name", [LEFT - 12.0, y - 1.0], Anchor::End, &shortened(&name(of), MOST_LETTERS));
    let count = format!("{} images", plot.count);
    drawing.text("tick", [LEFT - 12.0, y + 13.0], Anchor::End, &count);
    let at = |value: f64| scale.at(value);
    for (inner, outer) in [(plot.q1, plot.whisker_low), (plot.q3, plot.whisker_high)] {
        drawing.line("whisker", [at(inner), y], [at(outer), y]);
        drawing.line("whisker", [at(outer), y - 5.0], [at(outer), y + 5.0]);
    }
    let class = if of.sample == Sample::Recent { "box recent" } else { "box" };
    drawing.rectangle(class, [at(plot.q1), y - HALF_BOX], [at(plot.q3), y + HALF_BOX]);
    let median = at(plot.median);
    let class = format!("{class} median");
    drawing.line(&class, [median, y - HALF_BOX], [median, y + HALF_BOX]);
    drawing.circle("mean", [at(plot.mean), y], 2.5);
    for flier in &plot.fliers {
        drawing.circle("flier", [at(*flier), y], 2.5);
    }
}

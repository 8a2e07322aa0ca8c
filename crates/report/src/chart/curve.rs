//! Curves over images: shares with their intervals, and the evidence of drift.

use super::scale::{Scale, number};
use super::{Anchor, Drawing, WIDTH};
use crate::document::{PathPoint, Report};

const HEIGHT: f64 = 240.0;
const LEFT: f64 = 62.0;
const RIGHT: f64 = WIDTH - 16.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = HEIGHT - 34.0;

/// Less is no evidence either way.
const LEAST_EVIDENCE: f64 = 0.01;

/// The share out of distribution of each stretch, with its interval.
pub(crate) fn shares(report: &Report) -> Drawing {
    let judged: Vec<_> =
        report.stretches.iter().filter(|stretch| stretch.share.images > 0).collect();
    let limit = report.drift.window.as_ref().map(|window| window.expected_share);
    let highest = judged.iter().map(|stretch| stretch.share.interval.high).chain(limit);
    let highest = highest.fold(0.05, f64::max).min(1.0);
    let mut drawing =
        Drawing::new(HEIGHT, "Share of images out of distribution over the images of the epoch.");
    let [Some(first), Some(last)] = [judged.first(), judged.last()] else {
        return nothing(drawing);
    };
    let x = across(&mut drawing, first.last_sequence, last.last_sequence);
    let y = Scale::straight([0.0, highest], [BOTTOM, TOP]);
    drawing.rows(&y, LEFT, RIGHT, |share| format!("{} %", number(100.0 * share)));
    let place = |sequence: u64, share: f64| [x.at(sequence as f64), y.at(share)];
    let upper = judged.iter().map(|one| place(one.last_sequence, one.share.interval.high));
    let lower = judged.iter().rev().map(|one| place(one.last_sequence, one.share.interval.low));
    drawing.polygon("band", &upper.chain(lower).collect::<Vec<_>>());
    let points: Vec<_> =
        judged.iter().map(|one| place(one.last_sequence, one.share.share)).collect();
    drawing.polyline("curve", &points);
    for point in &points {
        drawing.circle("point", *point, 2.5);
    }
    if let Some(limit) = limit {
        limit_line(&mut drawing, y.at(limit), "expected");
    }
    drawing
}

/// The evidence of drift, on a logarithmic scale.
pub(crate) fn evidence(report: &Report) -> Drawing {
    let mut drawing = Drawing::new(
        HEIGHT,
        "The evidence of drift over the images of the epoch, on a logarithmic scale.",
    );
    let point =
        |point: &PathPoint| Some((point.sequence, point.evidence?.largest.max(LEAST_EVIDENCE)));
    let points: Vec<(u64, f64)> = report.path.iter().filter_map(point).collect();
    let [Some(first), Some(last)] = [points.first(), points.last()] else {
        return nothing(drawing);
    };
    let limit = report.drift.evidence.as_ref().map(|evidence| evidence.alarm_at);
    let highest = points.iter().map(|(_, value)| *value).chain(limit).fold(1.0, f64::max);
    let x = across(&mut drawing, first.0, last.0);
    let y = Scale::logarithmic([LEAST_EVIDENCE, highest * 2.0], [BOTTOM, TOP]);
    drawing.rows(&y, LEFT, RIGHT, number);
    let places: Vec<_> =
        points.iter().map(|(sequence, value)| [x.at(*sequence as f64), y.at(*value)]).collect();
    drawing.polyline("curve", &places);
    if let Some(limit) = limit {
        limit_line(&mut drawing, y.at(limit), "alarm");
    }
    drawing
}

/// The scale of images, and their numbers below.
fn across(drawing: &mut Drawing, first: u64, last: u64) -> Scale {
    let x = Scale::straight([first as f64, last as f64], [LEFT, RIGHT]);
    drawing.line("axis", [LEFT, BOTTOM], [RIGHT, BOTTOM]);
    drawing.text("tick", [LEFT, BOTTOM + 20.0], Anchor::Start, &format!("image {first}"));
    if last > first {
        drawing.text("tick", [RIGHT, BOTTOM + 20.0], Anchor::End, &format!("image {last}"));
    }
    x
}

fn limit_line(drawing: &mut Drawing, y: f64, name: &str) {
    drawing.line("limit", [LEFT, y], [RIGHT, y]);
    // Below the line where there is no room above it.
    let text = if y < TOP + 16.0 { y + 15.0 } else { y - 5.0 };
    drawing.text("limit-name", [LEFT + 8.0, text], Anchor::Start, name);
}

fn nothing(mut drawing: Drawing) -> Drawing {
    drawing.text("tick", [LEFT, HEIGHT / 2.0], Anchor::Start, "no image that could be judged yet");
    drawing
}

//! The histogram of p-values, with what chance would give.

use super::scale::{Scale, number};
use super::{Anchor, Drawing, WIDTH};
use crate::p_values::PValueHistogram;

const HEIGHT: f64 = 240.0;
const LEFT: f64 = 62.0;
const RIGHT: f64 = WIDTH - 16.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = HEIGHT - 50.0;

pub(crate) fn drawing(histogram: &PValueHistogram) -> Drawing {
    let mut drawing = Drawing::new(HEIGHT, "Histogram of the p-values of the epoch, from 0 to 1.");
    let upper = histogram.expected.iter().zip(&histogram.deviation).map(|(mean, two)| mean + two);
    let counts = histogram.counts.iter().map(|count| *count as f64);
    let highest = counts.clone().chain(upper.clone()).fold(1.0, f64::max);
    let x = Scale::straight([0.0, 1.0], [LEFT, RIGHT]);
    let y = Scale::straight([0.0, highest], [BOTTOM, TOP]);
    drawing.rows(&y, LEFT, RIGHT, number);
    let width = 1.0 / histogram.counts.len() as f64;
    let ends = |bin: usize| [x.at(bin as f64 * width), x.at((bin + 1) as f64 * width)];
    if histogram.is_uniform_without_drift {
        let lower =
            histogram.expected.iter().zip(&histogram.deviation).map(|(mean, two)| mean - two);
        for (bin, (upper, lower)) in upper.zip(lower).enumerate() {
            let [from, to] = ends(bin);
            drawing.rectangle("band", [from, y.at(upper)], [to, y.at(lower)]);
        }
    }
    for (bin, count) in counts.enumerate() {
        let [from, to] = ends(bin);
        drawing.rectangle("bar", [from + 2.0, y.at(count)], [to - 2.0, BOTTOM]);
    }
    drawing.line("axis", [LEFT, BOTTOM], [RIGHT, BOTTOM]);
    for tick in x.ticks() {
        drawing.text("tick", [x.at(tick), BOTTOM + 18.0], Anchor::Middle, &number(tick));
    }
    drawing.text("tick", [f64::midpoint(LEFT, RIGHT), HEIGHT - 8.0], Anchor::Middle, "p-value");
    drawing
}

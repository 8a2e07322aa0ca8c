//! Drawings as SVG. Colors come from the style of whatever shows them.

pub(super) mod boxes;
pub(super) mod curve;
pub(super) mod histogram;
mod scale;

use std::fmt::{self, Write as _};

use self::scale::Scale;

/// Width of every drawing, in its own units: pixels where there is room.
const WIDTH: f64 = 760.0;

/// What a drawing looks like that stands alone: dark on white, as in print.
const STYLE: &str = "svg{background:#fff;font-family:'DejaVu Sans',sans-serif}text{fill:#333;font-size:12px}\
    .title{font-size:15px;font-weight:bold}.grid{stroke:#ddd}.axis{stroke:#888}.box{fill:#cfe3e5;stroke:#17575e}\
    .recent{fill:#fbe0bd;stroke:#8a3f06}.median{stroke-width:2.5}.whisker{stroke:#555}.flier{fill:none;stroke:#555}\
    .mean{fill:#333}.limit{stroke:#9c2420;stroke-dasharray:6 4;stroke-width:1.5}.limit-name{fill:#9c2420}";

/// Where text begins, ends, or has its middle.
#[derive(Debug, Clone, Copy)]
enum Anchor {
    Start,
    Middle,
    End,
}

/// A drawing of one width, and of the height that it needs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Drawing {
    height: f64,
    /// What it shows, for those who cannot see it.
    description: String,
    shapes: String,
}

impl Drawing {
    fn new(height: f64, description: impl Into<String>) -> Self {
        Self { height, description: description.into(), shapes: String::new() }
    }

    /// As part of a page, which has the style.
    pub fn inline(&self) -> String {
        self.svg("")
    }

    /// As a file of its own.
    pub fn standalone(&self) -> String {
        self.svg(&format!("<style>{STYLE}</style>"))
    }

    fn svg(&self, style: &str) -> String {
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
             height=\"{height}\" role=\"img\"><title>{}</title>{style}{}</svg>",
            escaped(&self.description),
            self.shapes,
            height = self.height,
        )
    }

    fn put(&mut self, shape: fmt::Arguments<'_>) {
        // Writing into a string cannot fail.
        let _ = self.shapes.write_fmt(shape);
    }

    fn line(&mut self, class: &str, [x1, y1]: [f64; 2], [x2, y2]: [f64; 2]) {
        if (x1 - x2).abs().max((y1 - y2).abs()) < 0.1 {
            return;
        }
        self.put(format_args!(
            "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>"
        ));
    }

    fn rectangle(&mut self, class: &str, [x1, y1]: [f64; 2], [x2, y2]: [f64; 2]) {
        // Renderers warn of what has no size: a box of equal scores is a line.
        let size = |from: f64, to: f64| (to - from).abs().max(0.5);
        let (x, y, width, height) = (x1.min(x2), y1.min(y2), size(x1, x2), size(y1, y2));
        self.put(format_args!(
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/>"
        ));
    }

    fn circle(&mut self, class: &str, [x, y]: [f64; 2], radius: f64) {
        self.put(format_args!(
            "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius}\"/>"
        ));
    }

    fn polyline(&mut self, class: &str, points: &[[f64; 2]]) {
        self.put(format_args!("<polyline class=\"{class}\" points=\"{}\"/>", list(points)));
    }

    fn polygon(&mut self, class: &str, points: &[[f64; 2]]) {
        self.put(format_args!("<polygon class=\"{class}\" points=\"{}\"/>", list(points)));
    }

    fn text(&mut self, class: &str, [x, y]: [f64; 2], anchor: Anchor, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let text = escaped(text);
        self.put(format_args!(
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>"
        ));
    }

    /// Horizontal lines with their values to the left.
    fn rows(&mut self, scale: &Scale, left: f64, right: f64, name: impl Fn(f64) -> String) {
        for tick in scale.ticks() {
            let y = scale.at(tick);
            self.line("grid", [left, y], [right, y]);
            self.text("tick", [left - 6.0, y + 4.0], Anchor::End, &name(tick));
        }
    }
}

fn list(points: &[[f64; 2]]) -> String {
    points.iter().map(|[x, y]| format!("{x:.1},{y:.1}")).collect::<Vec<_>>().join(" ")
}

/// As text and as an attribute's value. What no XML may hold becomes a question mark.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\u{fffe}' | '\u{ffff}' => escaped.push('?'),
            letter if letter.is_control() => escaped.push('?'),
            letter => escaped.push(letter),
        }
    }
    escaped
}

/// At most so many characters.
fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most - 1).chain(['…']).collect()
}

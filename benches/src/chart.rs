//! Charts of lines as SVG that suits light and dark pages.

mod scale;

use std::error::Error;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use scale::Scale;
pub use scale::Ticks;

const WIDTH: u32 = 860;
const HEIGHT: u32 = 520;
const TOP: i32 = 76;
const FONT: &str = "sans-serif";

/// A color on a light page and the one that replaces it on a dark page.
type Pair = (RGBColor, RGBColor);
const PAPER: Pair = (RGBColor(255, 255, 255), RGBColor(22, 27, 34));
const INK: Pair = (RGBColor(36, 41, 47), RGBColor(230, 237, 243));
const QUIET: Pair = (RGBColor(87, 96, 106), RGBColor(155, 164, 174));
const GRID: Pair = (RGBColor(225, 228, 232), RGBColor(48, 54, 61));
/// Told apart with every common kind of color blindness (Okabe and Ito), lighter on dark paper.
const LINES: [Pair; 4] = [
    (RGBColor(213, 94, 0), RGBColor(255, 150, 70)),
    (RGBColor(0, 114, 178), RGBColor(86, 180, 233)),
    (RGBColor(0, 132, 97), RGBColor(60, 207, 160)),
    (RGBColor(164, 78, 129), RGBColor(224, 150, 194)),
];

/// The second line is so wide that one on top of it hides its middle only.
const WIDTHS: [u32; 4] = [3, 7, 3, 3];

/// One line of a chart.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Stands at the line's right end; a newline begins another line of text.
    pub name: String,
    /// (x, y), both above 0, ascending by x.
    pub points: Vec<(f64, f64)>,
}

/// What a chart shows beside its lines.
#[derive(Debug, Clone)]
pub struct Frame<'a> {
    /// In large letters.
    pub title: &'a str,
    /// Below it.
    pub caption: &'a str,
    /// From left to right.
    pub x: Axis,
    /// From bottom to top.
    pub y: Axis,
}

/// One of a chart's two directions.
#[derive(Debug, Clone)]
pub struct Axis {
    /// What is counted along it.
    pub name: &'static str,
    /// How a value is written.
    pub label: fn(f64) -> String,
    /// Where it is written.
    pub ticks: Ticks,
}

/// Draws up to three lines of time against size, both logarithmic, and returns the SVG's text.
///
/// # Errors
/// When there is nothing to draw, or the drawing library fails.
pub fn time_against_rows(
    title: &str,
    caption: &str,
    lines: &[Line],
) -> Result<String, Box<dyn Error>> {
    let x = Axis { name: "rows in the index", label: grouped, ticks: Ticks::Values };
    let y = Axis { name: "time of one query", label: duration, ticks: Ticks::Decades };
    draw(&Frame { title, caption, x, y }, lines)
}

/// Draws up to four lines and returns the SVG's text.
///
/// # Errors
/// When there is nothing to draw, there are too many lines, or the drawing library fails.
pub fn draw(frame: &Frame<'_>, lines: &[Line]) -> Result<String, Box<dyn Error>> {
    if lines.len() > LINES.len() {
        return Err(format!("{} lines are too many for one chart", lines.len()).into());
    }
    let points = || lines.iter().flat_map(|line| &line.points);
    let x = Scale::of(frame.x.ticks, points().map(|point| point.0)).ok_or("no points to draw")?;
    let y = Scale::of(frame.y.ticks, points().map(|point| point.1)).ok_or("no points to draw")?;
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (WIDTH, HEIGHT)).into_drawing_area();
        area.fill(&PAPER.0)?;
        heading(&area, frame.title, frame.caption)?;
        let mut chart = ChartBuilder::on(&area)
            .margin_top(TOP)
            .margin_left(14)
            .margin_right(164)
            .margin_bottom(10)
            .x_label_area_size(50)
            .y_label_area_size(74)
            .build_cartesian_2d(x, y)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID.0)
            .axis_style(QUIET.0)
            .label_style((FONT, 14).into_font().color(&QUIET.0))
            .axis_desc_style((FONT, 15).into_font().color(&INK.0))
            .x_desc(frame.x.name)
            .y_desc(frame.y.name)
            .x_label_formatter(&|value| (frame.x.label)(*value))
            .y_label_formatter(&|value| (frame.y.label)(*value))
            .draw()?;
        let mut ends = Vec::new();
        for ((line, (color, _)), width) in lines.iter().zip(LINES).zip(WIDTHS) {
            chart.draw_series(LineSeries::new(
                line.points.iter().copied(),
                color.stroke_width(width),
            ))?;
            chart.draw_series(
                line.points.iter().map(|point| Circle::new(*point, 3 + width / 2, color.filled())),
            )?;
            ends.extend(line.points.last().map(|point| chart.backend_coord(point)));
        }
        for (i, middle) in
            spread(&ends.iter().map(|end| end.1).collect::<Vec<_>>()).iter().enumerate()
        {
            name(&area, &lines[i].name, LINES[i].0, (ends[i].0 + 14, *middle))?;
        }
        area.present()?;
    }
    Ok(with_dark_colors(&svg))
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

fn heading(area: &Area<'_>, title: &str, caption: &str) -> Result<(), Box<dyn Error>> {
    let style = (FONT, 20).into_font().style(FontStyle::Bold).color(&INK.0);
    area.draw(&Text::new(title.to_owned(), (20, 16), style))?;
    let style = (FONT, 14).into_font().color(&QUIET.0);
    area.draw(&Text::new(caption.to_owned(), (20, 46), style))?;
    Ok(())
}

const LINE_OF_TEXT: i32 = 17;

/// The name of a line, its lines of text centered on `place`.
fn name(
    area: &Area<'_>,
    text: &str,
    color: RGBColor,
    place: (i32, i32),
) -> Result<(), Box<dyn Error>> {
    let lines: Vec<&str> = text.lines().collect();
    let mut y = place.1 - LINE_OF_TEXT * (i32::try_from(lines.len())? - 1) / 2;
    for line in lines {
        let style = (FONT, 15).into_font().color(&color).pos(Pos::new(HPos::Left, VPos::Center));
        area.draw(&Text::new(line.to_owned(), (place.0, y), style))?;
        y += LINE_OF_TEXT;
    }
    Ok(())
}

/// Moves heights apart, each of a close pair by half, until names of two lines of text do not touch.
fn spread(heights: &[i32]) -> Vec<i32> {
    let distance = 2 * LINE_OF_TEXT + 6;
    let mut order: Vec<usize> = (0..heights.len()).collect();
    order.sort_by_key(|&i| heights[i]);
    let mut placed = heights.to_vec();
    // Moving one pair apart may bring another together; a few names need no more than a few turns.
    for _ in 0..8 {
        for pair in order.windows(2) {
            let (upper, lower) = (placed[pair[0]], placed[pair[1]]);
            let missing = (distance - (lower - upper)).max(0);
            placed[pair[0]] -= missing / 2;
            placed[pair[1]] += missing - missing / 2;
        }
    }
    placed
}

/// `960000` → `960 000`, with a thin space, and a point of nothing else.
fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push('\u{2009}');
        }
        text.push(digit);
    }
    text
}

/// `0.01` → `10 ms`.
pub fn duration(seconds: f64) -> String {
    let (value, unit) = match seconds {
        s if s < 0.999e-6 => (s * 1e9, "ns"),
        s if s < 0.999e-3 => (s * 1e6, "µs"),
        s if s < 0.999 => (s * 1e3, "ms"),
        s => (s, "s"),
    };
    let whole = (value - value.round()).abs() < 1e-3 || value >= 100.0;
    let decimals = usize::from(!whole);
    format!("{value:.decimals$} {unit}")
}

/// Adds a style sheet that exchanges the colors where the reader's page is dark. The paper is part
/// of the picture, so that it can be read even where the style sheet is ignored.
fn with_dark_colors(svg: &str) -> String {
    use std::fmt::Write as _;
    let hex = |RGBColor(r, g, b): RGBColor| format!("#{r:02X}{g:02X}{b:02X}");
    let mut style = String::from("<style>@media (prefers-color-scheme: dark) {");
    for (light, dark) in [PAPER, INK, QUIET, GRID].into_iter().chain(LINES) {
        let (light, dark) = (hex(light), hex(dark));
        // Writing into a String cannot fail.
        let _ = write!(
            style,
            " [fill=\"{light}\"] {{ fill: {dark} }} [stroke=\"{light}\"] {{ stroke: {dark} }}"
        );
    }
    style.push_str(" }</style>\n");
    match svg.find("<rect") {
        Some(first) => format!("{}{style}{}", &svg[..first], &svg[first..]),
        None => svg.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines() -> Vec<Line> {
        let line = |name: &str, factor: f64| Line {
            name: name.to_owned(),
            points: [96.0, 960.0, 9600.0].map(|n| (n, n * factor)).to_vec(),
        };
        vec![line("slow", 1e-6), line("fast\nand named twice", 1e-7)]
    }

    #[test]
    fn a_chart_names_its_lines_sizes_and_units() {
        let svg = time_against_rows("Title", "Caption", &lines()).unwrap();
        for text in ["Title", "Caption", "slow", "and named twice", "9\u{2009}600", "1 ms", "10 µs"]
        {
            assert!(svg.contains(text), "{text}: {svg}");
        }
        assert!(svg.contains("prefers-color-scheme: dark"));
        // Every color in the picture has one for dark pages.
        let known = [PAPER, INK, QUIET, GRID].into_iter().chain(LINES);
        let known: Vec<_> =
            known.map(|(RGBColor(r, g, b), _)| format!("#{r:02X}{g:02X}{b:02X}")).collect();
        let picture = &svg[svg.find("</style>").unwrap()..];
        for (i, _) in picture.match_indices("=\"#") {
            let color = &picture[i + 2..i + 9];
            assert!(known.iter().any(|k| k == color), "{color}");
        }
    }

    #[test]
    fn nothing_to_draw_is_an_error() {
        assert!(time_against_rows("", "", &[]).is_err());
    }

    #[test]
    fn names_of_close_lines_do_not_overlap() {
        let placed = spread(&[100, 105, 300]);
        assert!(placed[1] - placed[0] >= 2 * LINE_OF_TEXT);
        assert_eq!(placed[2], 300);
        assert_eq!(spread(&[300, 100, 200]), [300, 100, 200]);
    }

    #[test]
    fn durations_have_the_unit_that_suits_them() {
        let texts = [1e-7, 1e-6, 2.5e-6, 1e-3, 0.0123, 0.4567, 1.0, 12.34].map(duration);
        assert_eq!(
            texts,
            ["100 ns", "1 µs", "2.5 µs", "1 ms", "12.3 ms", "457 ms", "1 s", "12.3 s"]
        );
    }
}

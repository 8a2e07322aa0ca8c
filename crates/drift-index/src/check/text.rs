//! What people read of a batch as a whole.

use std::fmt;

use sdd_drift::batch::{BatchReport, ClassAppearance, Status, StrangeImage};

use crate::answer::{count, line};

/// How many components are listed in text; JSON has all.
const LISTED: usize = 5;

/// A batch as a whole, and what it was compared with.
pub fn fmt_whole(
    f: &mut fmt::Formatter<'_>,
    batch: &str,
    store: &str,
    report: &BatchReport,
) -> fmt::Result {
    let (appearance, mix) = (&report.appearance, &report.class_mix);
    writeln!(f, "{}: {}", batch, verdict(report.verdict))?;
    line(
        f,
        "images",
        format_args!(
            "{}, compared with {} calibration images of {store}",
            report.images, report.held_out_images
        ),
    )?;
    if let Some([held_out, batch]) = appearance.groups {
        line(f, "groups", format_args!("{batch}, compared with {held_out}"))?;
    }
    line(f, "appearance", judged(appearance.verdict, &appearance.reason))?;
    for class in &appearance.classes {
        line(f, "", class_text(class, appearance.test.name()))?;
    }
    line(f, "class mix", judged(mix.verdict, &mix.reason))?;
    for (rank, result) in appearance.tests.iter().enumerate() {
        let name = if rank == 0 { "tests" } else { "" };
        let role = if rank == 0 { "decides" } else { "for comparison" };
        let (test, p) = (result.test.name(), result.p_value);
        let p = if p < 1e-4 { "p < 0.0001".to_owned() } else { format!("p {p:.4}") };
        line(f, name, format_args!("{test:<6}{p}, {role}; {}", result.method))?;
    }
    let components = &appearance.components;
    if !components.is_empty() {
        let listed = components.iter().take(LISTED).map(|shift| {
            let of = shift.class.as_ref().map(|class| format!(" of {class}")).unwrap_or_default();
            format!("{}{of} (D {:.2})", shift.component, shift.statistic)
        });
        let (number, listed) = (components.len(), listed.collect::<Vec<_>>().join(", "));
        line(f, "components", format_args!("{number} changed, most {listed}"))?;
    }
    if let Some(text) = one_by_one(report) {
        line(f, "one by one", text)?;
    }
    for (known, of) in
        [(report.in_reference, "the reference"), (report.in_held_out, "the held-out images")]
    {
        if known > 0 {
            let known = count(known, "image");
            line(f, "known", format_args!("{known} of {of}: leave them out, they are not new"))?;
        }
    }
    for (rank, image) in report.strangest.iter().enumerate() {
        fmt_strange(f, if rank == 0 { "strangest" } else { "" }, image)?;
    }
    Ok(())
}

fn verdict(verdict: Status) -> &'static str {
    match verdict {
        Status::Stable => "stable",
        Status::Drifting => "DRIFTING",
        Status::InsufficientData => "insufficient data",
    }
}

/// What single images say, beside how much of it is chance.
fn one_by_one(report: &BatchReport) -> Option<String> {
    let (out, expected) = (report.out_of_distribution?, report.out_of_distribution_expected?);
    let groups = match (report.out_of_distribution_groups, report.appearance.groups) {
        (Some(groups), Some([_, all])) => format!(", in {groups} of {}", count(all, "group")),
        _ => String::new(),
    };
    let chance = format!("{expected:.1} are expected without drift, on average");
    let come_together =
        if groups.is_empty() { "" } else { ", as images of one group come together" };
    let decides = if report.verdict == Status::Stable && out as f64 > expected {
        format!("; more are no drift by themselves{come_together}: the tests decide")
    } else {
        String::new()
    };
    Some(format!("{out} of {} out of distribution{groups}; {chance}{decides}", report.images))
}

fn judged(of: Status, reason: &str) -> String {
    format!("{}: {reason}", verdict(of))
}

fn class_text(class: &ClassAppearance, test: &str) -> String {
    let name = class.class.as_deref().unwrap_or("all classes");
    let counts =
        format!("{}, {} of the calibration", count(class.images, "image"), class.held_out_images);
    match class.p_value {
        Some(p) => {
            let mark = if class.stands_out { ", stands out" } else { "" };
            format!("{name}: {counts}, {test} p {p:.4}{mark}")
        }
        None if class.tested => format!("{name}: {counts}"),
        None => format!("{name}: {counts}, too few to compare"),
    }
}

fn fmt_strange(f: &mut fmt::Formatter<'_>, name: &str, image: &StrangeImage) -> fmt::Result {
    let what = image.image.clone().unwrap_or_else(|| format!("row {}", image.row));
    let class = image.class.as_ref().map(|class| format!(" ({class})")).unwrap_or_default();
    let p_value = image.p_value.map(|p| format!(", p {p:.4}")).unwrap_or_default();
    line(f, name, format_args!("{what}{class}: score {:.6}{p_value}", image.score))?;
    for neighbor in &image.neighbors {
        let label = neighbor.label.as_deref().unwrap_or("-");
        line(f, "", format_args!("  {:.6}  {label}  {}", neighbor.distance, neighbor.id))?;
    }
    Ok(())
}

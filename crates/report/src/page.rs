//! The report as one HTML page, which needs nothing else.

use askama::Template;

use super::chart::{boxes, curve, histogram};
use super::document::{Report, StrangeImage};
use super::pictures::{Pictures, Thumbnails};
use super::scores::Sample;
use crate::error::{Error, Result};
use sdd_monitor::{ClassReport, ShareReport, Status, StoredObservation, TestName};

/// The page. A report's texts come from file names and clients: the template escapes all but our own drawings.
#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    report: &'a Report,
    made: String,
    verdict: Verdict,
    facts: Vec<(&'static str, String)>,
    boxes: String,
    shares: String,
    evidence: String,
    p_values: Option<String>,
    strangest: Vec<Strange<'a>>,
    has_reference_scores: bool,
    has_all_pictures: bool,
}

/// How the verdict looks, and what it says.
struct Verdict {
    kind: &'static str,
    title: &'static str,
}

/// An image and what it is nearest to.
struct Strange<'a> {
    image: &'a StoredObservation,
    times: usize,
    when: String,
    picture: Option<String>,
    neighbors: Vec<Near<'a>>,
}

struct Near<'a> {
    id: &'a str,
    label: &'a str,
    distance: String,
    picture: Option<String>,
}

/// One HTML page of at most 2 MB: no network, no script, light or dark as the reader prefers.
///
/// # Errors
///
/// [`Error::Page`] where the page cannot be written, which no report leads to.
pub fn html(report: &Report, pictures: &mut dyn Pictures) -> Result<String> {
    let mut thumbnails = Thumbnails::new(pictures);
    let strangest: Vec<Strange<'_>> =
        report.strangest.iter().map(|image| strange(image, &mut thumbnails)).collect();
    let page = Page {
        report,
        made: moment(report.made_ms),
        verdict: verdict(report),
        facts: facts(report),
        boxes: boxes::drawing(report).inline(),
        shares: curve::shares(report).inline(),
        evidence: curve::evidence(report).inline(),
        p_values: report.p_values.as_ref().map(|p_values| histogram::drawing(p_values).inline()),
        has_reference_scores: report.scores.iter().any(|of| of.sample == Sample::Reference),
        has_all_pictures: strangest.iter().all(|strange| {
            strange.picture.is_some() && strange.neighbors.iter().all(|near| near.picture.is_some())
        }),
        strangest,
    };
    page.render().map_err(|error| Error::Page { source: error.into() })
}

fn verdict(report: &Report) -> Verdict {
    let of = |kind, title| Verdict { kind, title };
    let is = |test| report.drift.reasons.iter().any(|reason| reason.test == test);
    match (report.drift.verdict, report.drift.appearance) {
        (Status::Stable, _) => of("stable", "Nothing has changed"),
        (Status::Drifting, _) if is(TestName::Repetition) => {
            of("drifting", "The same picture comes again and again")
        }
        (Status::Drifting, Status::Drifting) => of("drifting", "What comes in has changed"),
        (Status::Drifting, _) => of("drifting", "The mix of classes has changed"),
        (Status::InsufficientData, _) => of("unknown", "Too early to say"),
    }
}

fn facts(report: &Report) -> Vec<(&'static str, String)> {
    let (drift, reference) = (&report.drift, &report.reference);
    let mut facts = Vec::new();
    if let Some(window) = &drift.window {
        facts.push(("Out of distribution lately", interval(&window.recent)));
    }
    if let Some(window) = &drift.window {
        facts.push(("Expected without drift", percent(window.expected_share)));
    }
    let accuracy = drift.expected_accuracy.as_ref().map(|expected| expected.accuracy);
    if let Some((value, interval)) = accuracy.and_then(|one| one.value.zip(one.interval)) {
        let [low, high] = [interval.low, interval.high].map(|end| 100.0 * end);
        let text = format!("{} ({low:.1} to {high:.1} %), without labels", percent(value));
        facts.push(("Expected accuracy", text));
    }
    let epoch = &drift.epoch;
    facts.push((
        "Images",
        format!("{} in epoch {}, {} ever", epoch.images, epoch.number, drift.images_ever),
    ));
    if let (Some(first), Some(last)) = (epoch.began_ms, drift.last_image_ms) {
        facts.push(("From", moment(first)));
        facts.push(("To", moment(last)));
    }
    facts.push(("Model", reference.model.clone().unwrap_or_else(|| "not named".into())));
    facts.push(("Reference", format!("{} images, {}", reference.images, reference.created_at)));
    if let Some(calibration) = &reference.calibration {
        let text = format!(
            "{} images{}, {} false alarms",
            calibration.images,
            calibration.groups.map_or_else(String::new, |groups| format!(" of {groups} groups")),
            percent(calibration.alpha)
        );
        facts.push(("Calibration", text));
    }
    facts.push(("Model file / reference", report.pair.to_string()));
    facts
}

fn strange<'a>(strange: &'a StrangeImage, thumbnails: &mut Thumbnails<'_>) -> Strange<'a> {
    let StrangeImage { image, times } = strange;
    let observation = &image.observation;
    let picture = thumbnails.captured(observation.image_sha256.as_deref());
    let near = observation.neighbors.iter().map(|near| Near {
        id: &near.id,
        label: near.label.as_deref().unwrap_or("no class"),
        distance: digits(near.distance),
        picture: thumbnails.reference(&near.id),
    });
    Strange {
        image,
        times: *times,
        when: moment(observation.time_ms),
        picture,
        neighbors: near.collect(),
    }
}

/// `12.3 %`.
fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// `12.3 % (10.0 to 14.9 %) of 500 images`.
fn interval(share: &ShareReport) -> String {
    if share.images == 0 {
        return "–".into();
    }
    let [low, high] = [share.interval.low, share.interval.high].map(|end| 100.0 * end);
    format!("{} ({low:.1} to {high:.1} %) of {} images", percent(share.share), share.images)
}

/// Three significant digits.
fn digits(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(1e-3..1e6).contains(&size) {
        return format!("{value:.2e}");
    }
    let decimals = if size >= 100.0 {
        0
    } else if size >= 10.0 {
        1
    } else if size >= 1.0 {
        2
    } else {
        4
    };
    format!("{value:.decimals$}")
}

/// `2026-11-26 09:58:12 UTC`.
fn moment(ms: i64) -> String {
    let moment = time::OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000);
    moment.map_or_else(
        |_| "an unknown time".to_owned(),
        |at| {
            let (hour, minute, second) = at.to_hms();
            format!("{} {hour:02}:{minute:02}:{second:02} UTC", at.date())
        },
    )
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    clippy::ref_option,
    reason = "templates pass references"
)]
impl Page<'_> {
    fn is_uniform(&self) -> bool {
        let p_values = self.report.p_values.as_ref();
        p_values.is_some_and(|p_values| p_values.is_uniform_without_drift)
    }

    fn test(test: &TestName) -> &'static str {
        match test {
            TestName::Appearance => "Appearance",
            TestName::Properties => "The picture",
            TestName::ClassMix => "Mix of classes",
            TestName::Repetition => "Repetition",
        }
    }

    fn status(status: &Status) -> &'static str {
        match status {
            Status::Stable => "stable",
            Status::Drifting => "drifting",
            Status::InsufficientData => "too early to say",
        }
    }

    fn judged(share: &ShareReport) -> String {
        interval(share)
    }

    fn optional(value: &Option<f64>) -> String {
        value.map_or_else(|| "none of its own".into(), digits)
    }

    fn expected(share: &Option<f64>) -> String {
        share.map_or_else(|| "nothing said".into(), percent)
    }

    fn at(ms: &i64) -> String {
        moment(*ms)
    }

    fn recent(class: &ClassReport) -> String {
        interval(&class.recent)
    }

    fn epoch(class: &ClassReport) -> String {
        interval(&class.epoch)
    }

    fn number(value: &f64) -> String {
        digits(*value)
    }

    fn p_value(p_value: &Option<f64>) -> String {
        p_value.map_or_else(|| "not judged".into(), digits)
    }

    fn share(value: &f64) -> String {
        percent(*value)
    }

    fn whole(value: &f64) -> String {
        format!("{value:.0}")
    }
}

//! Figure 6: real parts that neither network nor reference has seen.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;

use anyhow::{Context, Result};
use fastrand::Rng;
use sdd_drift::Properties;
use sdd_monitor::{Baseline, CalibratedImage, Monitor, MonitorSettings, Observation};
use sdd_stats::conformal::PValues;
use serde::Deserialize;

use super::Section;
use super::parallel::{Estimate, simulate};

/// Scores and properties, without pictures; `sdd_train unseen` makes it.
const PARTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/unseen-parts.json");
const ALPHA: f64 = 0.05;
const SOUND: &str = "non_defect";
const UNCHANGED: &str = "unchanged";
/// Parts without a change before there is one.
const QUIET: u64 = 100;
/// Parts after it at most.
const LENGTH: u64 = 200;
/// Streams of each fold.
const STREAMS: u64 = 100;
const SEED: u64 = 61;

#[derive(Deserialize)]
struct Run {
    folds: Vec<Fold>,
}

/// A network of the cross-validation: what it was trained on, and the parts that were held out of it.
#[derive(Deserialize)]
struct Fold {
    calibration: Vec<Image>,
    /// By what was done to the pictures.
    unseen: BTreeMap<String, Vec<Image>>,
}

#[derive(Deserialize, Clone)]
struct Image {
    part: String,
    label: String,
    predicted: String,
    score: f64,
    properties: Properties,
}

type Part = Vec<Image>;

/// # Errors
/// Where the file of parts cannot be read.
pub fn measure() -> Result<Section> {
    let file = File::open(PARTS).context(PARTS)?;
    let run: Run = serde_json::from_reader(BufReader::new(file)).context(PARTS)?;
    let mut section = Section::new("6. Real parts that nobody has seen");
    flagged(&mut section, &run.folds)?;
    streams(&mut section, &run.folds)?;
    Ok(section)
}

/// Images by part, in the order of the parts' names.
fn by_part(images: &[Image]) -> Vec<Part> {
    let mut parts = BTreeMap::<&str, Part>::new();
    for image in images {
        parts.entry(&image.part).or_default().push(image.clone());
    }
    parts.into_values().collect()
}

fn flagged(section: &mut Section, folds: &[Fold]) -> Result<()> {
    let parts: usize = folds.iter().map(|fold| by_part(&fold.unseen[UNCHANGED]).len()).sum();
    section.paragraph(&format!(
        "Sound images of {parts} parts called out of distribution at α = {ALPHA}. Each part is judged by the network of the \
         fold that it was held out of, with the parts that this network was trained on as reference; these calibrate, each \
         among the others. Bound for pictures as they are: α, within 3 standard errors over parts.",
    ));
    let calibration = |fold: &Fold| {
        let scores: Vec<_> = by_part(&fold.calibration).iter().map(scores).collect();
        PValues::of_groups(&scores)
    };
    let calibrations = folds.iter().map(calibration).collect::<sdd_stats::Result<Vec<_>>>()?;
    let mut rows = Vec::new();
    for change in changes(folds) {
        let mut shares = Vec::new();
        for (fold, calibration) in folds.iter().zip(&calibrations) {
            for part in by_part(&fold.unseen[change]) {
                let sound: Vec<_> = part.iter().filter(|image| image.label == SOUND).collect();
                let is_out = |image: &&&Image| calibration.p_value(image.score) <= ALPHA;
                if !sound.is_empty() {
                    shares.push(sound.iter().filter(is_out).count() as f64 / sound.len() as f64);
                }
            }
        }
        let mean = Estimate::of(shares.iter().copied());
        let bound = ALPHA + 3.0 * mean.standard_error;
        rows.push([
            change.to_owned(),
            format!("{:.3} ± {:.3}", mean.mean, mean.standard_error),
            if change == UNCHANGED {
                section.at_most("share flagged", mean.mean, bound).to_owned()
            } else {
                String::new()
            },
        ]);
    }
    section.table(["pictures", "flagged, mean over parts", "met"], &rows);
    Ok(())
}

/// Unchanged pictures first.
fn changes(folds: &[Fold]) -> Vec<&str> {
    let mut names: Vec<&str> = folds[0].unseen.keys().map(String::as_str).collect();
    names.sort_by_key(|name| (*name != UNCHANGED, *name));
    names
}

#[allow(clippy::ptr_arg, reason = "it maps over parts")]
fn scores(part: &Part) -> Vec<f64> {
    part.iter().map(|image| image.score).collect()
}

fn streams(section: &mut Section, folds: &[Fold]) -> Result<()> {
    let asked_for = MonitorSettings::default().groups_between_false_alarms;
    section.paragraph(&format!(
        "The verdict over time at the default of one false alarm in {asked_for} parts. *At once*: the held-out parts of each \
         fold, changed from the first on; in how many of the {} folds it alarms, and the evidence at their ends (median). \
         *After {QUIET}*: parts from the change on until the alarm, median and 10 to 90 %, where {QUIET} parts without change \
         came before: these are drawn from the calibration's, the others from the held-out ones ({STREAMS} streams a fold; those \
         that alarmed before are left out). Eight held-out parts that are drawn again and again are a drift of their own, as \
         the first row shows. By the embedding alone, and together with the pictures' properties.",
        folds.len(),
    ));
    let mut rows = Vec::new();
    for change in changes(folds) {
        let mut row = vec![change.to_owned()];
        for with_properties in [false, true] {
            let monitors = folds.iter().map(|fold| monitor(fold, with_properties));
            let monitors = monitors.collect::<Result<Vec<_>>>()?;
            let mut ends = Vec::new();
            for (fold, monitor) in folds.iter().zip(&monitors) {
                let parts = by_part(&fold.unseen[change]);
                ends.push(watch(monitor, &parts, with_properties, &mut Rng::with_seed(SEED))?);
            }
            let alarmed = ends.iter().filter(|end| end.alarm.is_some()).count();
            if change == UNCHANGED {
                section.at_most("folds that alarm without change", alarmed as f64, 0.0);
            }
            let mut evidence: Vec<f64> = ends.iter().map(|end| end.evidence).collect();
            evidence.sort_unstable_by(f64::total_cmp);
            row.push(format!("{alarmed}; {:.1}", evidence[evidence.len() / 2]));
            row.push(delays(folds, &monitors, change, with_properties)?);
        }
        rows.push(row.try_into().expect("five cells"));
    }
    section.table(
        [
            "pictures",
            "at once",
            "after 100",
            "at once, with properties",
            "after 100, with properties",
        ],
        &rows,
    );
    Ok(())
}

fn monitor(fold: &Fold, with_properties: bool) -> Result<Monitor> {
    let calibration = fold.calibration.iter().map(|image| CalibratedImage {
        group: Some(image.part.clone()),
        class: image.predicted.clone(),
        score: image.score,
        properties: with_properties.then_some(image.properties),
    });
    let baseline = Baseline::new(ALPHA, calibration.collect());
    Ok(Monitor::new(MonitorSettings::default(), Some(baseline))?)
}

struct End {
    /// Parts that had been tested when it alarmed.
    alarm: Option<u64>,
    evidence: f64,
}

/// The parts in their order, each as a group of its own.
fn watch(
    monitor: &Monitor,
    parts: &[Part],
    with_properties: bool,
    random: &mut Rng,
) -> Result<End> {
    let mut state = monitor.start(0);
    for (number, part) in parts.iter().enumerate() {
        for image in part {
            state.observe(
                monitor,
                &Observation {
                    predicted_class: image.predicted.clone(),
                    score: image.score,
                    properties: with_properties.then_some(image.properties),
                    // A part that is drawn again is another part: no two pictures are the same.
                    image_sha256: Some(random.u64(..).to_string()),
                    group: Some(number.to_string()),
                    out_of_distribution: Some(false),
                    ..Observation::default()
                },
            )?;
        }
        if state.alarm().is_some() {
            break;
        }
    }
    let evidence = monitor.report(&state)?.evidence.context("a calibrated monitor")?;
    Ok(End { alarm: evidence.alarm.map(|alarm| alarm.group), evidence: evidence.value })
}

fn delays(
    folds: &[Fold],
    monitors: &[Monitor],
    change: &str,
    with_properties: bool,
) -> Result<String> {
    let mut found = Vec::new();
    for (fold, monitor) in folds.iter().zip(monitors) {
        let (quiet, changed) = (by_part(&fold.calibration), by_part(&fold.unseen[change]));
        let streams = simulate(SEED, STREAMS, |random| {
            let mut drawn = |parts: &[Part]| parts[random.usize(..parts.len())].clone();
            let mut parts: Vec<Part> = (0..QUIET).map(|_| drawn(&quiet)).collect();
            parts.extend((0..LENGTH).map(|_| drawn(&changed)));
            watch(monitor, &parts, with_properties, random)
        });
        for end in streams {
            let alarm = end?.alarm.unwrap_or(QUIET + LENGTH);
            found.extend(alarm.checked_sub(QUIET).filter(|delay| *delay > 0));
        }
    }
    if found.is_empty() {
        return Ok("–".to_owned());
    }
    found.sort_unstable();
    let at = |share: usize| match found[(found.len() - 1) * share / 10] {
        LENGTH => format!("over {LENGTH}"),
        delay => delay.to_string(),
    };
    Ok(format!("{} ({} to {})", at(5), at(1), at(9)))
}

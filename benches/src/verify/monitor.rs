//! Figure 3: the verdict over time. How far false alarms are apart, and how soon a change is found.

use anyhow::{Context, Result};
use fastrand::Rng;
use sdd_monitor::{
    Baseline, CalibratedImage, ExpectedMix, Monitor, MonitorSettings, Observation, Status,
};

use super::Section;
use super::draws::{group, normal};
use super::parallel::{Estimate, simulate};

/// Groups of the calibration, and images of each.
const CALIBRATION: (usize, usize) = (40, 8);
/// Groups between false alarms that are asked for: few, so that many alarms are seen.
const RUN_LENGTH: f64 = 100.0;
const STREAMS: u64 = 400;
/// Groups of a stream at most.
const LENGTH: u64 = 500;
const SIZES: [usize; 3] = [1, 8, 50];
const CORRELATIONS: [f64; 3] = [0.0, 0.5, 0.95];
/// Groups without a change before there is one.
const QUIET: u64 = 100;
const SHIFTS: [f64; 4] = [1.0, 2.0, 3.0, -2.0];

/// # Errors
/// None but of arguments, which are constants.
pub fn measure() -> Result<Section> {
    let mut section = Section::new("3. The verdict over time");
    let (groups, images) = CALIBRATION;
    section.paragraph(&format!(
        "Groups between false alarms, over {STREAMS} streams without drift of {LENGTH} groups at most, each with a \
         calibration of its own of {groups} groups of {images} images. Asked for are {RUN_LENGTH}; appearance and the mix of \
         classes are tested, the mix against the calibration's. An image that has come is one group's, whose images' scores \
         are correlated. Bound: what is asked for, within 3 standard errors."
    ));
    let mut rows = Vec::new();
    for size in SIZES {
        for correlation in CORRELATIONS {
            let seed = 51 + size as u64;
            let streams = simulate(seed, STREAMS, |random| {
                stream(random, size, correlation, RUN_LENGTH, LENGTH, |_| 0.0)
            });
            let alarms = streams.into_iter().collect::<Result<Vec<_>>>()?;
            // Each stream ends with its alarm: groups seen for each alarm, as a ratio of means.
            let seen = Estimate::of(alarms.iter().map(|alarm| alarm.unwrap_or(LENGTH) as f64));
            let alarmed = Estimate::of_share(alarms.iter().map(Option::is_some));
            let apart = seen.mean / alarmed.mean;
            let error = apart
                * (seen.standard_error / seen.mean).hypot(alarmed.standard_error / alarmed.mean);
            let what = format!("groups between false alarms, {size} images, {correlation}");
            rows.push([
                size.to_string(),
                correlation.to_string(),
                format!("{apart:.0} ± {error:.0}"),
                section.at_least(&what, apart + 3.0 * error, RUN_LENGTH).into(),
            ]);
        }
    }
    section.table(["images of a group", "correlation", "groups between alarms", "met"], &rows);
    delays(&mut section)?;
    Ok(section)
}

fn delays(section: &mut Section) -> Result<()> {
    let asked_for = MonitorSettings::default().groups_between_false_alarms;
    section.paragraph(&format!(
        "Groups of 8 images until the alarm, where scores are shifted by so many standard deviations of an image after \
         {QUIET} groups without drift, at the default of one false alarm in {asked_for} groups; correlation 0.5, {STREAMS} \
         streams; those that alarmed before are left out."
    ));
    let mut rows = Vec::new();
    for shift in SHIFTS {
        let streams = simulate(91, STREAMS, |random| {
            let shift = |groups| if groups > QUIET { shift } else { 0.0 };
            stream(random, 8, 0.5, asked_for, QUIET + LENGTH, shift)
        });
        let alarms = streams.into_iter().collect::<Result<Vec<_>>>()?;
        let early = alarms.iter().flatten().filter(|group| **group <= QUIET).count();
        let mut delays: Vec<u64> = alarms
            .iter()
            .map(|alarm| alarm.unwrap_or(QUIET + LENGTH))
            .filter(|group| *group > QUIET)
            .map(|group| group - QUIET)
            .collect();
        delays.sort_unstable();
        let at = |share: usize| delays[(delays.len() - 1) * share / 10].to_string();
        rows.push([shift.to_string(), at(1), at(5), at(9), early.to_string()]);
    }
    section.table(["shift", "10 %", "median", "90 %", "alarmed before"], &rows);
    Ok(())
}

/// The group at which it alarmed, if it did.
fn stream(
    random: &mut Rng,
    size: usize,
    correlation: f64,
    groups_between_false_alarms: f64,
    length: u64,
    shift: impl Fn(u64) -> f64,
) -> Result<Option<u64>> {
    let (groups, images) = CALIBRATION;
    let mut calibration = Vec::with_capacity(groups * images);
    for number in 0..groups {
        for (class, score) in images_of(random, images, correlation) {
            let group = Some(number.to_string());
            calibration.push(CalibratedImage { group, class, score, properties: None });
        }
    }
    let settings = MonitorSettings {
        groups_between_false_alarms,
        expected_mix: Some(ExpectedMix::Calibration),
        ..MonitorSettings::default()
    };
    let monitor = Monitor::new(settings, Some(Baseline::new(0.05, calibration)))?;
    let mut state = monitor.start(0);
    for number in 1..=length {
        for (predicted_class, score) in images_of(random, size, correlation) {
            let observation = Observation {
                predicted_class,
                score: score + shift(number),
                // No two pictures are the same.
                image_sha256: Some(random.u64(..).to_string()),
                group: Some(number.to_string()),
                out_of_distribution: Some(false),
                ..Observation::default()
            };
            state.observe(&monitor, &observation)?;
        }
        // A group is complete when the next one begins.
        if let Some(alarm) = state.alarm() {
            return Ok(Some(alarm.group));
        }
    }
    let report = monitor.report(&state)?;
    let evidence = report.evidence.context("a calibrated monitor")?;
    Ok(evidence.alarm.filter(|_| report.verdict == Status::Drifting).map(|alarm| alarm.group))
}

/// Class and score of each of a group's images: one group in five shows a defect.
fn images_of(random: &mut Rng, images: usize, correlation: f64) -> Vec<(String, f64)> {
    let is_defect = random.f64() < 0.2;
    let scores = group(random, images, correlation);
    // What looks like a defect differs from image to image.
    let class = |random: &mut Rng| {
        if is_defect && normal(random) > -0.5 { "defect" } else { "good" }.to_owned()
    };
    scores.into_iter().map(|score| (class(random), score)).collect()
}

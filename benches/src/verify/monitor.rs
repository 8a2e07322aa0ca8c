//! Figure 8: the verdict that the server gives, which joins four tests; and how soon a test of appearance alarms.

use anyhow::{Context, Result};
use fastrand::Rng;
use sdd_monitor::{
    Baseline, CalibratedRate, MixStatus, Monitor, MonitorSettings, MonitorState, Observation,
};
use sdd_stats::conformal::ConditionalRate;

use super::Section;
use super::draws::{count, image, rate_of_calibration};
use super::parallel::{Estimate, simulate};

const ALPHA: f64 = 0.05;
const CALIBRATIONS: [usize; 3] = [64, 360, 1000];
const STREAMS: u64 = 2000;
/// Images that a stream is told of after; the last one is its length.
const AFTER: [u64; 3] = [500, 2000, 10_000];
/// The share of defects, among calibration images and in the stream.
const DEFECTS: f64 = 0.2;
/// The factor by which drift raises the rate of images out of distribution: 5 % become 15 %.
const RISE: f64 = 3.0;

/// The tests, in the columns' order.
const TESTS: [&str; 4] = ["e-process", "CUSUM", "window", "class mix"];

/// The image at which each test first alarmed.
type Alarms = [Option<u64>; 4];

/// # Errors
/// None but of arguments, which are constants.
pub fn measure() -> Result<Section> {
    let mut section = Section::new("8. The verdict of the monitor");
    let settings = MonitorSettings::default();
    let delta = settings.false_alarm_probability;
    section.paragraph(&format!(
        "The share of {STREAMS} streams *without drift* whose verdict has ever been `drifting`, at the defaults: δ {delta}, \
         {} images between false alarms of the CUSUM, windows of {} images at {}. Each stream has a calibration of its \
         own, with its rate of false alarms and its counts of two classes ({:.0} % defects). The verdict joins four tests, \
         each of which keeps its own promise; of the e-process, which alone has one for all time, the bound is δ, within 3 \
         standard errors.",
        settings.images_between_false_alarms,
        settings.window,
        settings.window_false_alarm_probability,
        100.0 * DEFECTS,
    ));
    let mut rows = Vec::new();
    for n_cal in CALIBRATIONS {
        let streams = streams(n_cal, 1.0, 71 + n_cal as u64)?;
        for after in AFTER {
            let within = |alarm: &Option<u64>| alarm.is_some_and(|image| image <= after);
            let share = |test: usize| {
                Estimate::of_share(streams.iter().map(|alarms| within(&alarms[test])))
            };
            let ever = Estimate::of_share(streams.iter().map(|alarms| alarms.iter().any(within)));
            let [e_process, cusum, window, mix] = [0, 1, 2, 3].map(share);
            let what = format!("false alarms of the e-process, n {n_cal}, {after} images");
            let met =
                section.at_most(&what, e_process.mean, delta + 3.0 * e_process.standard_error);
            let text = |share: Estimate| format!("{:.4}", share.mean);
            rows.push([
                n_cal.to_string(),
                after.to_string(),
                format!("{:.4} ± {:.4}", ever.mean, ever.standard_error),
                text(e_process),
                met.into(),
                text(cusum),
                text(window),
                text(mix),
            ]);
        }
    }
    let [e_process, cusum, window, mix] = TESTS;
    let header = ["calibration images", "images", "any test", e_process, "met", cusum, window, mix];
    section.table(header, &rows);
    delays(&mut section)?;
    Ok(section)
}

fn delays(section: &mut Section) -> Result<()> {
    section.paragraph(&format!(
        "Images until a test of appearance alarms (the window's where a window is full), where images are out of distribution {RISE} times as often as the \
         calibration's false alarms from the first one on; none is given before {} images. A small calibration cannot \
         tell such a rise from its own uncertainty.",
        MonitorSettings::default().minimum_images
    ));
    let mut rows = Vec::new();
    for n_cal in CALIBRATIONS {
        let streams = streams(n_cal, RISE, 171 + n_cal as u64)?;
        let mut found: Vec<u64> = streams
            .iter()
            .map(|[appearance @ .., _mix]| {
                appearance.iter().flatten().min().copied().unwrap_or(u64::MAX)
            })
            .collect();
        found.sort_unstable();
        let at = |share: f64| -> String {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a share of them"
            )]
            let images = found[(found.len() as f64 * share) as usize];
            if images == u64::MAX { format!("> {}", AFTER[2]) } else { images.to_string() }
        };
        let never = found.iter().filter(|images| **images == u64::MAX).count();
        let never = never as f64 / found.len() as f64;
        rows.push([n_cal.to_string(), at(0.5), at(0.9), format!("{never:.4}")]);
    }
    section.table(["calibration images", "median", "90 %", "not within 10,000"], &rows);
    Ok(())
}

fn streams(n_cal: usize, rise: f64, seed: u64) -> Result<Vec<Alarms>> {
    let rate = ConditionalRate::new(n_cal, ALPHA)?;
    simulate(seed, STREAMS, |random| stream(n_cal, &rate, rise, random)).into_iter().collect()
}

fn stream(n_cal: usize, rate: &ConditionalRate, rise: f64, random: &mut Rng) -> Result<Alarms> {
    let threshold = CalibratedRate { images: n_cal, above: rate.a() - 1 };
    let defects = count(random, n_cal, DEFECTS) as u64;
    let mix = [("defect".to_owned(), defects), ("good".to_owned(), n_cal as u64 - defects)];
    let baseline = Baseline::new(ALPHA, vec![threshold]).with_class_mix(mix);
    let monitor = Monitor::new(MonitorSettings::default(), Some(baseline))?;
    let rate = (rise * rate_of_calibration(random, rate)).min(1.0);
    let mut state = monitor.start(0);
    let mut alarms = [None; 4];
    for number in 1..=AFTER[2] {
        let class = if image(random, DEFECTS) { "defect" } else { "good" };
        let observation = Observation {
            predicted_class: class.into(),
            out_of_distribution: Some(image(random, rate)),
            ..Observation::default()
        };
        state.observe(&monitor, &observation)?;
        if number.is_multiple_of(monitor.settings().window as u64) {
            look(&monitor, &state, number, &mut alarms)?;
        }
    }
    Ok(alarms)
}

/// What the tests say when a window is full. The first two say when they alarmed, at the least a verdict's images.
fn look(monitor: &Monitor, state: &MonitorState, number: u64, alarms: &mut Alarms) -> Result<()> {
    let report = monitor.report(state)?;
    let least = monitor.settings().minimum_images as u64;
    let since = |alarm: Option<sdd_monitor::Alarm>| alarm.map(|at| at.image.max(least));
    let (e_process, cusum) = report.e_process.zip(report.cusum).context("a calibrated monitor")?;
    let window = report.window.and_then(|window| window.test).is_some_and(|test| test.alarm);
    let mix = report.class_mix.status == MixStatus::Changed;
    let found = [
        since(e_process.alarm),
        since(cusum.alarm),
        window.then_some(number),
        mix.then_some(number),
    ];
    for (alarm, found) in alarms.iter_mut().zip(found) {
        *alarm = alarm.or(found);
    }
    Ok(())
}

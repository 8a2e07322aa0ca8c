//! The delay until a rise is noticed, beside that of other detectors on the same streams.

use super::super::detectors::{Adwin, PageHinkley};
use anyhow::Result;
use fastrand::Rng;
use sdd_stats::sequential::{CusumDesign, Guarantee, SequentialTest};

use crate::verify::Section;
use crate::verify::draws::image;
use crate::verify::parallel::{Estimate, simulate};

const STREAMS: u64 = 4000;
/// Images before the rise.
const QUIET: u32 = 1000;
/// Images after it: a detector that has not signaled by then is counted with these.
const RISEN: u32 = 20_000;
const RATES: [f64; 2] = [0.05, 0.15];
const RUN_LENGTH: f64 = 30_000.0;
const MOST_DELAY: f64 = 95.0;

/// Says whether it signals, and begins anew after a signal.
type Detector = Box<dyn FnMut(bool) -> bool>;

pub fn compare(section: &mut Section) -> Result<()> {
    section.paragraph(&format!(
        "Images from a rise 5 → 15 % until the next alarm, after {QUIET} images without drift, on the same {STREAMS} \
         streams; and the share of streams with an alarm during those {QUIET}. All but the sequential test begin anew \
         after an alarm. The CUSUM is designed for {RUN_LENGTH} images between false alarms; bound of its mean delay: \
         {MOST_DELAY}. ADWIN and Page–Hinkley have river's defaults. The sequential test is for n = 360, δ = 0.05, \
         which bounds the probability of a false alarm ever, and so takes longer; streams in which it alarmed before are left out."
    ));
    let design = CusumDesign::for_run_length(RATES[0], RATES[1], RUN_LENGTH)?;
    let cusum = design.start()?;
    let guarantee = Guarantee::new(360, RATES[0], 0.05)?;
    let detectors: [(&str, &(dyn Fn() -> Detector + Sync)); 4] = [
        ("CUSUM", &|| {
            let mut cusum = cusum;
            Box::new(move |image| {
                let alarm = cusum.observe(image);
                if alarm {
                    cusum.reset();
                }
                alarm
            })
        }),
        ("ADWIN", &|| {
            let mut adwin = Adwin::default();
            Box::new(move |image| adwin.observe(f64::from(image)))
        }),
        ("Page–Hinkley", &|| {
            let mut page_hinkley = PageHinkley::default();
            Box::new(move |image| page_hinkley.observe(f64::from(image)))
        }),
        ("sequential test", &|| {
            let mut test = SequentialTest::new(guarantee);
            Box::new(move |image| test.observe(image))
        }),
    ];
    let mut rows = Vec::new();
    for (name, detector) in detectors {
        let runs = simulate(59, STREAMS, |random| run(detector(), random));
        let stays = name == "sequential test";
        let kept = runs.iter().filter(|run| !(stays && run.early));
        let delays: Vec<f64> = kept.map(|run| f64::from(run.delay)).collect();
        let mut ascending = delays.clone();
        ascending.sort_unstable_by(f64::total_cmp);
        let (median, late) = (ascending[ascending.len() / 2], ascending[ascending.len() * 9 / 10]);
        let early = Estimate::of_share(runs.iter().map(|run| run.early)).mean;
        let delay = Estimate::of(delays);
        let met = match name {
            "CUSUM" => section.at_most("mean delay of the CUSUM", delay.mean, MOST_DELAY),
            _ => "–",
        };
        rows.push([
            name.into(),
            format!("{:.1} ± {:.1}", delay.mean, delay.standard_error),
            met.into(),
            format!("{median:.0}"),
            format!("{late:.0}"),
            format!("{early:.4}"),
        ]);
    }
    section.table(["", "mean delay", "met", "median", "90 %", "alarm before"], &rows);
    Ok(())
}

struct Run {
    /// Whether it signaled before the rise.
    early: bool,
    delay: u32,
}

fn run(mut detector: Detector, random: &mut Rng) -> Run {
    let mut early = false;
    for _ in 0..QUIET {
        early |= detector(image(random, RATES[0]));
    }
    let delay = (1..RISEN).find(|_| detector(image(random, RATES[1]))).unwrap_or(RISEN);
    Run { early, delay }
}

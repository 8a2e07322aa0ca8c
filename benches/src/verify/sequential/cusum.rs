//! The CUSUM: images between false alarms.

use anyhow::Result;
use fastrand::Rng;
use sdd_stats::conformal::{ConditionalRate, conditional_rate_bound};
use sdd_stats::sequential::{Cusum, CusumDesign};

use crate::verify::Section;
use crate::verify::draws::{image, rate_of_calibration};
use crate::verify::parallel::{Estimate, simulate};

/// Rates without and with drift, and the run length stated.
const STATED: [(f64, f64, f64); 6] = [
    (0.05, 0.15, 1000.0),
    (0.05, 0.15, 30_000.0),
    (0.05, 0.10, 30_000.0),
    (0.01, 0.05, 30_000.0),
    (0.0745, 0.15, 30_000.0),
    (0.05, 0.50, 30_000.0),
];
const RUNS: u64 = 10_000;

pub fn run_lengths(section: &mut Section) -> Result<()> {
    section.paragraph(&format!(
        "The CUSUM: images until a false alarm, where the rate is p0; {RUNS} runs. Bound: within 10 % of the run length \
         stated. The threshold is computed, and so are \"exact\" and \"delay\", the images until the alarm where the \
         rate is p1 from the first image on."
    ));
    let mut rows = Vec::new();
    for (p0, p1, stated) in STATED {
        let design = CusumDesign::for_run_length(p0, p1, stated)?;
        let cusum = design.start()?;
        let lengths = simulate(47, RUNS, |random| images_until_alarm(cusum, random, p0));
        let length = Estimate::of(lengths);
        let what = format!("run length for {p0} → {p1}, relative to {stated}");
        let met = [
            section.at_most(&what, length.mean / stated, 1.1),
            section.at_least(&what, length.mean / stated, 0.9),
        ];
        rows.push([
            format!("{p0} → {p1}"),
            format!("{stated}"),
            format!("{:.4}", design.threshold),
            format!("{:.0}", design.run_length),
            format!("{:.0} ± {:.0}", length.mean, length.standard_error),
            if met == ["yes"; 2] { "yes" } else { "**no**" }.into(),
            format!("{:.1}", design.mean_delay),
        ]);
    }
    let header = ["p0 → p1", "stated", "threshold", "exact", "simulated", "met", "delay"];
    section.table(header, &rows);
    Ok(())
}

fn images_until_alarm(mut cusum: Cusum, random: &mut Rng, rate: f64) -> f64 {
    let mut images = 1.0;
    while !cusum.observe(image(random, rate)) {
        images += 1.0;
    }
    images
}

/// What a finite calibration does to the run length, and that a bound as p0 mends it.
pub fn calibrations(section: &mut Section) -> Result<()> {
    let (alpha, p1, stated, delta) = (0.05, 0.15_f64, 30_000.0, 0.10);
    section.paragraph(&format!(
        "The rate without drift is that of the calibration, and not α. Of 1000 calibrations each, the share whose run \
         length is below the stated {stated}, with α as p0 and with the bound that a share δ = {delta} of calibrations \
         exceeds. Bound for the latter: δ, within 3 standard errors."
    ));
    let error = (delta * (1.0 - delta) / 1000.0_f64).sqrt();
    let mut rows = Vec::new();
    for n_cal in [99, 360, 1000, 5000] {
        let rate = ConditionalRate::new(n_cal, alpha)?;
        let rates = simulate(53, 1000, |random| rate_of_calibration(random, &rate));
        let short = |p0: f64| -> Result<(CusumDesign, f64)> {
            let design = CusumDesign::for_run_length(p0, p1.max(1.5 * p0), stated)?;
            let short = rates.iter().map(|rate| Ok(design.run_length_at(*rate)? < stated));
            Ok((design, Estimate::of_share(short.collect::<Result<Vec<_>>>()?).mean))
        };
        let bound = conditional_rate_bound(n_cal, alpha, delta)?;
        let ((_, naive), (design, ours)) = (short(alpha)?, short(bound)?);
        let what = format!("calibrations with a short run length, n {n_cal}");
        let met = section.at_most(&what, ours, delta + 3.0 * error);
        rows.push([
            n_cal.to_string(),
            format!("{naive:.3}"),
            format!("{bound:.4} → {:.3}", design.p1),
            format!("{ours:.3}"),
            met.into(),
            format!("{:.0}", design.mean_delay),
        ]);
    }
    let header = ["calibration images", "p0 = α", "bound → p1", "p0 = bound", "met", "delay"];
    section.table(header, &rows);
    Ok(())
}

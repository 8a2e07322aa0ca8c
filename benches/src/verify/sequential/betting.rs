//! The e-process: false alarms, ever.

use anyhow::Result;
use sdd_stats::conformal::ConditionalRate;
use sdd_stats::sequential::{Guarantee, SequentialTest};

use crate::verify::Section;
use crate::verify::draws::{image, rate_of_calibration};
use crate::verify::parallel::{Estimate, simulate};

const ALPHA: f64 = 0.05;
const STREAMS: u64 = 10_000;
const IMAGES: u32 = 10_000;
const DELTA: f64 = 0.05;

pub fn false_alarms(section: &mut Section) -> Result<()> {
    section.paragraph(&format!(
        "The sequential test (`SequentialTest`): the share of {STREAMS} streams of {IMAGES} images without drift that \
         raise an alarm, ever. Each stream has a calibration of its own, and images are called out of distribution at \
         p ≤ {ALPHA}. Bound: δ. In the last row the rate is known to be the level, the least favorable case."
    ));
    let mut rows = Vec::new();
    for n_cal in [99, 360, 5000] {
        let guarantee = Guarantee::new(n_cal, ALPHA, DELTA)?;
        let rate = ConditionalRate::new(n_cal, ALPHA)?;
        let alarmed = simulate(41 + n_cal as u64, STREAMS, |random| {
            let rate = rate_of_calibration(random, &rate);
            alarms(guarantee, random, rate)
        });
        rows.push(row(section, &n_cal.to_string(), guarantee, alarmed));
    }
    let guarantee = Guarantee::of_known_rate(ALPHA, DELTA)?;
    let alarmed = simulate(43, STREAMS, |random| alarms(guarantee, random, ALPHA));
    rows.push(row(section, "rate known", guarantee, alarmed));
    section.table(["calibration images", "δ", "level", "alarms, ever", "met"], &rows);
    Ok(())
}

fn alarms(guarantee: Guarantee, random: &mut fastrand::Rng, rate: f64) -> bool {
    let mut test = SequentialTest::new(guarantee);
    (0..IMAGES).any(|_| test.observe(image(random, rate)))
}

fn row(
    section: &mut Section,
    calibration: &str,
    guarantee: Guarantee,
    alarmed: Vec<bool>,
) -> [String; 5] {
    let share = Estimate::of_share(alarmed);
    let what = format!("sequential test, calibration {calibration}");
    let met = section.at_most(&what, share.mean, guarantee.delta());
    [
        calibration.into(),
        guarantee.delta().to_string(),
        format!("{:.4}", guarantee.level()),
        format!("{:.4} ± {:.4}", share.mean, share.standard_error),
        met.into(),
    ]
}

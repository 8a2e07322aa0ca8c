//! Figure 1: false alarms on single images.

use anyhow::Result;
use fastrand::Rng;
use sdd_stats::conformal::{PValueKind, PValues};

use super::Section;
use super::parallel::{Estimate, simulate};

const ALPHAS: [f64; 3] = [0.01, 0.05, 0.10];
const CALIBRATIONS: u64 = 1000;
const IMAGES: usize = 2000;
/// Each without simulated images, hence more of them.
const CONDITIONAL_CALIBRATIONS: u64 = 20_000;
const DELTAS: [f64; 2] = [0.01, 0.10];
const SIZES: [usize; 2] = [99, 360];

/// # Errors
/// None but of arguments, which are constants.
pub fn measure() -> Result<Section> {
    let mut section = Section::new("1. False alarms on single images");
    section.paragraph(&format!(
        "`P(p ≤ α)` for good images, over {CALIBRATIONS} calibrations and {IMAGES} new images with each. Bound: α, \
         within 3 standard errors (over calibrations)."
    ));
    marginal(&mut section)?;
    section.paragraph(&format!(
        "Calibration-conditional p-values, by the Simes inequality: the share of {CONDITIONAL_CALIBRATIONS} calibrations of which some level t has \
         P(p′ ≤ t | calibration) > t, computed exactly with each. Bound: δ, within 3 standard errors. The smallest \
         level at which the correction can raise an alarm at all stands beside it."
    ));
    conditional(&mut section)?;
    Ok(section)
}

fn marginal(section: &mut Section) -> Result<()> {
    let mut rows = Vec::new();
    for n_cal in SIZES {
        let shares = simulate(11 + n_cal as u64, CALIBRATIONS, |random| {
            let calibration = PValues::of_images(uniform(random, n_cal), PValueKind::Marginal)?;
            let mut alarms = [0_u32; ALPHAS.len()];
            for score in uniform(random, IMAGES) {
                let p_value = calibration.p_value(score);
                for (alarms, alpha) in alarms.iter_mut().zip(ALPHAS) {
                    *alarms += u32::from(p_value <= alpha);
                }
            }
            Ok(alarms.map(|alarms| f64::from(alarms) / IMAGES as f64))
        });
        let shares = shares.into_iter().collect::<Result<Vec<_>>>()?;
        for (i, alpha) in ALPHAS.into_iter().enumerate() {
            let share = Estimate::of(shares.iter().map(|shares| shares[i]));
            let what = format!("P(p ≤ {alpha}), n {n_cal}");
            let met = section.at_most(&what, share.mean, alpha + 3.0 * share.standard_error);
            let found = format!("{:.5} ± {:.5}", share.mean, share.standard_error);
            rows.push([n_cal.to_string(), alpha.to_string(), found, met.into()]);
        }
    }
    section.table(["calibration images", "α", "mean P(p ≤ α)", "met"], &rows);
    Ok(())
}

fn conditional(section: &mut Section) -> Result<()> {
    let mut rows = Vec::new();
    for n_cal in SIZES {
        for delta in DELTAS {
            let kind = PValueKind::Simes { delta };
            let ranks = PValues::of_images((0..n_cal).map(|rank| rank as f64).collect(), kind)?;
            // Of a score that as many of the calibration's reach or exceed.
            let simes = |count: usize| ranks.p_value((n_cal - count) as f64 - 0.5);
            let violated = simulate(17 + n_cal as u64, CONDITIONAL_CALIBRATIONS, |random| {
                let mut scores = uniform(random, n_cal);
                scores.sort_unstable_by(|x, y| y.total_cmp(x));
                violates(&scores, simes)
            });
            let error = (delta * (1.0 - delta) / CONDITIONAL_CALIBRATIONS as f64).sqrt();
            let share = Estimate::of_share(violated).mean;
            let what = format!("Simes violated, n {n_cal} δ {delta}");
            let met = section.at_most(&what, share, delta + 3.0 * error);
            rows.push([
                n_cal.to_string(),
                delta.to_string(),
                format!("{share:.4}"),
                met.into(),
                format!("{:.3}", kind.smallest_p_value(n_cal)),
            ]);
        }
    }
    section.table(["calibration images", "δ", "violated", "met", "smallest level"], &rows);
    Ok(())
}

fn uniform(random: &mut Rng, count: usize) -> Vec<f64> {
    (0..count).map(|_| random.f64()).collect()
}

/// Whether `P(p′ ≤ t) > t` for some t, scores being uniform and `descending` those of the calibration: p′ is at most
/// that of `count` where the score exceeds the calibration's at that place.
fn violates(descending: &[f64], p_value: impl Fn(usize) -> f64) -> bool {
    let rates = descending.iter().map(|score| 1.0 - score);
    rates.enumerate().any(|(count, rate)| rate > p_value(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_calibration_of_low_scores_violates() {
        let p_value = |count: usize| (1 + count) as f64 / 5.0;
        assert!(!violates(&[0.81, 0.61, 0.41, 0.21], p_value));
        assert!(violates(&[0.81, 0.61, 0.39, 0.21], p_value));
    }
}

//! Figure 2: the window's test beside a binomial one.

use anyhow::Result;
use sdd_stats::conformal::ConditionalRate;
use sdd_stats::distributions::beta_cdf;
use sdd_stats::sequential::WindowTest;

use super::Section;
use super::draws::{count, rate_of_calibration};
use super::parallel::{Estimate, simulate};

const ALPHA: f64 = 0.05;
const SIZE: f64 = 0.01;
const CALIBRATIONS: [usize; 4] = [99, 360, 1000, 5000];
const WINDOWS: [usize; 3] = [100, 500, 2000];
const TRIALS: u64 = 100_000;

/// # Errors
/// None but of arguments, which are constants.
pub fn measure() -> Result<Section> {
    let mut section = Section::new("2. Alarms of a window");
    section.paragraph(&format!(
        "Alarms without drift of a window of W images, at the nominal size {SIZE} and images called out of \
         distribution at p ≤ {ALPHA}; {TRIALS} trials, each with a calibration of its own. Bound: 1.2 times the \
         nominal size. Beside it a binomial test that takes {ALPHA} for the rate."
    ));
    sizes(&mut section)?;
    power(&mut section)?;
    Ok(section)
}

fn sizes(section: &mut Section) -> Result<()> {
    let mut rows = Vec::new();
    for n_cal in CALIBRATIONS {
        for window in WINDOWS {
            let test = WindowTest::new(n_cal, ALPHA, window)?;
            let rate = ConditionalRate::new(n_cal, ALPHA)?;
            let (cutoff, naive) = (test.cutoff(SIZE), binomial_cutoff(window)?);
            let seed = 23 * n_cal as u64 + window as u64;
            let counts = simulate(seed, TRIALS, |random| {
                let rate = rate_of_calibration(random, &rate);
                count(random, window, rate)
            });
            let alarms = |cutoff| Estimate::of_share(counts.iter().map(|count| *count >= cutoff));
            let (ours, binomial) = (alarms(cutoff), alarms(naive));
            let what = format!("alarms, n {n_cal} W {window}");
            let met = section.at_most(&what, ours.mean, 1.2 * SIZE);
            rows.push([
                n_cal.to_string(),
                window.to_string(),
                cutoff.to_string(),
                format!("{:.4}", test.upper_tail(cutoff)),
                format!("{:.4} ± {:.4}", ours.mean, ours.standard_error),
                met.into(),
                format!("{:.4} ({:.1} x)", binomial.mean, binomial.mean / SIZE),
            ]);
        }
    }
    section.table(
        ["calibration images", "W", "cutoff", "exact", "alarms", "met", "binomial test"],
        &rows,
    );
    Ok(())
}

/// The smallest count whose binomial tail is at most the size.
fn binomial_cutoff(window: usize) -> Result<usize> {
    for k in 1..=window {
        // P(Binomial(W, α) ≥ k) = I_α(k, W − k + 1).
        if beta_cdf(k as f64, (window - k + 1) as f64, ALPHA)? <= SIZE {
            return Ok(k);
        }
    }
    Ok(window + 1)
}

fn power(section: &mut Section) -> Result<()> {
    let (n_cal, window) = (360, 100);
    let cutoff = WindowTest::new(n_cal, ALPHA, window)?.cutoff(SIZE);
    let rate = ConditionalRate::new(n_cal, ALPHA)?;
    let fixed = simulate(31, TRIALS, |random| count(random, window, 3.0 * ALPHA) >= cutoff);
    let tripled = simulate(37, TRIALS, |random| {
        let rate = 3.0 * rate_of_calibration(random, &rate);
        count(random, window, rate) >= cutoff
    });
    let (fixed, tripled) = (Estimate::of_share(fixed), Estimate::of_share(tripled));
    let met = section.at_least("power", fixed.mean, 0.75);
    section.paragraph(&format!(
        "Power at 5 → 15 %, W = {window}, n = {n_cal}: **{:.4}** ± {:.4}. Bound: 0.75, met: {met}. Where drift \
         triples each calibration's own rate instead: {:.4}.",
        fixed.mean, fixed.standard_error, tripled.mean
    ));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_binomial_cutoffs_are_those_of_scipy() {
        let found = WINDOWS.map(|window| binomial_cutoff(window).unwrap());
        assert_eq!(found, [12, 38, 124]);
    }
}

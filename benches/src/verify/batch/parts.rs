//! Figure 4, with several images of each part.

use anyhow::Result;
use fastrand::Rng;
use sdd_drift::batch::{Batch, BatchGroups, BatchReport, Options, Status, check};

use super::embeddings::{Change, Network};
use super::{DEFECTS, SEED, percent, reference_with, share, shares};
use crate::verify::Section;
use crate::verify::parallel::simulate;

const TRIALS: u64 = 1000;

/// Parts, and images of each.
const HELD_OUT: [usize; 2] = [20, 5];
const BATCH: [usize; 2] = [20, 5];
/// So few that all their divisions are compared: 45.
const FEW: [[usize; 2]; 2] = [[8, 15], [2, 15]];

/// Without drift, where the mix alone is another, and where the appearance is.
pub fn alarms(section: &mut Section, network: &Network) -> Result<()> {
    section.paragraph(&format!(
        "The same with `--group-regex`: images show parts, which differ (by 0.7 of the standard deviation of the images of \
         one part, in every factor), and whole parts are exchanged; {TRIALS} trials. In the first rows {} parts are held \
         out and {} in the batch, with {} images each; in the last, {} and {} with {}. The last column takes the images \
         for independent, which they are not.",
        HELD_OUT[0], BATCH[0], BATCH[1], FEW[0][0], FEW[1][0], FEW[1][1],
    ));
    let shift = Change { shift: 1.0, ..Change::default() };
    let cases = [
        ("none", [HELD_OUT, BATCH], DEFECTS, Change::default()),
        ("mix: 50 % defects", [HELD_OUT, BATCH], 0.5, Change::default()),
        ("mix: 80 % defects", [HELD_OUT, BATCH], 0.8, Change::default()),
        ("shift by 1", [HELD_OUT, BATCH], DEFECTS, shift),
        ("none, few parts", FEW, DEFECTS, Change::default()),
        ("shift by 1, few parts", FEW, DEFECTS, shift),
    ];
    let mut rows = Vec::new();
    for (name, sizes, defects, change) in cases {
        let trial = |random: &mut Rng| trial(network, sizes, defects, change, random);
        let trials = simulate(SEED + 1, TRIALS, trial).into_iter().collect::<Result<Vec<_>>>()?;
        let (whole, single): (Vec<BatchReport>, Vec<BatchReport>) = trials.into_iter().unzip();
        let [all, appearance, mix] = shares(&whole);
        let single = share(&single, |report| report.appearance.verdict == Status::Drifting);
        let met = if change.shift > 0.0 {
            "–"
        } else if name.starts_with("none") {
            section.at_most(&format!("alarms with parts, {name}"), all.mean, 0.06)
        } else {
            let what = format!("alarms on the appearance with parts, {name}");
            section.at_most(&what, appearance.mean, 0.05)
        };
        rows.push([
            name.to_owned(),
            percent(all),
            percent(appearance),
            percent(mix),
            met.to_owned(),
            percent(single),
        ]);
    }
    let header = [
        "drift",
        "alarm",
        "appearance",
        "class mix",
        "at most 6 % without drift, 5 % on appearance",
        "appearance by single images",
    ];
    section.table(header, &rows);
    Ok(())
}

/// What is said with whole parts, and with single images.
fn trial(
    network: &Network,
    [held_out, batch]: [[usize; 2]; 2],
    defects: f64,
    change: Change,
    random: &mut Rng,
) -> Result<(BatchReport, BatchReport)> {
    let images = network.draw_parts(random, held_out, DEFECTS, Change::default());
    let reference = reference_with(network, images, random)?;
    let single = network.draw_parts(random, batch, defects, change);
    let parts = |[parts, images]: [usize; 2]| {
        (0..parts * images).map(|image| (image / images).to_string()).collect()
    };
    let groups = BatchGroups { held_out: parts(held_out), batch: parts(batch) };
    let whole = Batch { groups: Some(groups), ..single.clone() };
    let options = Options { seed: random.u64(..), strangest: 0, ..Options::default() };
    Ok((check(&reference, &whole, &options)?, check(&reference, &single, &options)?))
}

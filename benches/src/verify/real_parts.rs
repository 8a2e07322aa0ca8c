//! Figure 6: the parts of the shipped reference, each judged by the others.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use sdd_drift::Reference;
use sdd_stats::conformal::GroupedScores;

use super::Section;
use super::parallel::Estimate;

const STORE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/reference");
const ALPHA: f64 = 0.05;
const SOUND: &str = "non_defect";
/// The parts that the shipped network was not trained on, see `models/README.md`.
const UNSEEN: [&str; 8] =
    ["item00", "item05", "item06", "item07", "item21", "item31", "item33", "item37"];

/// # Errors
/// What the store reports.
pub fn measure() -> Result<Section> {
    let mut section = Section::new("6. Real images");
    let reference = Reference::open(Path::new(STORE))?;
    let calibration = reference.calibration().context("the store is not calibrated")?;
    let mut parts = BTreeMap::<&str, Vec<(f64, bool)>>::new();
    for entry in calibration.entries() {
        let part = entry.group.as_deref().context("the store has no groups")?;
        let is_sound = entry.label.as_deref() == Some(SOUND);
        parts.entry(part).or_default().push((entry.score, is_sound));
    }
    section.paragraph(&format!(
        "Sound images of the {} parts in `models/reference`, called out of distribution at α = {ALPHA} by the other parts' \
         scores, which weigh each part once. Each image is scored among those of all other parts. The network was trained on \
         all parts but {}: what it says of the others it would hardly say of new ones. Bound: α, within 3 standard errors over \
         parts.",
        parts.len(),
        UNSEEN.len(),
    ));
    let mut rows = Vec::new();
    for (name, is_meant) in [("all", None), ("trained on", Some(false)), ("never seen", Some(true))]
    {
        let meant = |part: &&&str| is_meant.is_none_or(|unseen| UNSEEN.contains(*part) == unseen);
        let shares = parts.keys().filter(meant).map(|part| flagged(&parts, part));
        let shares = shares.collect::<Result<Vec<f64>>>()?;
        let mean = Estimate::of(shares.iter().copied());
        let what = format!("share flagged, parts {name}");
        rows.push([
            name.to_owned(),
            shares.len().to_string(),
            format!("{:.4} ± {:.4}", mean.mean, mean.standard_error),
            section.at_most(&what, mean.mean, ALPHA + 3.0 * mean.standard_error).into(),
            format!("{:.2}", shares.iter().copied().fold(0.0, f64::max)),
        ]);
    }
    section.table(["parts", "number", "flagged, mean over parts", "met", "most of a part"], &rows);
    section.paragraph(
        "Other products and photographs, and changed images by kind and severity, need image files: the AUROC of each is in \
         [the table of scores](drift.md#which-to-choose) (`knn`: 1.000 for magnetic tiles and for photographs), with the \
         command beside it.",
    );
    Ok(section)
}

/// The share of a part's sound images that the others flag.
fn flagged(parts: &BTreeMap<&str, Vec<(f64, bool)>>, part: &str) -> Result<f64> {
    let others = parts.iter().filter(|(other, _)| **other != part);
    let scores = |images: &Vec<(f64, bool)>| images.iter().map(|(score, _)| *score).collect();
    let others: Vec<Vec<f64>> = others.map(|(_, images)| scores(images)).collect();
    let others = GroupedScores::new(&others)?;
    let sound: Vec<f64> =
        parts[part].iter().filter(|(_, is_sound)| *is_sound).map(|(score, _)| *score).collect();
    let out = sound.iter().filter(|score| others.p_value(**score) <= ALPHA).count();
    Ok(out as f64 / sound.len().max(1) as f64)
}

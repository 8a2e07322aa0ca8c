//! Figure 6: the shipped reference's own held-out parts.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result};
use sdd_drift::calibration::{CalibrationEntry, CalibrationSource};
use sdd_drift::calibration_images::CalibrationImage;
use sdd_drift::{Calibration, CalibrationImages, Query, Reference};

use super::Section;

const STORE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/reference");
const ALPHA: f64 = 0.05;
const BOUNDS: [f64; 2] = [0.03, 0.07];
/// Parts that are judged at a time by a calibration of the others.
const JUDGED: [usize; 3] = [1, 2, 4];
const SOUND: &str = "non_defect";

/// A held-out image.
struct Image {
    part: String,
    entry: CalibrationEntry,
}

/// # Errors
/// What the store reports.
pub fn measure() -> Result<Section> {
    let mut section = Section::new("6. Real images");
    let reference = Reference::open(Path::new(STORE))?;
    let images = images(&reference)?;
    let parts: Vec<&str> = images
        .iter()
        .map(|image| image.part.as_str())
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    section.paragraph(&format!(
        "Sound parts that the shipped model was not trained on, called out of distribution at α = {ALPHA}: {} images \
         of {} parts in `models/reference`. Some of the parts are judged by a calibration with the images of the others, in every \
         way to choose them, so that no image is judged by its own part. Bounds: {} to {} of the images, on average. Images of \
         one part are alike, so that single choices differ much.",
        images.iter().filter(|image| is_sound(image)).count(),
        parts.len(),
        BOUNDS[0],
        BOUNDS[1],
    ));
    let mut rows = Vec::new();
    for judged in JUDGED {
        let mut shares = Vec::new();
        for chosen in choices(&parts, judged) {
            shares.push(flagged(&reference, &images, &chosen)?);
        }
        shares.sort_unstable_by(f64::total_cmp);
        let mean = shares.iter().sum::<f64>() / shares.len() as f64;
        let what = format!("share flagged, {judged} parts judged");
        let low = section.at_least(&what, mean, BOUNDS[0]);
        let high = section.at_most(&what, mean, BOUNDS[1]);
        let met = if low == high { low } else { "**no**" };
        rows.push([
            judged.to_string(),
            shares.len().to_string(),
            format!("{mean:.4}"),
            met.into(),
            format!("{:.4} to {:.4}", shares[0], shares[shares.len() - 1]),
        ]);
    }
    section.table(["parts judged", "choices", "flagged on average", "met", "least to most"], &rows);
    section.paragraph(
        "Other products and photographs, and changed images by kind and severity, need image files: the AUROC of each is in \
         [the table of scores](drift.md#which-to-choose) (`knn`: 1.000 for magnetic tiles and for photographs), with the \
         command beside it.",
    );
    Ok(section)
}

/// The held-out images with their scores, as `drift-index build` scored them.
fn images(reference: &Reference) -> Result<Vec<Image>> {
    let held_out =
        CalibrationImages::from_store(reference.store())?.context("the store keeps no images")?;
    let rows = held_out.embeddings();
    let image = |(row, image): (ndarray::ArrayView1<'_, f32>, &CalibrationImage)| {
        let embedding = row.to_vec();
        let mut query = Query::new(&embedding);
        query.predicted_class = image.predicted_class.as_deref();
        let entry = CalibrationEntry {
            score: reference.assess(&query, 0)?.score,
            predicted_class: image.predicted_class.clone(),
            label: image.label.clone(),
            ..CalibrationEntry::default()
        };
        // `non_defect/item07_061.jpg` shows part 07.
        let name = image.id.rsplit('/').next().unwrap_or_default();
        let part = name.split('_').next().unwrap_or_default().to_owned();
        Ok(Image { part, entry })
    };
    rows.rows().into_iter().zip(held_out.images()).map(image).collect()
}

/// The share of sound images of the chosen parts that the others' calibration flags.
fn flagged(reference: &Reference, images: &[Image], chosen: &[&str]) -> Result<f64> {
    let is_chosen = |image: &&Image| chosen.contains(&image.part.as_str());
    let others = images.iter().filter(|image| !is_chosen(image));
    let entries = others.map(|image| image.entry.clone()).collect();
    let source = CalibrationSource::Directory;
    let calibration = Calibration::new(reference.score(), ALPHA, entries, None, source)?;
    let sound = images.iter().filter(|image| is_chosen(image) && is_sound(image));
    let (mut judged, mut out) = (0_u32, 0_u32);
    for image in sound {
        let verdict = calibration.judge(image.entry.score, None);
        judged += 1;
        out += u32::from(verdict.is_ok_and(|verdict| verdict.out_of_distribution));
    }
    Ok(f64::from(out) / f64::from(judged.max(1)))
}

fn is_sound(image: &Image) -> bool {
    image.entry.label.as_deref() == Some(SOUND)
}

/// All ways to choose so many of some parts.
fn choices<'a>(parts: &[&'a str], count: usize) -> Vec<Vec<&'a str>> {
    match (parts, count) {
        (_, 0) => vec![Vec::new()],
        ([], _) => Vec::new(),
        ([first, rest @ ..], _) => {
            let with = choices(rest, count - 1).into_iter().map(|mut chosen| {
                chosen.push(first);
                chosen
            });
            with.chain(choices(rest, count)).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_choices_are_made_once() {
        let chosen = choices(&["a", "b", "c", "d"], 2);
        assert_eq!(chosen.len(), 6);
        assert_eq!(chosen.iter().collect::<BTreeSet<_>>().len(), 6);
    }

    #[test]
    fn scores_of_held_out_images_are_those_that_the_store_was_calibrated_with() {
        let reference = Reference::open(Path::new(STORE)).unwrap();
        let mut found: Vec<f64> =
            images(&reference).unwrap().iter().map(|image| image.entry.score).collect();
        found.sort_unstable_by(f64::total_cmp);
        let expected: Vec<f64> =
            reference.calibration().unwrap().entries().iter().map(|entry| entry.score).collect();
        assert_eq!(found, expected);
    }
}

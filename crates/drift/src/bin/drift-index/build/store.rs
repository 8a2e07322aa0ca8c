//! Scores the held-out images and writes the store.

use std::collections::{BTreeMap, HashSet};
use std::num::NonZeroUsize;
use std::path::Path;
use std::thread;

use anyhow::{Context, Result};
use ndarray::{ArrayView1, Axis};
use sdd_drift::calibration::{CALIBRATION_ATTACHMENT, CalibrationEntry};
use sdd_drift::calibration_images::CalibrationImage;
use sdd_drift::score::SCORE_ATTACHMENT;
use sdd_drift::{
    Calibration, CalibrationImages, Error, Reference, Score, ScoreMethod, VerdictRule,
};
use sdd_index::{FileStore, ReferenceStore, StoreContents};

use super::arguments::Arguments;
use super::summary::{Built, Part, Remarks, SkippedImage};
use super::{HeldOut, HeldOutImage, Material};
use crate::answer::count;
use crate::interrupt::Interrupt;

pub fn write(
    material: Material,
    score: Score,
    rule: &VerdictRule,
    arguments: &Arguments,
    interrupt: &Interrupt,
) -> Result<Built> {
    let Material { model, embeddings, records, held_out, mut remarks } = material;
    let asked_for = score;
    let score = score.at_most(embeddings.nrows());
    if score != asked_for {
        eprintln!("warning: there are fewer reference images than neighbors: the score is {score}");
    }
    let mut contents = StoreContents {
        model,
        normalization: arguments.normalize,
        embeddings,
        records,
        attachments: BTreeMap::from([(SCORE_ATTACHMENT.to_owned(), score.to_json())]),
    };
    let calibration = if let Some(held_out) = held_out {
        let (calibration, images) =
            calibrate(&contents, score, held_out, *rule, &mut remarks, interrupt)?;
        contents
            .attachments
            .extend(images.to_attachments().map(|(name, bytes)| (name.to_owned(), bytes)));
        Some(calibration)
    } else {
        check(&contents, score)?;
        None
    };
    if let Some(calibration) = &calibration {
        warn_of_classes(calibration);
        contents.attachments.insert(CALIBRATION_ATTACHMENT.to_owned(), calibration.to_json());
    }
    interrupt.check()?;
    FileStore::write(&arguments.out, &contents)
        .with_context(|| format!("cannot write the store {}", arguments.out.display()))?;
    let store = FileStore::open(&arguments.out)?;
    Ok(Built {
        manifest: store.manifest().clone(),
        labels: store.labels(),
        score,
        calibration,
        remarks,
    })
}

/// Scores the held-out images exactly as a query will be: against a store on disk, here one that
/// lives only as long as this takes. Hands back the scores, and the images that have one.
fn calibrate(
    contents: &StoreContents,
    score: Score,
    held_out: HeldOut,
    rule: VerdictRule,
    remarks: &mut Remarks,
    interrupt: &Interrupt,
) -> Result<(Calibration, CalibrationImages)> {
    let scratch = tempfile::tempdir().context("cannot make a temporary folder")?;
    let folder = scratch.path().join("uncalibrated");
    FileStore::write(&folder, contents).context("cannot make a temporary store")?;
    let reference = open_uncalibrated(&folder, score)?;

    let mut entries = Vec::with_capacity(held_out.images.len());
    let (mut rows, mut images) = (Vec::new(), Vec::new());
    let mut groups = HashSet::new();
    let scores = score_all(&reference, &held_out, interrupt)?;
    for ((row, image), score) in held_out.images.into_iter().enumerate().zip(scores) {
        let predicted_class = image.predicted.query(&[]).predicted_class.map(str::to_owned);
        let probabilities = image.predicted.probabilities();
        let HeldOutImage { id, label, group, .. } = image;
        match score {
            Ok(score) => {
                entries.push(CalibrationEntry {
                    score,
                    predicted_class: predicted_class.clone(),
                    label: label.clone(),
                });
                rows.push(row);
                images.push(CalibrationImage { id, predicted_class, label, probabilities });
                groups.extend(group);
            }
            // The same image as a query would have no score either.
            Err(error @ Error::ClassWithoutReference { .. }) => {
                remarks.skipped.push(SkippedImage {
                    part: Part::Calibration,
                    image: id,
                    reason: error.to_string(),
                });
            }
            Err(error) => {
                return Err(error).with_context(|| format!("cannot score calibration image {id}"));
            }
        }
    }
    let groups = Some(groups.len()).filter(|groups| *groups > 0);
    let calibration = Calibration::with_rule(score, rule, entries, groups, held_out.source)
        .with_context(|| {
            let left_out = remarks.left_out(Part::Calibration);
            format!("{} left for the calibration, {left_out} left out", count(rows.len(), "image"))
        })?;
    let embeddings = held_out.embeddings.select(Axis(0), &rows);
    Ok((calibration, CalibrationImages::new(embeddings, held_out.classes, images)?))
}

/// Fails now and not when the store is opened, if the score cannot be computed from these images.
fn check(contents: &StoreContents, score: Score) -> Result<()> {
    if score.method() != ScoreMethod::Mahalanobis {
        return Ok(());
    }
    let scratch = tempfile::tempdir().context("cannot make a temporary folder")?;
    let folder = scratch.path().join("uncalibrated");
    FileStore::write(&folder, contents).context("cannot make a temporary store")?;
    open_uncalibrated(&folder, score).map(drop)
}

/// Says which classes will have no verdict, where each is judged by its own images.
fn warn_of_classes(calibration: &Calibration) {
    let required = calibration.rule().required_images();
    for entry in calibration.classes().iter().filter(|entry| entry.threshold.is_none()) {
        eprintln!(
            "warning: class {} has {} in the calibration, and it takes {required}: images of it will have \
             no verdict",
            entry.class.as_deref().unwrap_or("-"),
            count(entry.images, "image"),
        );
    }
}

fn open_uncalibrated(folder: &Path, score: Score) -> Result<Reference> {
    Ok(Reference::uncalibrated(Box::new(FileStore::open(folder)?), score)?)
}

/// One score an image, in their order, on all cores.
fn score_all(
    reference: &Reference,
    held_out: &HeldOut,
    interrupt: &Interrupt,
) -> Result<Vec<sdd_drift::Result<f64>>> {
    let rows: Vec<_> = held_out.embeddings.rows().into_iter().zip(&held_out.images).collect();
    let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let share = rows.len().div_ceil(threads).max(1);
    let score_share = |rows: &[(ArrayView1<'_, f32>, &HeldOutImage)]| -> Result<Vec<_>> {
        sdd_index::limit_threads(1);
        let scores = rows.iter().map(|(embedding, image)| {
            interrupt.check()?;
            let embedding = embedding.to_vec();
            let assessed = reference.assess(&image.predicted.query(&embedding), 0);
            Ok(assessed.map(|assessment| assessment.score))
        });
        scores.collect()
    };
    thread::scope(|scope| {
        let shares: Vec<_> =
            rows.chunks(share).map(|rows| scope.spawn(move || score_share(rows))).collect();
        let mut scores = Vec::with_capacity(rows.len());
        for share in shares {
            let share = share.join().map_err(|_| anyhow::anyhow!("a scoring thread failed"))?;
            scores.extend(share?);
        }
        Ok(scores)
    })
}

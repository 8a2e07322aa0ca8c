//! Scores held-out images against a reference, exactly as a query will be.

use std::collections::{BTreeMap, HashSet};
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use ndarray::{Axis, s};
use sdd_drift::calibration::{CALIBRATION_ATTACHMENT, CalibrationEntry};
use sdd_drift::calibration_images::{
    CALIBRATION_EMBEDDINGS_ATTACHMENT, CALIBRATION_IMAGES_ATTACHMENT, CalibrationImage,
};
use sdd_drift::score::SCORE_ATTACHMENT;
use sdd_drift::{Calibration, CalibrationImages, Error, Reference, Score, VerdictRule};
use sdd_index::FileStore;

use crate::answer::{Failure, count};
use crate::held_out::HeldOut;
use crate::images::embedded::EmbeddedImage;
use crate::interrupt::Interrupt;
use crate::progress::Progress;
use crate::remarks::{Part, Remarks, Skipped};

/// Searched together, which shares the reading of the reference among them.
const IMAGES_AT_A_TIME: usize = 128;
const TIME_BETWEEN_CHECKS: Duration = Duration::from_millis(100);

/// A calibration and the images that it is of.
pub struct Calibrated {
    pub calibration: Calibration,
    pub images: CalibrationImages,
}

/// The attachments of a store that is scored in this way, instead of those that it has.
pub fn attachments(
    store: &FileStore,
    score: Score,
    calibrated: Option<&Calibrated>,
) -> BTreeMap<String, Vec<u8>> {
    let ours = [
        SCORE_ATTACHMENT,
        CALIBRATION_ATTACHMENT,
        CALIBRATION_EMBEDDINGS_ATTACHMENT,
        CALIBRATION_IMAGES_ATTACHMENT,
    ];
    let others = store.manifest().attachments.keys().filter(|name| !ours.contains(&name.as_str()));
    let mut attachments: BTreeMap<_, _> =
        others.filter_map(|name| Some((name.clone(), store.attachment(name)?.to_vec()))).collect();
    attachments.insert(SCORE_ATTACHMENT.to_owned(), score.to_json());
    if let Some(Calibrated { calibration, images }) = calibrated {
        attachments.insert(CALIBRATION_ATTACHMENT.to_owned(), calibration.to_json());
        let images = images.to_attachments();
        attachments.extend(images.map(|(name, bytes)| (name.to_owned(), bytes)));
    }
    attachments
}

/// Hands back the scores, and the images that have one.
pub fn calibrate(
    store: &Arc<FileStore>,
    score: Score,
    held_out: HeldOut,
    rule: VerdictRule,
    remarks: &mut Remarks,
    interrupt: &Interrupt,
) -> Result<Calibrated> {
    let reference = uncalibrated(store, score)?;
    let mut entries = Vec::with_capacity(held_out.images.len());
    let (mut rows, mut images) = (Vec::new(), Vec::new());
    let mut groups = HashSet::new();
    let scores = score_all(&reference, &held_out, interrupt)?;
    for ((row, image), score) in held_out.images.into_iter().enumerate().zip(scores) {
        let predicted_class = image.predicted_class();
        let probabilities = image.predicted.probabilities();
        let EmbeddedImage { id, label, group, .. } = image;
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
                let failure = Failure { code: error.code(), message: error.to_string() };
                remarks.skipped.push(Skipped::new(Some(Part::Calibration), id, failure));
            }
            Err(error) => {
                return Err(error).with_context(|| format!("cannot score calibration image {id}"));
            }
        }
    }
    let known = held_out.groups.map(|groups| groups.min(rows.len()));
    let groups = if groups.is_empty() { known } else { Some(groups.len()) };
    let calibration = Calibration::with_rule(score, rule, entries, groups, held_out.source)
        .with_context(|| {
            let left_out = remarks.left_out(Part::Calibration);
            let known =
                remarks.duplicates.iter().filter(|one| one.part == Some(Part::Calibration)).count();
            let why = match known {
                0 => String::new(),
                known => format!(", {known} of them in the reference already or there twice"),
            };
            format!(
                "{} left for the calibration, {left_out} left out{why}",
                count(rows.len(), "image")
            )
        })?;
    let embeddings = held_out.embeddings.select(Axis(0), &rows);
    let images = CalibrationImages::new(embeddings, held_out.classes, images)?;
    Ok(Calibrated { calibration, images })
}

/// Fails if the score cannot be computed from these images at all.
pub fn uncalibrated(store: &Arc<FileStore>, score: Score) -> Result<Reference> {
    Ok(Reference::uncalibrated(Arc::clone(store), score)?)
}

/// Says which classes will have no verdict, where each is judged by its own images.
pub fn warn_of_classes(calibration: &Calibration) {
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

/// One score an image, in their order, on all cores.
fn score_all(
    reference: &Reference,
    held_out: &HeldOut,
    interrupt: &Interrupt,
) -> Result<Vec<sdd_drift::Result<f64>>> {
    let total = held_out.images.len();
    let starts: Vec<usize> = (0..total).step_by(IMAGES_AT_A_TIME).collect();
    let next = AtomicUsize::new(0);
    let mut batches: Vec<Option<Vec<_>>> = starts.iter().map(|_| None).collect();
    let mut progress = Progress::new(total, "held-out images");
    let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    thread::scope(|scope| -> Result<()> {
        let (sender, receiver) = mpsc::channel();
        for _ in 0..threads.min(starts.len()) {
            let (sender, starts, next) = (sender.clone(), &starts, &next);
            scope.spawn(move || {
                sdd_index::limit_threads(1);
                loop {
                    let batch = next.fetch_add(1, Ordering::Relaxed);
                    let Some(&start) = starts.get(batch) else { return };
                    let end = total.min(start + IMAGES_AT_A_TIME);
                    // Nobody listens any more where it was interrupted.
                    if sender.send((batch, score_some(reference, held_out, start..end))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        // Leaving this loop early drops the receiver, which stops the threads.
        loop {
            interrupt.check()?;
            match receiver.recv_timeout(TIME_BETWEEN_CHECKS) {
                Ok((batch, scores)) => {
                    progress.advance(scores.len());
                    batches[batch] = Some(scores);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
        }
    })?;
    let scores: Vec<_> = batches.into_iter().flatten().flatten().collect();
    ensure!(scores.len() == total, "a scoring thread failed");
    Ok(scores)
}

fn score_some(
    reference: &Reference,
    held_out: &HeldOut,
    rows: Range<usize>,
) -> Vec<sdd_drift::Result<f64>> {
    let embeddings = held_out.embeddings.slice(s![rows.clone(), ..]);
    let embeddings = embeddings.as_standard_layout();
    let images = held_out.images[rows].iter().zip(embeddings.outer_iter());
    let queries: Vec<_> = images
        .map(|(image, row)| image.predicted.query(row.to_slice().unwrap_or_default()))
        .collect();
    reference.scores(&queries)
}

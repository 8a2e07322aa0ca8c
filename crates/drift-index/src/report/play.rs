//! The report of a folder of images, watched as a server would have watched them.

use std::fs;
use std::path::Path;
use std::time::UNIX_EPOCH;

use anyhow::{Context, Result};
use sdd_core::{Classifier, ModelSpec, Prediction};
use sdd_drift::{Query, Reference};
use sdd_monitor::{
    Baseline, Monitor, MonitorSettings, MonitorStore, Observation, PairId, Recorded,
    SqliteMonitorStore,
};
use sdd_report::Report;
use serde::Serialize;

use super::pictures::AtHand;
use super::{Arguments, now_ms};
use crate::images::embed::{Outcome, embed};
use crate::images::folder::{ImageFile, Skipped, ensure_images, scan};
use crate::interrupt::Interrupt;

/// Nearest reference images of each image, as the server's default.
const NEIGHBORS: usize = 3;

/// Images of a folder that the report is not about.
#[derive(Default, Serialize)]
pub struct Left {
    pub skipped: Vec<Skipped>,
    /// Images that are byte for byte an earlier one.
    pub duplicates: Vec<String>,
}

pub fn report(
    arguments: &Arguments,
    images: &Path,
    reference: &Reference,
    at_hand: &mut AtHand,
) -> Result<(Report, Left)> {
    let folder = scan(images)?;
    ensure_images(&folder.images, images)?;
    let first = arguments.model.open_for(reference, 1)?;
    let (spec, pair) = (first.spec().clone(), PairId::of(first.sha256(), reference));
    let outcomes = classify(arguments, first, &folder.images)?;
    let mut left = Left { skipped: folder.skipped, duplicates: Vec::new() };
    let mut observations = Vec::new();
    for (file, outcome) in folder.images.iter().zip(outcomes) {
        match outcome {
            Outcome::Classified(prediction, digest) => {
                let mut observed = observe(&prediction, &spec, reference)?;
                observed.time_ms = modified_ms(&file.path);
                observed.request_id.clone_from(&file.id);
                let sha256 = format!("{digest:x}");
                at_hand.remember(&sha256, &file.path);
                observed.image_sha256 = Some(sha256);
                observations.push(observed);
            }
            Outcome::SameAs(_) => left.duplicates.push(file.id.clone()),
            Outcome::Unreadable(failure) => {
                left.skipped.push(Skipped { image: file.id.clone(), reason: failure.message });
            }
        }
    }
    let settings =
        MonitorSettings { minimum_images: arguments.min_images, ..MonitorSettings::default() };
    Ok((watch(&observations, settings, &pair, reference)?, left))
}

fn classify(
    arguments: &Arguments,
    first: Classifier,
    images: &[ImageFile],
) -> Result<Vec<Outcome>> {
    let files: Vec<&Path> = images.iter().map(|file| file.path.as_path()).collect();
    let classifiers = arguments.model.inference.fork(first, files.len())?;
    let interrupt = Interrupt::listen()?;
    embed(&files, classifiers, arguments.model.inference.limits().max_bytes, &interrupt)
}

fn observe(
    prediction: &Prediction,
    spec: &ModelSpec,
    reference: &Reference,
) -> Result<Observation> {
    let class = prediction.class(spec);
    let query = Query::new(&prediction.embedding).of_class(class);
    Ok(Observation::new(class, prediction.confidence, &reference.assess(&query, NEIGHBORS)?))
}

/// The file lives as long as this takes.
fn watch(
    observations: &[Observation],
    settings: MonitorSettings,
    pair: &PairId,
    reference: &Reference,
) -> Result<Report> {
    let monitor = Monitor::new(settings, reference.calibration().map(Baseline::of))?;
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    let mut store = SqliteMonitorStore::open(&folder.path().join("monitor"), u64::MAX)?;
    if !observations.is_empty() {
        store.apply(pair, &monitor, observations)?;
    }
    Ok(Report::of(Recorded::read(&mut store, pair, &monitor)?, reference, now_ms())?)
}

/// When the file was written: the nearest that there is to when the image was taken.
fn modified_ms(path: &Path) -> i64 {
    let modified = fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    let since = modified.and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

//! The report of a folder of images, watched as a server would have watched them.

use std::fs;
use std::path::Path;
use std::time::UNIX_EPOCH;

use anyhow::{Context, Result, bail};
use sdd_core::{ModelSpec, Prediction};
use sdd_drift::{Query, Reference};
use sdd_monitor::{
    Baseline, Monitor, MonitorSettings, MonitorStore, Observation, PairId, Recorded,
    SqliteMonitorStore,
};
use sdd_report::Report;

use super::arguments::Arguments;
use super::pictures::AtHand;
use crate::images::embed::{Outcome, embed};
use crate::images::embedded::properties_of;
use crate::images::source::Source;
use crate::interrupt::Interrupt;
use crate::model::Model;
use crate::remarks::{Duplicate, Remarks, Skipped};

/// Nearest reference images of each image, as the server's default.
const NEIGHBORS: usize = 3;

pub fn report(
    arguments: &Arguments,
    reference: &Reference,
    at_hand: &mut AtHand,
    remarks: &mut Remarks,
    now_ms: i64,
) -> Result<Report> {
    let folder = match Source::find(&arguments.images, None)? {
        Source::Images(folder) => folder,
        Source::Matrix(matrix) => bail!("{} has no images to watch", matrix.display()),
    };
    let mut model = Model::of(reference, &arguments.model);
    let (spec, max_bytes) = (model.spec()?, model.max_bytes());
    let identity = model.identity().context("the model is not open")?;
    let pair = PairId::of(&identity.sha256, reference);
    let files: Vec<&Path> = folder.images.iter().map(|file| file.path.as_path()).collect();
    let interrupt = Interrupt::listen()?;
    let outcomes = embed(&files, model.sessions(files.len())?, max_bytes, &interrupt)?;
    remarks.skipped = folder.skipped;
    remarks.ignored = folder.ignored;
    let mut observations = Vec::new();
    for (file, outcome) in folder.images.iter().zip(outcomes) {
        match outcome {
            Outcome::Classified(prediction, digest) => {
                let mut observed = observe(&prediction, &spec, reference)?;
                observed.time_ms = modified_ms(&file.path);
                observed.request_id.clone_from(&file.id);
                observed.group = reference.group_of(&file.id);
                let sha256 = format!("{digest:x}");
                at_hand.remember(&sha256, &file.path);
                observed.image_sha256 = Some(sha256);
                observations.push(observed);
            }
            Outcome::SameAs(earlier) => remarks.duplicates.push(Duplicate {
                part: None,
                image: file.id.clone(),
                same_as: folder.images[earlier].id.clone(),
                other_class: false,
            }),
            Outcome::Unreadable(failure) => {
                remarks.skipped.push(Skipped::new(None, file.id.clone(), failure));
            }
        }
    }
    let positive_class = spec.positive_label().map(str::to_owned);
    let settings = MonitorSettings { positive_class, ..MonitorSettings::default() };
    watch(&observations, &pair, reference, settings, now_ms)
}

fn observe(
    prediction: &Prediction,
    spec: &ModelSpec,
    reference: &Reference,
) -> Result<Observation> {
    let class = prediction.class(spec);
    let query = Query::new(&prediction.embedding).of_class(class);
    let assessment = reference.assess(&query, NEIGHBORS)?;
    let properties = properties_of(prediction);
    Ok(Observation { properties, ..Observation::new(class, prediction.confidence, &assessment) })
}

/// The file lives as long as this takes.
fn watch(
    observations: &[Observation],
    pair: &PairId,
    reference: &Reference,
    settings: MonitorSettings,
    now_ms: i64,
) -> Result<Report> {
    let baseline = reference.calibration().map(Baseline::of);
    let monitor = Monitor::new(settings, baseline)?;
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    let mut store = SqliteMonitorStore::open(&folder.path().join("monitor"), u64::MAX)?;
    if !observations.is_empty() {
        store.apply(pair, &monitor, observations)?;
    }
    Ok(Report::of(Recorded::read(&mut store, pair, &monitor)?, reference, now_ms)?)
}

/// When the file was written: the nearest that there is to when the image was taken.
fn modified_ms(path: &Path) -> i64 {
    let modified = fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    let since = modified.and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

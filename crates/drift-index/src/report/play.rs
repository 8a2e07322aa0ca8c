//! The report of a folder of images, watched as a server would have watched them.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use sdd_drift::Reference;
use sdd_monitor::{
    Baseline, Monitor, MonitorSettings, MonitorStore, Observation, PairId, Recorded,
    SqliteMonitorStore,
};
use sdd_report::Report;

use super::arguments::Arguments;
use super::pictures::AtHand;
use super::unix_ms::unix_ms;
use crate::images::read::read;
use crate::images::source::Source;
use crate::interrupt;
use crate::model::Model;
use crate::remarks::Remarks;

/// Nearest reference images of each image, as the server's default.
const NEIGHBORS: usize = 3;

pub fn report(
    arguments: &Arguments,
    reference: &Reference,
    at_hand: &mut AtHand,
    remarks: &mut Remarks,
    now_ms: i64,
) -> Result<Report> {
    let source = Source::find(&arguments.images, None, None)?;
    if let Source::Matrix(matrix) = &source {
        bail!("{} has no images to watch", matrix.path.display());
    }
    interrupt::listen()?;
    let mut model = Model::of(reference.store().manifest(), &arguments.model);
    let embedded = read(source, None, &mut model, remarks)?;
    let identity = model.identity().context("the model is not open")?;
    let pair = PairId::of(&identity.sha256, reference);
    let mut observations = Vec::new();
    for (image, assessed) in embedded.images.iter().zip(embedded.assess(reference, NEIGHBORS)) {
        let (known, assessed) = (&image.known, assessed?);
        let file = image.file.as_ref().context("an image has a file")?;
        at_hand.remember(&file.sha256, &file.path);
        let class = known.predicted_class.as_deref().unwrap_or_default();
        observations.push(Observation {
            time_ms: modified_ms(&file.path),
            request_id: known.id.clone(),
            group: reference.group_of(&known.id),
            image_sha256: Some(file.sha256.clone()),
            properties: known.properties,
            ..Observation::new(class, file.confidence, &assessed)
        });
    }
    let positive_class = model.spec()?.positive_label().map(str::to_owned);
    let settings = MonitorSettings { positive_class, ..MonitorSettings::default() };
    watch(&observations, &pair, reference, settings, now_ms)
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
    fs::metadata(path).and_then(|metadata| metadata.modified()).map_or(0, unix_ms)
}

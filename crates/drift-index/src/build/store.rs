//! Scores the held-out images and writes the store.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, Result};
use sdd_drift::{Score, VerdictRule};
use sdd_index::{FileStore, ReferenceStore, StoreContents};

use super::Material;
use super::arguments::Arguments;
use super::summary::Built;
use crate::calibration::{attachments, calibrate, uncalibrated, warn_of_classes};
use crate::interrupt::Interrupt;
use crate::sides::Sides;

pub fn write(
    material: Material,
    score: Score,
    rule: &VerdictRule,
    arguments: &Arguments,
    interrupt: &Interrupt,
) -> Result<Built> {
    let Material { model, embeddings, records, held_out, mut remarks } = material;
    let mut sides = Sides::new(arguments.normalize);
    let (embeddings, records) = sides.admit(embeddings, records, &mut remarks)?;
    let held_out = held_out.map(|held_out| sides.hold_out(held_out, &mut remarks));
    let asked_for = score;
    let score = score.at_most(embeddings.nrows());
    if score != asked_for {
        eprintln!("warning: there are fewer reference images than neighbors: the score is {score}");
    }
    let images = records.len();
    let store = Arc::new(FileStore::in_memory(&StoreContents {
        model,
        normalization: arguments.normalize,
        embeddings,
        records,
        attachments: BTreeMap::new(),
    })?);
    let calibrated = if let Some(held_out) = held_out {
        Some(calibrate(&store, score, held_out, *rule, &mut remarks, interrupt)?)
    } else {
        // Fails now and not when the store is opened.
        uncalibrated(&store, score)?;
        None
    };
    if let Some(calibrated) = &calibrated {
        warn_of_classes(&calibrated.calibration);
    }
    interrupt.check()?;
    let store = Arc::into_inner(store).context("the store is still in use")?;
    let attachments = attachments(&store, score, calibrated.as_ref());
    let store = store.with_attachments(attachments)?;
    store
        .save(&arguments.out, &arguments.keeping.write_options("build", images))
        .with_context(|| format!("cannot write the store {}", arguments.out.display()))?;
    let store = FileStore::open(&arguments.out)?;
    Ok(Built {
        manifest: store.manifest().clone(),
        labels: store.labels(),
        score,
        calibration: calibrated.map(|calibrated| calibrated.calibration),
        remarks,
    })
}

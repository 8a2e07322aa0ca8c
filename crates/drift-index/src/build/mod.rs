//! `drift-index build`: a reference store from images or from embeddings.

mod arguments;
mod checks;
mod gather;
mod split;
mod summary;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result};
use sdd_drift::{Score, VerdictRule};
use sdd_index::{FileStore, StoreContents};

pub use self::arguments::Arguments;
use self::gather::{Material, gather};
use self::summary::{Built, Summary};
use crate::answer::Answer;
use crate::calibration::{Calibrating, attachments, uncalibrated};
use crate::exit::ExitStatus;
use crate::interrupt::Interrupt;
use crate::sides::Sides;

pub fn run(arguments: &Arguments) -> Result<Answer> {
    let started = Instant::now();
    let score = arguments.rule.score(Score::default())?;
    let rule = arguments.rule.rule(None)?;
    checks::destination(&arguments.out)?;
    let interrupt = Interrupt::listen()?;
    let material = gather(arguments, score.method(), &rule, &interrupt)?;
    let built = write(material, score, &rule, arguments, &interrupt)?;
    let status = ExitStatus::done(!built.remarks.skipped.is_empty());
    Answer::new(status, &Summary::new(&arguments.out, built, started.elapsed()))
}

/// Scores the images that calibrate, and writes the store.
fn write(
    material: Material,
    score: Score,
    rule: &VerdictRule,
    arguments: &Arguments,
    interrupt: &Interrupt,
) -> Result<Built> {
    let Material { model, embeddings, records, calibrating, mut remarks } = material;
    let mut sides = Sides::new(arguments.normalize);
    let (embeddings, records) = sides.admit(embeddings, records, &mut remarks)?;
    let calibrating = calibrating.map(|calibrating| match calibrating {
        Calibrating::HeldOut(held_out) => {
            Calibrating::HeldOut(sides.hold_out(held_out, &mut remarks))
        }
        left_out @ Calibrating::LeftOut(..) => left_out,
    });
    let asked_for = score;
    let score = score.at_most(embeddings.nrows());
    if score != asked_for {
        eprintln!("warning: there are fewer reference images than neighbors: the score is {score}");
    }
    let store = Arc::new(FileStore::in_memory(&StoreContents {
        model,
        normalization: arguments.normalize,
        embeddings,
        records,
        attachments: BTreeMap::new(),
    })?);
    let calibrated = if let Some(calibrating) = calibrating {
        Some(calibrating.calibrate(&store, score, *rule, &mut remarks, interrupt)?)
    } else {
        // Fails now and not when the store is opened.
        uncalibrated(&store, score)?;
        None
    };
    interrupt.check()?;
    let store = Arc::into_inner(store).context("the store is still in use")?;
    let attachments = attachments(&store, score, calibrated.as_ref());
    let store = store.with_attachments(attachments)?;
    arguments.keeping.save_built(&store, &arguments.out)?;
    let store = FileStore::open(&arguments.out)?;
    Ok(Built {
        manifest: store.manifest().clone(),
        labels: store.labels(),
        score,
        calibration: calibrated.map(|calibrated| calibrated.calibration),
        remarks,
    })
}

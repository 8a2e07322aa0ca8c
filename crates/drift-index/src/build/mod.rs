//! `drift-index build`: a reference store from images or from embeddings.

mod arguments;
mod checks;
mod split;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Result, bail, ensure};
use sdd_drift::calibration::CalibrationSource;
use sdd_drift::{Score, VerdictRule};
use sdd_index::{Change, FileStore, ModelIdentity, Replaces, StoreContents};
use serde::Serialize;

pub use self::arguments::Arguments;
use self::split::hold_out;
use crate::answer::Answer;
use crate::calibration::{Calibrating, LeftOut, check_groups, scored};
use crate::describe::StoreInfo;
use crate::exit::ExitStatus;
use crate::groups::{Groups, likely};
use crate::held_out::HeldOut;
use crate::images::embedded::Embedded;
use crate::images::read::read;
use crate::images::source::Source;
use crate::interrupt;
use crate::model::Model;
use crate::remarks::{Part, Remarks};
use crate::sides::Sides;

pub fn run(arguments: &Arguments) -> Result<Answer> {
    let started = Instant::now();
    let score = arguments.rule.score(Score::default())?;
    let rule = arguments.rule.rule(None)?;
    checks::destination(&arguments.out)?;
    interrupt::listen()?;
    let groups = Groups::new(arguments.groups.rule()?, None)?;
    let mut model = Model::new(&arguments.model);
    let named = Named::find(arguments, &groups)?;
    named.check(arguments, score, &rule, &groups, &mut model)?;
    let mut remarks = Remarks::default();
    let reference = read(named.reference, Some(Part::Reference), &mut model, &mut remarks)?;
    let dimension = reference.embeddings.ncols();
    let held_out = named.held_out.map(|(images, share)| {
        HeldOut::read(images, share, dimension, &mut model, &mut remarks)?.in_groups(&groups)
    });
    let held_out = held_out.transpose()?;
    let model = identity(&mut model, arguments, &reference)?;
    if groups.are_told() {
        checks::warn_of_both_sides(&reference, held_out.as_ref(), &groups);
    } else {
        likely::warn(held_out.as_ref().map_or(&reference, |held_out| &held_out.embedded));
    }

    let mut sides = Sides::new(arguments.normalize);
    let (reference, _) = sides.admit(reference, false, &mut remarks)?;
    let calibrating = match held_out {
        Some(held_out) => Some(Calibrating::HeldOut(sides.hold_out(held_out, &mut remarks))),
        None if groups.are_told() => {
            let mut known = LeftOut::of_store(None);
            known.add(&reference.images);
            Some(Calibrating::LeftOut(known, groups))
        }
        None => None,
    };
    let store = FileStore::in_memory(&StoreContents {
        model,
        normalization: arguments.normalize,
        records: reference.records(),
        embeddings: reference.embeddings,
        attachments: BTreeMap::new(),
    })?;
    let calibrating = calibrating.map(|calibrating| (calibrating, rule));
    let scored = scored(Arc::new(store), score, calibrating, &mut remarks)?;

    let out = &arguments.out;
    let change = Change { added: scored.store.len(), ..Change::new("build", None) };
    let manifest = arguments.keeping.save(&scored.store, out, Replaces::Anything, &change)?;
    let calibration = scored.calibration.as_ref();
    let info = StoreInfo::new(out, Some(&manifest), &scored.store, scored.score, calibration);
    let status = ExitStatus::done(!remarks.skipped.is_empty());
    let seconds = started.elapsed().as_secs_f64();
    Answer::new(status, &Built { info, remarks, seconds })
}

/// What was named, before anything of it was read.
struct Named<'a> {
    reference: Source<'a>,
    /// With how they were chosen, where they are a share of all.
    held_out: Option<(Source<'a>, Option<CalibrationSource>)>,
}

impl<'a> Named<'a> {
    fn find(arguments: &'a Arguments, groups: &Groups) -> Result<Self> {
        let Arguments { images, classes, ids, calibrate, calibrate_classes, .. } = arguments;
        let mut reference = Source::find(images, classes.as_deref(), ids.as_deref())?;
        let held_out = match (arguments.share, &mut reference) {
            (Some(share), Source::Images(reference)) => {
                let (held_out, source) = hold_out(reference, groups, share, arguments.seed)?;
                Some((Source::Images(held_out), Some(source)))
            }
            (Some(_), Source::Matrix(_)) => bail!(
                "a share is taken of images: of a matrix, name the held-out one with --calibrate"
            ),
            (None, _) if calibrate.is_empty() => None,
            (None, _) => Some((Source::find(calibrate, calibrate_classes.as_deref(), None)?, None)),
        };
        Ok(Self { reference, held_out })
    }

    /// What is known to fail is said before the work.
    fn check(
        &self,
        arguments: &Arguments,
        score: Score,
        rule: &VerdictRule,
        groups: &Groups,
        model: &mut Model<'_>,
    ) -> Result<()> {
        let leaves_out = self.held_out.is_none() && groups.are_told();
        check_groups(groups, leaves_out, score, rule)?;
        match &self.held_out {
            Some((held_out, _)) => {
                let is_embedded =
                    matches!((held_out, &self.reference), (Source::Images(_), Source::Matrix(_)));
                ensure!(
                    !is_embedded || arguments.model.is_named(),
                    "the held-out images are embedded by a model: name the one that made the matrix (--model)"
                );
                checks::held_out(held_out, groups, rule)?;
            }
            None => checks::left_out(&self.reference, groups)?,
        }
        if let Source::Images(folder) = &self.reference {
            ensure!(
                arguments.model_sha256.is_none(),
                "--model-sha256 is of the model that made a matrix; images are embedded by --model"
            );
            let folders = folder.images.iter().filter_map(|image| image.label.as_deref());
            checks::classes(&folders.collect(), &model.spec()?.labels, score.method())?;
        }
        Ok(())
    }
}

/// The model that made the embeddings, where it is known.
fn identity(
    model: &mut Model<'_>,
    arguments: &Arguments,
    reference: &Embedded,
) -> Result<Option<ModelIdentity>> {
    if let Some(identity) = model.identity() {
        let (stated, columns) = (model.spec()?.embedding_dimension, reference.embeddings.ncols());
        ensure!(
            !reference.of_matrix || stated == columns,
            "{} makes embeddings of {stated} values, and the matrix has {columns} columns: it is not their model",
            identity.name,
        );
        return Ok(Some(identity));
    }
    let named =
        |sha256| ModelIdentity::new(&arguments.model_name, &arguments.model_version, sha256);
    Ok(arguments.model_sha256.as_deref().map(named))
}

/// The answer of `build`.
#[derive(Serialize)]
struct Built {
    #[serde(flatten)]
    info: StoreInfo,
    #[serde(flatten)]
    remarks: Remarks,
    seconds: f64,
}

impl fmt::Display for Built {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "built {} in {:.1} s", self.info.store, self.seconds)?;
        self.info.fmt_content(f)?;
        self.remarks.fmt(f)
    }
}

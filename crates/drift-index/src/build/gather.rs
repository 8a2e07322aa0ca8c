//! What a store is built of: images and their embeddings, and those that calibrate.

use anyhow::{Result, ensure};
use ndarray::Array2;
use sdd_drift::{ScoreMethod, VerdictRule};
use sdd_index::{ModelIdentity, Record};

use super::arguments::Arguments;
use super::checks;
use super::split::HeldOutSide;
use crate::calibration::{Calibrating, LeftOut};
use crate::groups::{Groups, likely};
use crate::images::read::{Beside, read};
use crate::images::source::Source;
use crate::interrupt::Interrupt;
use crate::model::Model;
use crate::remarks::{Part, Remarks};

/// What a store is made of.
pub struct Material {
    pub model: Option<ModelIdentity>,
    /// N x D, as the model made them.
    pub embeddings: Array2<f32>,
    /// One a row.
    pub records: Vec<Record>,
    pub calibrating: Option<Calibrating>,
    pub remarks: Remarks,
}

/// Reads both sides. What is known to fail is said before the work.
pub fn gather(
    arguments: &Arguments,
    method: ScoreMethod,
    rule: &VerdictRule,
    interrupt: &Interrupt,
) -> Result<Material> {
    let groups = Groups::new(arguments.groups.rule()?, None)?;
    let mut reference = Source::find(&arguments.images, arguments.classes.as_deref())?;
    let held_out = find_held_out(arguments, &groups, &mut reference)?;
    if let Some(held_out) = &held_out {
        checks::held_out(&held_out.images, &reference, arguments, &groups, rule)?;
    }
    let leaves_out = held_out.is_none() && groups.are_told();
    if leaves_out {
        checks::left_out(&reference, arguments, &groups, method)?;
    }
    checks::kind(&groups, rule)?;
    let mut model = Model::new(&arguments.model);
    if let Source::Images(folder) = &reference {
        ensure!(
            arguments.model_sha256.is_none(),
            "--model-sha256 is of the model that made a matrix; images are embedded by --model"
        );
        let folders = folder.images.iter().filter_map(|image| image.label.as_deref());
        checks::classes(&folders.collect(), &model.spec()?.labels, method)?;
    }
    let mut remarks = Remarks::default();
    let beside = Beside { classes: arguments.classes.as_deref(), ids: arguments.ids.as_deref() };
    let part = Some(Part::Reference);
    let reference = read(reference, beside, part, &mut model, &mut remarks, interrupt)?;
    let dimension = reference.embeddings.ncols();
    let classes = arguments.calibrate_classes.as_deref();
    let held_out = match held_out {
        Some(side) => Some(side.read(classes, &groups, &mut model, &mut remarks, interrupt)?),
        None => None,
    };
    if let Some(held_out) = &held_out {
        let columns = held_out.embeddings.ncols();
        ensure!(
            columns == dimension,
            "the held-out embeddings have {columns} columns, and the reference has {dimension}"
        );
    }
    let model = identity(&mut model, arguments, reference.of_matrix, dimension)?;
    if groups.are_told() {
        checks::warn_of_both_sides(&reference.images, held_out.as_ref(), &groups);
    } else {
        likely::warn(&reference, held_out.as_ref());
    }
    let calibrating = match held_out {
        Some(held_out) => Some(Calibrating::HeldOut(held_out)),
        None if leaves_out => {
            let mut left_out = LeftOut::default();
            for image in &reference.images {
                let properties = image.predicted.properties();
                left_out.add(image.id.clone(), image.predicted_class(), properties);
            }
            Some(Calibrating::LeftOut(left_out, groups))
        }
        None => None,
    };
    let (embeddings, records) = reference.into_rows();
    Ok(Material { model, embeddings, records, calibrating, remarks })
}

/// What was named for the held-out side, or a share that is taken from the reference.
fn find_held_out(
    arguments: &Arguments,
    groups: &Groups,
    reference: &mut Source,
) -> Result<Option<HeldOutSide>> {
    if let Some(share) = arguments.share {
        return HeldOutSide::split(reference, groups, share, arguments.seed).map(Some);
    }
    if arguments.calibrate.is_empty() {
        return Ok(None);
    }
    let classes = arguments.calibrate_classes.as_deref();
    Source::find(&arguments.calibrate, classes).map(HeldOutSide::named).map(Some)
}

/// The model that made the embeddings, where it is known.
fn identity(
    model: &mut Model<'_>,
    arguments: &Arguments,
    of_matrix: bool,
    dimension: usize,
) -> Result<Option<ModelIdentity>> {
    if let Some(identity) = model.identity() {
        let stated = model.spec()?.embedding_dimension;
        ensure!(
            !of_matrix || stated == dimension,
            "{} makes embeddings of {stated} values, and the matrix has {dimension} columns: \
             it is not their model",
            identity.name,
        );
        return Ok(Some(identity));
    }
    Ok(arguments.model_sha256.clone().map(|sha256| ModelIdentity {
        name: arguments.model_name.clone(),
        version: arguments.model_version.clone(),
        sha256,
    }))
}

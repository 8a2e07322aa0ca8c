//! Reference and calibration from matrices of embeddings.

use std::path::Path;

use anyhow::{Result, ensure};
use sdd_drift::calibration::CalibrationSource;
use sdd_drift::{PValueWithin, VerdictRule};
use sdd_index::{ModelIdentity, Record};

use super::Material;
use super::arguments::Arguments;
use crate::held_out::{HeldOut, HeldOutImage, Predicted};
use crate::model::identity;
use crate::remarks::Remarks;
use crate::{npy, text_file};

pub fn gather(matrix: &Path, arguments: &Arguments, rule: &VerdictRule) -> Result<Material> {
    let calibration = &arguments.matrix.calibration_embeddings;
    ensure!(
        rule.within != PValueWithin::PredictedClass
            || calibration.is_none()
            || arguments.matrix.calibration_labels.is_some(),
        "p-values within the predicted class need the classes of the held-out embeddings: name them with \
         --calibration-labels",
    );
    let embeddings = npy::read(matrix)?;
    let (rows, dimension) = embeddings.dim();
    let labels = optional(arguments.matrix.labels.as_deref(), rows, matrix)?;
    let ids = match &arguments.matrix.ids {
        Some(file) => text_file::read_ids(file, rows, matrix)?,
        None => (0..rows).map(|row| row.to_string()).collect(),
    };
    let records = labels.into_iter().zip(ids).map(|(label, id)| Record { id, label });
    Ok(Material {
        model: model_of(arguments, dimension)?,
        records: records.collect(),
        held_out: held_out(arguments, dimension)?,
        embeddings,
        remarks: Remarks::default(),
    })
}

fn optional(file: Option<&Path>, rows: usize, of: &Path) -> Result<Vec<Option<String>>> {
    file.map_or_else(|| Ok(vec![None; rows]), |file| text_file::read(file, rows, of))
}

fn model_of(arguments: &Arguments, dimension: usize) -> Result<Option<ModelIdentity>> {
    if let Some(model) = &arguments.model {
        let classifier = arguments.inference.open(model, 1)?;
        let stated = classifier.spec().embedding_dimension;
        ensure!(
            stated == dimension,
            "{} makes embeddings of {stated} values, and the matrix has {dimension} columns: \
             it is not their model",
            model.display(),
        );
        return Ok(Some(identity(&classifier)));
    }
    Ok(arguments.matrix.model_sha256.clone().map(|sha256| ModelIdentity {
        name: arguments.matrix.model_name.clone(),
        version: arguments.matrix.model_version.clone(),
        sha256,
    }))
}

fn held_out(arguments: &Arguments, dimension: usize) -> Result<Option<HeldOut>> {
    let Some(matrix) = &arguments.matrix.calibration_embeddings else { return Ok(None) };
    let embeddings = npy::read(matrix)?;
    let (rows, columns) = embeddings.dim();
    ensure!(
        columns == dimension,
        "{} has {columns} columns, and the reference has {dimension}",
        matrix.display(),
    );
    let labels = optional(arguments.matrix.calibration_labels.as_deref(), rows, matrix)?;
    let images = labels.into_iter().enumerate().map(|(row, predicted)| HeldOutImage {
        id: row.to_string(),
        label: None,
        predicted: Predicted::Class(predicted),
        group: None,
    });
    Ok(Some(HeldOut {
        images: images.collect(),
        classes: Vec::new(),
        embeddings,
        source: CalibrationSource::Embeddings,
        groups: None,
    }))
}

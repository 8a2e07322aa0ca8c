//! Reading images, or a matrix of embeddings with the files beside it: one way for all commands.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use ndarray::Array2;
use sdd_core::{ModelSpec, Prediction};

use super::embed::{Outcome, embed};
use super::embedded::{Embedded, EmbeddedImage, Predicted};
use super::folder::{Folder, ImageFile};
use super::source::Source;
use crate::interrupt::Interrupt;
use crate::model::Model;
use crate::remarks::{Duplicate, Part, Remarks, Skipped};
use crate::{npy, text_file};

/// Files that say something of the rows of a matrix, one a line.
#[derive(Debug, Clone, Copy, Default)]
pub struct Beside<'a> {
    pub classes: Option<&'a Path>,
    pub ids: Option<&'a Path>,
}

/// Embeds the images by the model, or reads their embeddings. Those that cannot be read, or are byte for byte another
/// one, are named in `remarks`, with the part of a store that they are for.
pub fn read(
    source: Source,
    beside: Beside<'_>,
    part: Option<Part>,
    model: &mut Model<'_>,
    remarks: &mut Remarks,
    interrupt: &Interrupt,
) -> Result<Embedded> {
    match source {
        Source::Matrix(matrix) => {
            model.open_if_named()?;
            read_matrix(&matrix, beside)
        }
        Source::Images(folder) => {
            ensure!(beside.ids.is_none(), "--ids are of the rows of a matrix: images have names");
            remarks.ignored += folder.ignored;
            let skipped = folder.skipped.iter().cloned();
            remarks.skipped.extend(skipped.map(|skipped| Skipped { part, ..skipped }));
            read_images(&folder, part, model, remarks, interrupt)
        }
    }
}

fn read_matrix(matrix: &Path, beside: Beside<'_>) -> Result<Embedded> {
    let embeddings = npy::read(matrix)?;
    let rows = embeddings.nrows();
    let classes = match beside.classes {
        Some(file) => text_file::read(file, rows, matrix)?,
        None => vec![None; rows],
    };
    let ids = match beside.ids {
        Some(file) => text_file::read_ids(file, rows, matrix)?,
        None => (0..rows).map(|row| row.to_string()).collect(),
    };
    let image = |(id, class): (String, Option<String>)| EmbeddedImage {
        id,
        label: class.clone(),
        predicted: Predicted::Class(class),
        group: None,
    };
    let images = ids.into_iter().zip(classes).map(image).collect();
    Ok(Embedded { embeddings, images, classes: Vec::new(), of_matrix: true })
}

fn read_images(
    folder: &Folder,
    part: Option<Part>,
    model: &mut Model<'_>,
    remarks: &mut Remarks,
    interrupt: &Interrupt,
) -> Result<Embedded> {
    let files = &folder.images;
    let (spec, max_bytes) = (model.spec()?, model.max_bytes());
    let paths: Vec<&Path> = files.iter().map(|file| file.path.as_path()).collect();
    let outcomes = embed(&paths, model.sessions(paths.len())?, max_bytes, interrupt)?;
    let (mut values, mut images) = (Vec::new(), Vec::new());
    for (file, outcome) in files.iter().zip(outcomes) {
        match outcome {
            Outcome::Classified(prediction, _) => {
                values.extend_from_slice(&prediction.embedding);
                images.push(image(file, prediction, &spec));
            }
            Outcome::SameAs(earlier) => remarks.duplicates.push(Duplicate {
                part,
                image: file.id.clone(),
                same_as: files[earlier].id.clone(),
                other_class: differ(files[earlier].label.as_ref(), file.label.as_ref()),
            }),
            Outcome::Unreadable(failure) => {
                remarks.skipped.push(Skipped::new(part, file.id.clone(), failure));
            }
        }
    }
    if images.is_empty() {
        let reason = remarks.skipped.last().map_or("", |skipped| &skipped.reason);
        match files.as_slice() {
            [only] => bail!("{} cannot be read: {reason}", only.id),
            _ => bail!("none of the {} images can be read; the last: {reason}", files.len()),
        }
    }
    let embeddings = Array2::from_shape_vec((images.len(), spec.embedding_dimension), values)
        .context("the model's embeddings are not of the dimension that it states")?;
    Ok(Embedded { embeddings, images, classes: spec.labels.clone(), of_matrix: false })
}

fn image(file: &ImageFile, prediction: Prediction, spec: &Arc<ModelSpec>) -> EmbeddedImage {
    EmbeddedImage {
        id: file.id.clone(),
        label: file.label.clone(),
        predicted: Predicted::Fully { prediction: Box::new(prediction), spec: Arc::clone(spec) },
        group: None,
    }
}

/// Whether both have a class, and not the same one.
fn differ(one: Option<&String>, other: Option<&String>) -> bool {
    one.zip(other).is_some_and(|(one, other)| one != other)
}

//! Reading images, or a matrix of embeddings with the files beside it: one way for all commands.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use anyhow::{Context, Result, bail};
use ndarray::Array2;
use sdd_drift::calibration_images::CalibrationImage;

use super::classify::classify;
use super::embedded::{Embedded, EmbeddedImage};
use super::folder::{Folder, ImageFile};
use super::source::{Matrix, Source};
use crate::model::Model;
use crate::remarks::{Duplicate, Part, Remarks, Skipped};
use crate::{npy, text_file};

/// Embeds the images by the model, or reads their embeddings. Those that cannot be read, or are byte for byte another
/// one, are named in `remarks`, with the part of a store that they are for.
pub fn read(
    source: Source<'_>,
    part: Option<Part>,
    model: &mut Model<'_>,
    remarks: &mut Remarks,
) -> Result<Embedded> {
    match source {
        Source::Matrix(matrix) => {
            model.open_if_named()?;
            read_matrix(&matrix)
        }
        Source::Images(folder) => read_images(folder, part, model, remarks),
    }
}

fn read_matrix(matrix: &Matrix<'_>) -> Result<Embedded> {
    let embeddings = npy::read(matrix.path)?;
    let rows = embeddings.nrows();
    let classes = match matrix.classes {
        Some(file) => text_file::read(file, rows, matrix.path)?,
        None => vec![None; rows],
    };
    let ids = match matrix.ids {
        Some(file) => text_file::read_ids(file, rows, matrix.path)?,
        None => (0..rows).map(|row| row.to_string()).collect(),
    };
    let image = |(id, class): (String, Option<String>)| {
        let (label, predicted_class) = (class.clone(), class);
        let known = CalibrationImage { id, label, predicted_class, ..CalibrationImage::default() };
        EmbeddedImage { known, ..EmbeddedImage::default() }
    };
    let images = ids.into_iter().zip(classes).map(image).collect();
    Ok(Embedded { embeddings, images, classes: Vec::new(), of_matrix: true })
}

fn read_images(
    folder: Folder,
    part: Option<Part>,
    model: &mut Model<'_>,
    remarks: &mut Remarks,
) -> Result<Embedded> {
    let Folder { images: files, skipped, ignored } = folder;
    remarks.ignored += ignored;
    remarks.skipped.extend(skipped.into_iter().map(|skipped| Skipped { part, ..skipped }));
    let spec = model.spec()?;
    let (mut values, mut images, mut first) = (Vec::new(), Vec::new(), HashMap::new());
    for (file, found) in files.iter().zip(classify(&files, model)?) {
        let found = match found {
            Ok(found) => found,
            Err(failure) => {
                remarks.skipped.push(Skipped::new(part, file.id.clone(), failure));
                continue;
            }
        };
        match first.entry(found.sha256.clone()) {
            Entry::Vacant(new) => {
                new.insert(file);
                values.extend_from_slice(&found.prediction.embedding);
                images.push(EmbeddedImage::of_file(file, found, &spec));
            }
            Entry::Occupied(earlier) => {
                let both = [file, *earlier.get()];
                let both = both.map(|file: &ImageFile| (file.id.as_str(), file.label.as_deref()));
                remarks.duplicates.push(Duplicate::new(part, both));
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

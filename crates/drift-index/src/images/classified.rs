//! Images through the model, with what was left out of them.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use ndarray::Array2;
use sdd_core::{ModelSpec, Prediction};
use sdd_drift::Reference;

use super::embed::{Outcome, embed};
use super::folder::ImageFile;
use crate::answer::count;
use crate::interrupt::Interrupt;
use crate::model::ModelArguments;
use crate::remarks::{Duplicate, Part, Remarks, SkippedImage};

/// What the model said of images that can be read, each once.
pub struct Classified {
    pub images: Vec<(ImageFile, Prediction)>,
    pub spec: Arc<ModelSpec>,
}

/// Classifies the images by the reference's model. Those that cannot be read, or are byte for byte another one, are
/// named in `remarks`.
pub fn classify(
    images: &[ImageFile],
    part: Part,
    model: &ModelArguments,
    reference: &Reference,
    remarks: &mut Remarks,
    interrupt: &Interrupt,
) -> Result<Classified> {
    let first = model.open_for(reference, 1)?;
    let inference = &model.inference;
    let spec = Arc::new(first.spec().clone());
    let files: Vec<&Path> = images.iter().map(|file| file.path.as_path()).collect();
    let classifiers = inference.fork(first, files.len())?;
    let outcomes = embed(&files, classifiers, inference.limits().max_bytes, interrupt)?;
    let mut classified = Vec::new();
    for (file, outcome) in images.iter().zip(outcomes) {
        let image = file.id.clone();
        match outcome {
            Outcome::Classified(prediction, _) => classified.push((file.clone(), prediction)),
            Outcome::SameAs(earlier) => remarks.duplicates.push(Duplicate {
                part,
                image,
                same_as: images[earlier].id.clone(),
                other_class: file.label.is_some() && images[earlier].label != file.label,
            }),
            Outcome::Unreadable(failure) => {
                remarks.skipped.push(SkippedImage { part, image, reason: failure.message });
            }
        }
    }
    ensure!(
        !classified.is_empty(),
        "none of the {} could be read; the first: {}",
        count(images.len(), "image"),
        remarks.skipped.first().map_or("", |skipped| &skipped.reason),
    );
    Ok(Classified { images: classified, spec })
}

impl Classified {
    /// One row an image.
    pub fn embeddings(&self) -> Result<Array2<f32>> {
        let values = self.images.iter().flat_map(|(_, prediction)| &prediction.embedding);
        let shape = (self.images.len(), self.spec.embedding_dimension);
        Array2::from_shape_vec(shape, values.copied().collect())
            .context("the model's embeddings are not of the dimension that it states")
    }
}

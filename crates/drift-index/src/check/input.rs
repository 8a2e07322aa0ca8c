//! The batch: from a folder of images or from matrices.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use ndarray::Array2;
use sdd_core::ModelSpec;
use sdd_drift::batch::{Batch, BatchGroups};
use sdd_drift::{CalibrationImages, Reference};
use serde::Serialize;

use super::Arguments;
use crate::build::groups::Rule;
use crate::images::embed::{Outcome, embed};
use crate::images::folder::{Ignored, ImageFile, Skipped, ensure_images, scan};
use crate::interrupt::Interrupt;
use crate::{npy, text_file};

/// What is to be judged, and what was left out of it.
pub struct Input {
    pub batch: Batch,
    pub skipped: Vec<Skipped>,
    pub duplicates: Vec<Duplicate>,
    pub ignored: Ignored,
}

/// An image that is byte for byte another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Duplicate {
    pub image: String,
    pub same_as: String,
}

/// A line of the list of duplicates.
impl fmt::Display for Duplicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}", self.image, self.same_as)
    }
}

impl Input {
    pub fn read(
        arguments: &Arguments,
        reference: &Reference,
        interrupt: &Interrupt,
    ) -> Result<Self> {
        if arguments.batch.is_dir() {
            ensure!(
                arguments.predicted_classes.is_none() && arguments.probabilities.is_none(),
                "{} is a folder of images, whose classes and probabilities the model says: leave \
                 --predicted-classes and --probabilities away",
                arguments.batch.display(),
            );
            return Self::of_images(arguments, reference, interrupt);
        }
        ensure!(
            arguments.batch.extension().is_some_and(|extension| extension == "npy"),
            "{} is neither a folder of images nor a matrix of embeddings that ends in .npy",
            arguments.batch.display(),
        );
        Self::of_matrix(arguments, reference)
    }

    fn of_images(
        arguments: &Arguments,
        reference: &Reference,
        interrupt: &Interrupt,
    ) -> Result<Self> {
        let folder = scan(&arguments.batch)?;
        ensure_images(&folder.images, &arguments.batch)?;
        let first = arguments.model.open_for(reference, 1)?;
        let spec = first.spec().clone();
        let files: Vec<&Path> = folder.images.iter().map(|file| file.path.as_path()).collect();
        let inference = &arguments.model.inference;
        let classifiers = inference.fork(first, files.len())?;
        let max_bytes = inference.limits().max_bytes;
        let outcomes = embed(&files, classifiers, max_bytes, interrupt)?;

        let mut sorted = Sorted { skipped: folder.skipped, ..Sorted::default() };
        for (file, outcome) in folder.images.iter().zip(outcomes) {
            sorted.add(file, outcome, &folder.images, &spec.labels)?;
        }
        let groups = match arguments.rule() {
            Some(rule) => Some(groups(&rule, &sorted.names, reference)?),
            None => None,
        };
        sorted.into_input(&spec, groups, folder.ignored)
    }

    fn of_matrix(arguments: &Arguments, reference: &Reference) -> Result<Self> {
        let matrix = &arguments.batch;
        ensure!(
            arguments.rule().is_none(),
            "groups are found by the paths of images, and {} has none",
            matrix.display(),
        );
        arguments.model.check_if_named(reference)?;
        let embeddings = npy::read(matrix)?;
        let predicted_classes = match &arguments.predicted_classes {
            Some(file) => {
                let lines = text_file::read(file, embeddings.nrows(), matrix)?;
                let empty = lines.iter().position(Option::is_none);
                let classes: Option<Vec<String>> = lines.into_iter().collect();
                Some(classes.with_context(|| {
                    let line = empty.map_or(0, |line| line + 1);
                    format!("{} names no class in line {line}", file.display())
                })?)
            }
            None => None,
        };
        let probabilities = arguments.probabilities.as_deref().map(npy::read).transpose()?;
        let batch =
            Batch { names: None, embeddings, predicted_classes, probabilities, groups: None };
        let (skipped, duplicates) = (Vec::new(), Vec::new());
        Ok(Self { batch, skipped, duplicates, ignored: Ignored::default() })
    }
}

/// What became of the images of a folder.
#[derive(Default)]
struct Sorted {
    names: Vec<String>,
    classes: Vec<String>,
    embeddings: Vec<f32>,
    probabilities: Vec<f32>,
    skipped: Vec<Skipped>,
    duplicates: Vec<Duplicate>,
}

impl Sorted {
    fn add(
        &mut self,
        file: &ImageFile,
        outcome: Outcome,
        all: &[ImageFile],
        labels: &[String],
    ) -> Result<()> {
        let image = file.id.clone();
        match outcome {
            Outcome::Classified(prediction, _) => {
                let class = labels.get(prediction.class_index);
                self.classes.push(class.context("the model has no such class")?.clone());
                self.names.push(image);
                self.embeddings.extend(prediction.embedding);
                self.probabilities.extend(prediction.probabilities);
            }
            Outcome::SameAs(earlier) => {
                self.duplicates.push(Duplicate { image, same_as: all[earlier].id.clone() });
            }
            Outcome::Unreadable(failure) => {
                self.skipped.push(Skipped { image, reason: failure.message });
            }
        }
        Ok(())
    }

    fn into_input(
        self,
        spec: &ModelSpec,
        groups: Option<BatchGroups>,
        ignored: Ignored,
    ) -> Result<Input> {
        let Self { names, classes, embeddings, probabilities, skipped, duplicates } = self;
        ensure!(
            !names.is_empty(),
            "none of the images can be read; the first: {}",
            skipped.first().map_or("", |skipped| &skipped.reason),
        );
        let matrix = |values, columns| {
            Array2::from_shape_vec((names.len(), columns), values)
                .context("the model's outputs are not of the dimensions that it states")
        };
        let batch = Batch {
            embeddings: matrix(embeddings, spec.embedding_dimension)?,
            probabilities: Some(matrix(probabilities, spec.labels.len())?),
            predicted_classes: Some(classes),
            names: Some(names),
            groups,
        };
        Ok(Input { batch, skipped, duplicates, ignored })
    }
}

/// The groups of both sides, by their paths.
fn groups(rule: &Rule<'_>, names: &[String], reference: &Reference) -> Result<BatchGroups> {
    let held_out = CalibrationImages::from_store(reference.store())?.context(
        "the store keeps the scores of its held-out images, not the images, which have groups: build it again",
    )?;
    let assign = |ids: Vec<String>| {
        let files = ids.into_iter().map(|id| ImageFile { id, label: None, path: PathBuf::new() });
        rule.assign(&files.collect::<Vec<_>>())
    };
    let ids = held_out.images().iter().map(|image| image.id.clone()).collect();
    Ok(BatchGroups {
        held_out: assign(ids).context("of the store's held-out images")?,
        batch: assign(names.to_vec()).context("of the batch")?,
    })
}

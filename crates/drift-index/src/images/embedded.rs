//! Images as embeddings, with what is known of each.

use std::path::PathBuf;

use ndarray::{Array2, Axis};
use sdd_core::{ImageWarning, ModelSpec};
use sdd_drift::calibration_images::CalibrationImage;
use sdd_drift::reference::ROWS_AT_A_TIME;
use sdd_drift::{Assessment, Properties, Query, Reference};
use sdd_index::Record;

use super::classify::Classified;
use super::folder::ImageFile;

/// Images that were read: one row each.
pub struct Embedded {
    pub embeddings: Array2<f32>,
    pub images: Vec<EmbeddedImage>,
    /// The model's classes, where it is known.
    pub classes: Vec<String>,
    /// Whether they came as embeddings and not as images.
    pub of_matrix: bool,
}

/// One of them.
#[derive(Clone, Default)]
pub struct EmbeddedImage {
    /// What a store keeps of it, if it is held out.
    pub known: CalibrationImage,
    /// What it belongs together with, where that is known.
    pub group: Option<String>,
    /// Where it came from, if not from a matrix or a store.
    pub file: Option<ReadFile>,
}

/// An image's file, and what is said of it once.
#[derive(Clone)]
pub struct ReadFile {
    pub path: PathBuf,
    pub sha256: String,
    pub confidence: f32,
    pub warning: Option<ImageWarning>,
}

impl Embedded {
    /// As the store has them.
    pub fn records(&self) -> Vec<Record> {
        let records = self.images.iter().map(|image| &image.known);
        records.map(|known| Record { id: known.id.clone(), label: known.label.clone() }).collect()
    }

    /// Their names.
    pub fn ids(&self) -> impl Iterator<Item = &str> + Clone {
        self.images.iter().map(|image| image.known.id.as_str())
    }

    /// One a row.
    pub fn queries(&self) -> Vec<Query<'_>> {
        let rows = self.images.iter().zip(self.embeddings.outer_iter());
        rows.map(|(image, row)| Query {
            embedding: row.to_slice().unwrap_or_default(),
            predicted_class: image.known.predicted_class.as_deref(),
        })
        .collect()
    }

    /// How each compares with the reference, in their order.
    pub fn assess(
        &self,
        reference: &Reference,
        neighbors: usize,
    ) -> Vec<sdd_drift::Result<Assessment>> {
        let queries = self.queries();
        let blocks = queries.chunks(ROWS_AT_A_TIME);
        blocks.flat_map(|some| reference.assess_each(some, neighbors)).collect()
    }

    /// These of them; nothing is copied where they are all.
    pub fn select(mut self, rows: &[usize]) -> Self {
        if rows.len() < self.images.len() {
            self.embeddings = self.embeddings.select(Axis(0), rows);
            self.images = rows.iter().map(|&row| self.images[row].clone()).collect();
        }
        self
    }
}

impl EmbeddedImage {
    /// Of a file that the model has looked at.
    pub fn of_file(file: &ImageFile, found: Classified, spec: &ModelSpec) -> Self {
        let Classified { prediction, sha256 } = found;
        // In the words of those who compare it.
        let properties = prediction.properties.map(|found| Properties::of_array(found.to_array()));
        Self {
            known: CalibrationImage {
                id: file.id.clone(),
                predicted_class: Some(prediction.class(spec).to_owned()),
                label: file.label.clone(),
                properties,
                probabilities: Some(prediction.probabilities),
            },
            group: None,
            file: Some(ReadFile {
                path: file.path.clone(),
                sha256,
                confidence: prediction.confidence,
                warning: prediction.warning,
            }),
        }
    }
}

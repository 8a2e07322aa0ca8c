//! The two sides of the comparison.

use ndarray::{Array2, ArrayView2};

use crate::calibration::{Calibration, CalibrationEntry};
use crate::calibration_images::CalibrationImages;
use crate::error::{Error, Result};
use crate::reference::Reference;
use crate::score::check_embedding;
use sdd_stats::two_sample::groups::Groups;

/// The images to judge, one a row.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// What each image is called, where it has a name.
    pub names: Option<Vec<String>>,
    /// The embeddings, m x D, as the model made them.
    pub embeddings: Array2<f32>,
    /// The classes that the model predicted, where they are known.
    pub predicted_classes: Option<Vec<String>>,
    /// The probabilities, m x C, in the order of the model's classes, where they are known.
    pub probabilities: Option<Array2<f32>>,
    /// Which images belong together, where that is known.
    pub groups: Option<BatchGroups>,
}

/// The group of each image, for example the physical part that it shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchGroups {
    /// Of each held-out image of the store, in the order of [`CalibrationImages::images`], or of
    /// [`Calibration::entries`](crate::Calibration::entries) where the store keeps their scores alone.
    pub held_out: Vec<String>,
    /// Of each image of the batch.
    pub batch: Vec<String>,
}

impl Batch {
    /// The number of images.
    #[must_use]
    pub fn len(&self) -> usize {
        self.embeddings.nrows()
    }

    /// Whether there is no image at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn check(&self, dimension: usize) -> Result<()> {
        for row in self.embeddings.rows() {
            check_embedding(&row.to_vec(), dimension)?;
        }
        let counts = [
            ("names", self.names.as_ref().map(Vec::len)),
            ("predicted classes", self.predicted_classes.as_ref().map(Vec::len)),
            ("rows of probabilities", self.probabilities.as_ref().map(Array2::nrows)),
        ];
        let rows = self.len();
        for (what, found) in counts {
            if let Some(found) = found.filter(|found| *found != rows) {
                return Err(Error::UnequalBatch { rows, what, found });
            }
        }
        Ok(())
    }

    /// Numbers in place of the names.
    pub(super) fn numbered_groups(&self, held_out: usize) -> Result<Option<Groups>> {
        let Some(groups) = &self.groups else { return Ok(None) };
        let sides = [
            (held_out, "groups of held-out images", groups.held_out.len()),
            (self.len(), "groups", groups.batch.len()),
        ];
        for (rows, what, found) in sides {
            if rows != found {
                return Err(Error::UnequalBatch { rows, what, found });
            }
        }
        Ok(Some(Groups::new(&groups.held_out, &groups.batch)))
    }

    /// The predicted class of each image, where they are known.
    pub(super) fn classes(&self) -> Option<Vec<&str>> {
        let classes = self.predicted_classes.as_ref()?;
        Some(classes.iter().map(String::as_str).collect())
    }
}

/// What a store knows of the images that it was calibrated with.
pub(super) struct HeldOut<'a> {
    images: Option<CalibrationImages>,
    /// None only if there are images.
    entries: &'a [CalibrationEntry],
    /// At which level single images are judged.
    pub(super) alpha: Option<f64>,
}

impl<'a> HeldOut<'a> {
    pub(super) fn of(reference: &'a Reference) -> Result<Self> {
        let images = CalibrationImages::from_store(reference.store())?;
        let entries = reference.calibration().map_or(&[][..], |calibration| calibration.entries());
        if images.is_none() && entries.is_empty() {
            return Err(Error::NoHeldOutImages);
        }
        let alpha = reference.calibration().map(Calibration::alpha);
        Ok(Self { images, entries, alpha })
    }

    pub(super) fn len(&self) -> usize {
        self.images.as_ref().map_or(self.entries.len(), |images| images.images().len())
    }

    /// Whether they are told apart by groups.
    pub(super) fn have_groups(&self) -> bool {
        self.entries.first().is_some_and(|entry| entry.group.is_some())
    }

    /// The embeddings, n x D; none of a store that keeps scores alone.
    pub(super) fn embeddings(&self) -> Option<ArrayView2<'_, f32>> {
        self.images.as_ref().map(CalibrationImages::embeddings)
    }

    pub(super) fn probabilities(&self) -> Option<Array2<f32>> {
        self.images.as_ref()?.probabilities()
    }

    /// The scores, in the order of [`HeldOut::classes_of_scores`].
    pub(super) fn scores(&self) -> Vec<f64> {
        self.entries.iter().map(|entry| entry.score).collect()
    }

    /// The predicted class of each image, in the order of the embeddings, where all are known.
    pub(super) fn classes(&self) -> Option<Vec<&str>> {
        match &self.images {
            Some(images) => {
                images.images().iter().map(|image| image.predicted_class.as_deref()).collect()
            }
            None => self.classes_of_scores(),
        }
    }

    /// The predicted class of each scored image, where all are known.
    pub(super) fn classes_of_scores(&self) -> Option<Vec<&str>> {
        self.entries.iter().map(|entry| entry.predicted_class.as_deref()).collect()
    }
}

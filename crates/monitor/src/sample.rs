//! A group by a few of its images.
//!
//! Groups are compared by means over as many images each, 1, 2, 4 … 32: the mean of eight images spreads less than a
//! single one, so groups of different sizes are not alike even where nothing has changed. Which of a group's images count
//! is drawn at random, since the first view of a part may be another than the last.

use fastrand::Rng;
use serde::{Deserialize, Serialize};

/// How many [`Properties`](sdd_drift::Properties) a picture has.
pub(crate) const PROPERTIES: usize = sdd_drift::Properties::NAMES.len();

/// The numbers of images that groups are compared by.
pub(crate) const SIZES: [usize; 6] = [1, 2, 4, 8, 16, 32];

/// Images of a group that are kept.
const KEPT: usize = SIZES[SIZES.len() - 1];

/// An image, standardized by the calibration.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sample {
    /// Its class among those of the calibration.
    #[serde(rename = "c")]
    pub class: Option<usize>,
    /// Its drift score, in spreads from the middle of its class; none where it is no number.
    #[serde(rename = "s")]
    pub score: Option<f64>,
    /// In spreads from their middles.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub properties: Option<[f64; PROPERTIES]>,
}

/// So many of a group's images, each as likely as the others to be among them.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Reservoir(pub Vec<Sample>);

impl Reservoir {
    /// Of all images of a group.
    pub fn of(images: &[Sample], random: &mut Rng) -> Self {
        let mut kept = Self::default();
        for (before, image) in images.iter().enumerate() {
            kept.push(before as u64, *image, random);
        }
        kept
    }

    /// Takes an image that so many others came before.
    pub fn push(&mut self, before: u64, image: Sample, random: &mut Rng) {
        if self.0.len() < KEPT {
            self.0.push(image);
        } else {
            let place = usize::try_from(random.u64(0..=before)).unwrap_or(usize::MAX);
            if let Some(kept) = self.0.get_mut(place) {
                *kept = image;
            }
        }
    }

    /// The means of what images have over the first 1, 2, 4 … of those that have it, as far as they go.
    pub fn means(&self, value: impl Fn(&Sample) -> Option<f64>) -> Vec<f64> {
        let values: Vec<f64> = self.0.iter().filter_map(value).collect();
        let sizes = SIZES.iter().take_while(|size| **size <= values.len());
        sizes.map(|size| values[..*size].iter().sum::<f64>() / *size as f64).collect()
    }

    /// Whether images may lead to it.
    pub fn is_sound(&self) -> bool {
        let is_finite = |image: &Sample| {
            image.score.iter().chain(image.properties.iter().flatten()).all(|one| one.is_finite())
        };
        self.0.len() <= KEPT && self.0.iter().all(is_finite)
    }

    /// In random order.
    pub fn shuffled(mut self, random: &mut Rng) -> Self {
        random.shuffle(&mut self.0);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(score: f64) -> Sample {
        Sample { class: Some(0), score: Some(score), properties: None }
    }

    #[test]
    fn each_image_is_as_likely_to_be_kept() {
        let mut random = Rng::with_seed(3);
        let images: Vec<Sample> = (0..100).map(|i| sample(f64::from(i))).collect();
        let mut times = [0_u32; 100];
        for _ in 0..2000 {
            let kept = Reservoir::of(&images, &mut random);
            assert_eq!(kept.0.len(), KEPT);
            for image in kept.0 {
                let place = images.iter().position(|other| *other == image).unwrap();
                times[place] += 1;
            }
        }
        // 640 of each are expected, and their standard deviation is 21.
        assert!(times.iter().all(|times| (540..740).contains(times)), "{times:?}");
    }

    #[test]
    fn means_are_over_as_many_as_there_are() {
        let mut kept = Reservoir::default();
        assert!(kept.means(|image| image.score).is_empty());
        for (before, score) in [1.0, 3.0, 5.0].into_iter().enumerate() {
            kept.push(before as u64, sample(score), &mut Rng::with_seed(1));
        }
        assert_eq!(kept.means(|image| image.score), [1.0, 2.0]);
        assert!(kept.means(|_| None).is_empty());
    }
}

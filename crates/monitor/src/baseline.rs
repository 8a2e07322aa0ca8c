//! What a calibration says of groups without drift.

use std::collections::BTreeMap;

use sdd_drift::{Calibration, Properties};
use sdd_stats::median::median_and_deviation;

use crate::sample::{PROPERTIES, Sample};

/// Groups that a class has at least for the scores of its images to be put on a scale of its own; images of other
/// classes, also of those that the calibration does not have, are put on that of all. A scale is fitted to the calibration
/// and then used for both sides, which fewer groups would make unlike each other.
const MIN_CLASS_GROUPS: usize = 20;

/// An image of the calibration.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CalibratedImage {
    /// Its group; none: it is a group of its own.
    pub group: Option<String>,
    /// The class that the model predicted; empty where that is not known.
    pub class: String,
    /// Its drift score.
    pub score: f64,
    /// Brightness and so on of its picture, where they are known.
    pub properties: Option<Properties>,
}

/// The middle of something and how far groups spread around it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    /// The median.
    pub middle: f64,
    /// 1.4826 times the median distance from it: the standard deviation, were it normal.
    pub spread: f64,
}

/// What a calibration says of groups without drift.
#[derive(Debug, Clone, PartialEq)]
pub struct Baseline {
    /// The level that images are called out of distribution at.
    pub(crate) alpha: f64,
    /// The classes in the order of their names; those that are stated and not calibrated come behind.
    pub(crate) classes: Vec<CalibratedClass>,
    /// Each group's images.
    pub(crate) groups: Vec<Vec<Sample>>,
    /// Whether the calibration says which images belong together.
    pub(crate) is_grouped: bool,
    /// Images of the middle group.
    pub(crate) group_size: usize,
    /// Of the scores of all images.
    pub(crate) all: Scale,
    /// Of each of the properties of a picture, where they are known.
    pub(crate) properties: Option<[Scale; PROPERTIES]>,
    /// Scores above it are far from everything: twice as far from the median as any of the calibration.
    pub(crate) far: f64,
}

/// A predicted class of the calibration.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CalibratedClass {
    pub name: String,
    pub images: u64,
    /// Of the scores of its images; none where too few groups have any.
    pub scale: Option<Scale>,
}

impl Baseline {
    /// Of a reference's calibration.
    #[must_use]
    pub fn of(calibration: &Calibration) -> Self {
        let image = |entry: &sdd_drift::calibration::CalibrationEntry| CalibratedImage {
            group: entry.group.clone(),
            class: entry.predicted_class.clone().unwrap_or_default(),
            score: entry.score,
            properties: entry.properties,
        };
        Self::new(calibration.alpha(), calibration.entries().iter().map(image).collect())
    }

    /// Of images in any order, at least one.
    #[must_use]
    pub fn new(alpha: f64, images: Vec<CalibratedImage>) -> Self {
        let is_grouped = images.iter().any(|image| image.group.is_some());
        let mut groups: Vec<Vec<CalibratedImage>> = Vec::new();
        let mut places = BTreeMap::new();
        for image in images {
            let place = match &image.group {
                Some(group) => *places.entry(group.clone()).or_insert(groups.len()),
                None => groups.len(),
            };
            if place == groups.len() {
                groups.push(Vec::new());
            }
            groups[place].push(image);
        }
        let classes = classes(&groups);
        let properties = properties(&groups);
        let mut sizes: Vec<usize> = groups.iter().map(Vec::len).collect();
        sizes.sort_unstable();
        let scores = weighted(&groups, |image| Some(image.score));
        let all = Scale::of(scores.clone()).unwrap_or(Scale { middle: 0.0, spread: 1.0 });
        let largest = scores.iter().map(|(score, _)| *score).fold(all.middle, f64::max);
        let mut baseline = Self {
            alpha,
            classes,
            groups: Vec::new(),
            is_grouped,
            group_size: sizes.get(sizes.len() / 2).copied().unwrap_or(1),
            all,
            properties,
            far: largest + (largest - all.middle),
        };
        let sample = |image: &CalibratedImage| {
            baseline.sample(&image.class, image.score, image.properties.as_ref())
        };
        let samples = |group: &Vec<CalibratedImage>| group.iter().map(sample).collect();
        baseline.groups = groups.iter().map(samples).collect();
        baseline
    }

    /// An image as groups are compared by it.
    pub(crate) fn sample(
        &self,
        class: &str,
        score: f64,
        properties: Option<&Properties>,
    ) -> Sample {
        let class = self.classes.iter().position(|known| known.name == class);
        let standard = |value: f64, scale: Scale| (value - scale.middle) / scale.spread;
        let score = Some(standard(score, self.scale(class))).filter(|score| score.is_finite());
        let properties = self.properties.zip(properties).map(|(scales, properties)| {
            let values = properties.to_array();
            std::array::from_fn(|i| standard(values[i], scales[i]))
        });
        let properties =
            properties.filter(|all: &[f64; PROPERTIES]| all.iter().all(|one| one.is_finite()));
        Sample { class, score, properties }
    }

    /// The scale that scores of a class are put on.
    pub(crate) fn scale(&self, class: Option<usize>) -> Scale {
        class.and_then(|class| self.classes[class].scale).unwrap_or(self.all)
    }

    /// The number of groups.
    #[must_use]
    pub fn groups(&self) -> usize {
        self.groups.len()
    }

    /// The number of images.
    #[must_use]
    pub fn images(&self) -> usize {
        self.groups.iter().map(Vec::len).sum()
    }
}

impl Scale {
    /// Of values with their weights; none of no values. Where most of them are equal the spread is a millionth of the
    /// middle, so that it is never 0.
    fn of(values: Vec<(f64, f64)>) -> Option<Self> {
        let [middle, deviation] = median_and_deviation(values)?;
        let spread = 1.4826 * deviation;
        Some(Self { middle, spread: spread.max(1e-6 * middle.abs()).max(1e-12) })
    }
}

/// What images have, each with its weight: 1 for all of a group that have it.
fn weighted(
    groups: &[Vec<CalibratedImage>],
    value: impl Fn(&CalibratedImage) -> Option<f64>,
) -> Vec<(f64, f64)> {
    let of_group = |group: &Vec<CalibratedImage>| {
        let values: Vec<f64> = group.iter().filter_map(&value).collect();
        let weight = 1.0 / values.len().max(1) as f64;
        values.into_iter().map(move |value| (value, weight)).collect::<Vec<_>>()
    };
    groups.iter().flat_map(of_group).collect()
}

fn classes(groups: &[Vec<CalibratedImage>]) -> Vec<CalibratedClass> {
    let mut images = BTreeMap::<&str, u64>::new();
    for image in groups.iter().flatten() {
        *images.entry(&image.class).or_default() += 1;
    }
    let class = |(name, images): (&str, u64)| {
        let has_it = |group: &&Vec<CalibratedImage>| group.iter().any(|image| image.class == name);
        let is_enough = groups.iter().filter(has_it).count() >= MIN_CLASS_GROUPS;
        let scores = weighted(groups, |image| (image.class == name).then_some(image.score));
        let scale = is_enough.then(|| Scale::of(scores)).flatten();
        CalibratedClass { name: name.to_owned(), images, scale }
    };
    images.into_iter().map(class).collect()
}

/// Where all images have them.
fn properties(groups: &[Vec<CalibratedImage>]) -> Option<[Scale; PROPERTIES]> {
    let mut scales = [Scale { middle: 0.0, spread: 1.0 }; PROPERTIES];
    if groups.iter().flatten().any(|image| image.properties.is_none()) {
        return None;
    }
    for (i, scale) in scales.iter_mut().enumerate() {
        let of = |image: &CalibratedImage| image.properties.map(|all| all.to_array()[i]);
        *scale = Scale::of(weighted(groups, of))?;
    }
    Some(scales)
}

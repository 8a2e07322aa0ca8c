//! What is said of a batch.

use serde::Serialize;

use super::options::Test;
use crate::reference::NearestImage;
use crate::status::Status;

/// The verdicts on a batch, and the reasons.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BatchReport {
    /// Drifting if appearance or mix is; otherwise that of the appearance.
    pub verdict: Status,
    /// The probability of an alarm over a batch without drift, at most.
    pub alpha: f64,
    /// Images in the batch.
    pub images: usize,
    /// Images that they are compared with.
    pub held_out_images: usize,
    /// How many images are out of distribution one by one; `None` where no image has a verdict.
    pub out_of_distribution: Option<usize>,
    /// How many groups of the batch these are of, where images have groups.
    pub out_of_distribution_groups: Option<usize>,
    /// How many of the images with a verdict are to be expected out of distribution without drift: a share alpha of
    /// the calibration.
    pub out_of_distribution_expected: Option<f64>,
    /// How many have the very embedding of a reference image. What the network was trained on lies closer
    /// together than anything new: such images do not belong into a batch.
    pub in_reference: usize,
    /// How many have the very embedding of a held-out image: with themselves they agree.
    pub in_held_out: usize,
    /// Do the images of each class look as they did?
    pub appearance: Appearance,
    /// Are the classes as frequent as they were?
    pub class_mix: ClassMix,
    /// The images farthest from the reference, strangest first.
    pub strangest: Vec<StrangeImage>,
}

/// Do the images of each class look as they did?
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Appearance {
    /// By the test that decides.
    pub verdict: Status,
    /// Why, in words.
    pub reason: String,
    /// The test that decides.
    pub test: Test,
    /// Its p-value; `None` where there are too few images.
    pub p_value: Option<f64>,
    /// Drifting if `p_value` is at most this.
    pub alpha: f64,
    /// How many more images it takes, at least; 0 where there are enough.
    pub images_needed: usize,
    /// How many groups there are among the held-out images and in the batch, where groups are exchanged.
    pub groups: Option<[usize; 2]>,
    /// The smallest p-value that so few groups can give; `None` where images are exchanged. Above `alpha` there are
    /// too few groups.
    pub smallest_p_value: Option<f64>,
    /// Whether images were compared within classes; otherwise a changed mix is a changed appearance, too.
    pub within_classes: bool,
    /// Class by class; one without a name where classes are not known.
    pub classes: Vec<ClassAppearance>,
    /// Every test that could be done, the one that decides first.
    pub tests: Vec<TestResult>,
    /// The components of the embedding that changed, by Kolmogorov–Smirnov at `alpha`, most telling first.
    pub components: Vec<Component>,
}

/// One class of the batch beside that of the held-out images.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassAppearance {
    /// The predicted class.
    pub class: Option<String>,
    /// Held-out images of it.
    pub held_out_images: usize,
    /// Images of the batch.
    pub images: usize,
    /// Whether there were enough of both to compare.
    pub tested: bool,
    /// By the test that decides, within this class, adjusted for the number of classes.
    pub p_value: Option<f64>,
    /// Whether it is at most the level.
    pub stands_out: bool,
}

/// One test of appearance.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TestResult {
    /// Which.
    pub test: Test,
    /// Its p-value, adjusted for what it tests at once.
    pub p_value: f64,
    /// How that was found.
    pub method: &'static str,
}

/// A component of the embedding that changed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Component {
    /// Its position, from 0.
    pub component: usize,
    /// Among images of this class.
    pub class: Option<String>,
    /// The largest difference of the distribution functions, in [0, 1].
    pub statistic: f64,
    /// Adjusted for all components and classes.
    pub p_value: f64,
}

/// Are the classes as frequent as they were?
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassMix {
    /// By the p-value.
    pub verdict: Status,
    /// Why, in words.
    pub reason: String,
    /// χ² of the counts below.
    pub statistic: Option<f64>,
    /// The p-value by permutations, of χ² and of pairs of images of one class, whichever is the more unusual.
    pub p_value: Option<f64>,
    /// Drifting if `p_value` is at most this.
    pub alpha: f64,
    /// How many more images it takes, at least; 0 where more would not help or there are enough.
    pub images_needed: usize,
    /// The counts.
    pub classes: Vec<ClassCount>,
}

/// How often a class is predicted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClassCount {
    /// The class.
    pub class: String,
    /// Held-out images of it.
    pub held_out_images: usize,
    /// Images of the batch.
    pub images: usize,
}

/// An image far from the reference.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StrangeImage {
    /// What it is called, where it has a name.
    pub image: Option<String>,
    /// Its row in the batch, from 0.
    pub row: usize,
    /// Its predicted class, where known.
    pub class: Option<String>,
    /// Its drift score.
    pub score: f64,
    /// Its conformal p-value; `None` without a calibration.
    pub p_value: Option<f64>,
    /// Whether it alone is out of distribution.
    pub out_of_distribution: Option<bool>,
    /// What it is nearest to.
    pub neighbors: Vec<NearestImage>,
}

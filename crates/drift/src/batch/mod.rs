//! Is a batch of new images like the held-out ones? Appearance and mix of classes apart.
//!
//! The batch is compared with the store's held-out images ([`CalibrationImages`](crate::CalibrationImages)), not with the reference:
//! images that the network was trained on lie closer together than any new ones. What it takes is that
//! held-out images and batch are drawn alike and independently. Where several images show one part, say so
//! ([`Batch::groups`]): then parts are what is compared, and their number counts. Without it, new parts are
//! found to look unlike the held-out ones, as every two parts do.
//!
//! **Appearance**: are the images of each predicted class like the held-out images of that class? One test
//! decides, by default MMD² within classes ([`stratified_mmd`](sdd_stats::two_sample::stratified_mmd)); the
//! others are computed beside it, to explain and to compare, and raise no alarm. A pure change of the
//! shares of the classes leaves all of them alone, up to what the classifier mixes up.
//!
//! **Mix**: are the predicted classes as frequent as among the held-out images? Its p-value is from permutations, so
//! that it holds for small counts, by statistics that also see a class come up among many that have an image each
//! ([`permuted`](sdd_stats::contingency::permuted)).
//!
//! **False alarms**: where both are tested, each is tested at α/2, so that a batch without drift raises an
//! alarm with probability α at most, as the two together.

mod appearance;
mod class_mix;
mod images;
mod outcome;
mod report;
mod strangest;

use std::fmt;
use std::str::FromStr;

use fastrand::Rng;
use serde::{Deserialize, Serialize};

pub use self::images::{Batch, BatchGroups};
pub use self::report::{
    Appearance, BatchReport, ClassAppearance, ClassMix, ClassShare, Component, StrangeImage,
    TestResult,
};

pub use crate::status::Status;

use crate::calibration::DEFAULT_ALPHA;
use crate::error::{Error, Result};
use crate::reference::Reference;
use images::HeldOut;
use sdd_stats::check_open_unit;
use sdd_stats::conformal::required_calibration_images;

/// Fewer images than this in the batch, or among the held-out ones, are no evidence: the verdict is
/// [`Status::InsufficientData`].
pub const MIN_IMAGES: usize = 20;

/// A class is compared from this many images on either side.
pub const MIN_CLASS_IMAGES: usize = 5;

/// Of more images of a class than this, on either side, the embeddings of that many are compared, drawn at random.
pub const MAX_CLASS_IMAGES: usize = 2000;

/// The tests of appearance by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Test {
    /// `mmd`: MMD² of the embeddings within classes, all components at once.
    Mmd,
    /// `ks`: Kolmogorov–Smirnov on each component of the embeddings within classes.
    Ks,
    /// `bbsd`: Kolmogorov–Smirnov on the predicted probabilities within classes.
    Bbsd,
    /// `score`: Kolmogorov–Smirnov on the drift scores within classes. The one test for which the scores of
    /// the held-out images are enough.
    Score,
}

impl Test {
    /// Every test.
    pub const ALL: [Self; 4] = [Self::Mmd, Self::Ks, Self::Bbsd, Self::Score];

    /// The name by which people and files call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Mmd => "mmd",
            Self::Ks => "ks",
            Self::Bbsd => "bbsd",
            Self::Score => "score",
        }
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Test {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|test| test.name() == text);
        found.ok_or_else(|| Error::UnknownTest { found: text.to_owned() })
    }
}

/// How a batch is tested.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// The probability of an alarm over a batch without drift, at most.
    pub alpha: f64,
    /// B, the number of permutations; the smallest p-value is 1/(B + 1).
    pub permutations: usize,
    /// The same seed gives the same p-values.
    pub seed: u64,
    /// The test of appearance that decides; `None` is [`Test::Mmd`], or [`Test::Score`] for a store that
    /// keeps the scores of its held-out images and not the images.
    pub test: Option<Test>,
    /// Whether a changed mix of classes is drift, too.
    pub class_mix: bool,
    /// How many of the strangest images to name.
    pub strangest: usize,
    /// How many of the nearest reference images of each to name.
    pub neighbors: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            alpha: DEFAULT_ALPHA,
            permutations: 999,
            seed: 0,
            test: None,
            class_mix: true,
            strangest: 5,
            neighbors: 3,
        }
    }
}

impl Options {
    fn check(&self) -> Result<()> {
        check_open_unit("alpha", self.alpha)?;
        // (1 + 0)/(B + 1) ≤ α/2: the same bound as for conformal p-values.
        let required = required_calibration_images(self.alpha / 2.0);
        if self.permutations < required {
            let (found, alpha) = (self.permutations, self.alpha);
            return Err(Error::TooFewPermutations { found, alpha, required });
        }
        Ok(())
    }
}

/// Compares a batch with the held-out images of the reference's store.
///
/// Takes O(B · N²) for MMD with B permutations of N images, the larger class counting most, and
/// O(N · reference) for the strangest images.
///
/// # Errors
///
/// [`Error::NoHeldOutImages`]; [`Error::TestUnavailable`]; [`sdd_stats::Error::InvalidArgument`];
/// [`Error::TooFewPermutations`]; [`Error::UnequalBatch`]; [`Error::WrongDimension`] or
/// [`Error::NotFinite`] for the batch's embeddings; and what the store reports.
pub fn check(reference: &Reference, batch: &Batch, options: &Options) -> Result<BatchReport> {
    options.check()?;
    batch.check(reference.store().dimension())?;
    let held_out = HeldOut::of(reference)?;
    let groups = batch.numbered_groups(held_out.len())?;
    let assessments = strangest::assess(reference, batch, options.neighbors)?;

    let mut random = Rng::with_seed(options.seed);
    let mut random_of_mix = random.fork();
    let mix_is_tested = options.class_mix && class_mix::is_testable(&held_out, batch);
    let alpha = if mix_is_tested { options.alpha / 2.0 } else { options.alpha };
    let scores: Vec<Option<f64>> =
        assessments.iter().map(|found| found.as_ref().map(|found| found.score)).collect();
    let compared = outcome::Compared {
        held_out: &held_out,
        batch,
        groups: groups.as_ref(),
        scores: &scores,
        permutations: options.permutations,
        normalization: reference.store().manifest().normalization,
    };
    let appearance = appearance::judge(&compared, options.test, alpha, &mut random)?;
    let class_mix =
        class_mix::judge(&held_out, batch, groups.as_ref(), (options, alpha), &mut random_of_mix)?;
    Ok(BatchReport::new(
        options,
        held_out.len(),
        batch.len(),
        appearance,
        class_mix,
        strangest::Strangest::of(&held_out, batch, assessments, options.strangest),
    ))
}

//! How a batch is tested.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::calibration::DEFAULT_ALPHA;
use crate::error::{Error, Result};
use sdd_stats::check_open_unit;
use sdd_stats::conformal::PValueKind;

/// Fewer images than this in the batch, or among the held-out ones, are no evidence: the verdict is
/// [`Status::InsufficientData`](crate::Status).
pub const MIN_IMAGES: usize = 20;

/// A class is compared from this many images on either side; where groups are exchanged, from twice as many on both
/// sides together, which is the same for every division of the groups.
pub(super) const MIN_CLASS_IMAGES: usize = 5;

/// Of more images of a class than this, on either side, the embeddings of that many are compared, drawn at random.
pub(super) const MAX_CLASS_IMAGES: usize = 2000;

/// The tests of appearance by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Test {
    /// `mmd`: MMD² of the embeddings within classes, all components at once.
    Mmd,
    /// `ks`: Kolmogorov–Smirnov on each component of the embeddings within classes.
    Ks,
    /// `bbsd`: Kolmogorov–Smirnov on the predicted probabilities within classes, black-box shift detection. It sees
    /// what moves the classifier, and nothing else: Rabanser, Günnemann, Lipton, “Failing loudly: an empirical study of
    /// methods for detecting dataset shift”, `NeurIPS` 2019.
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
        found.ok_or_else(|| Error::UnknownTest {
            found: text.to_owned(),
            known: Self::ALL.map(Self::name).join(", "),
        })
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
    pub(super) fn check(&self) -> Result<()> {
        check_open_unit("alpha", self.alpha)?;
        // (1 + 0)/(B + 1) ≤ α/2: the same bound as for conformal p-values.
        let required = PValueKind::Marginal.required_images(self.alpha / 2.0);
        if self.permutations < required {
            let (found, alpha) = (self.permutations, self.alpha);
            return Err(Error::TooFewPermutations { found, alpha, required });
        }
        Ok(())
    }
}

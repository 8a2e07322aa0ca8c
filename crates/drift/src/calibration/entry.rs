//! Images in a calibration, and how they were chosen.

use serde::{Deserialize, Serialize};

use crate::grouping::GroupBy;
use crate::properties::Properties;

/// One calibration image.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct CalibrationEntry {
    /// What it is called, where images have groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Its score against the reference.
    pub score: f64,
    /// The class that the model predicted, where there was a model.
    pub predicted_class: Option<String>,
    /// The class that it is of by its folder or label file.
    pub label: Option<String>,
    /// Which images it belongs together with, where that is known: then of all images, or of none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// What its picture is like, where that was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub properties: Option<Properties>,
}

/// How the calibration images were chosen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum CalibrationSource {
    /// From a folder of their own.
    Directory,
    /// From a matrix of embeddings.
    Embeddings,
    /// A share of the groups of one folder; no group is on both sides.
    Split {
        /// Where the group of an image came from.
        group_by: GroupBy,
        /// The share of groups that was asked for.
        share: f64,
        /// The seed that chose them.
        seed: u64,
    },
    /// All images of the reference, each scored among those of all other groups.
    LeaveOneGroupOut {
        /// Where the group of an image came from.
        group_by: GroupBy,
    },
    /// In several ways, one after the other: further images were held out, or another store's came to them. Of
    /// all together none of the ways is true.
    Joined {
        /// The ways, at least two.
        parts: Vec<Self>,
    },
}

impl CalibrationSource {
    /// Of the images that were chosen in this way and those that were chosen in another.
    #[must_use]
    pub fn joined_by(self, other: Self) -> Self {
        let parts = |source| match source {
            Self::Joined { parts } => parts,
            one => vec![one],
        };
        let mut joined = parts(self);
        for part in parts(other) {
            // From two folders is from folders; two splits are not one, even where they were made alike.
            let is_told =
                matches!(part, Self::Directory | Self::Embeddings) && joined.contains(&part);
            if !is_told {
                joined.push(part);
            }
        }
        match <[Self; 1]>::try_from(joined) {
            Ok([one]) => one,
            Err(parts) => Self::Joined { parts },
        }
    }

    /// The share of a split that is no share.
    pub(super) fn impossible_share(&self) -> Option<f64> {
        match self {
            Self::Split { share, .. } => {
                Some(*share).filter(|share| !(*share > 0.0 && *share < 1.0))
            }
            Self::Joined { parts } => parts.iter().find_map(Self::impossible_share),
            Self::Directory | Self::Embeddings | Self::LeaveOneGroupOut { .. } => None,
        }
    }
}

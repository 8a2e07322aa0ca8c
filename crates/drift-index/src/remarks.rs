//! What a person should know about images that are not in a store although they were meant to be.

use std::fmt;

use serde::Serialize;

use crate::images::folder::Ignored;
use crate::images::left_out;

/// Which side an image was meant for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    Reference,
    Calibration,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reference => "reference",
            Self::Calibration => "calibration",
        })
    }
}

/// An image that is not used although it was meant to be.
#[derive(Debug, Clone, Serialize)]
pub struct SkippedImage {
    pub part: Part,
    pub image: String,
    pub reason: String,
}

/// An image that is another one already, by its bytes or by its embedding.
#[derive(Debug, Clone, Serialize)]
pub struct Duplicate {
    pub part: Part,
    pub image: String,
    pub same_as: String,
    /// The two lie in different classes: one of them is wrong.
    pub other_class: bool,
}

/// What a person should know about the images that are not in the store.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Remarks {
    pub skipped: Vec<SkippedImage>,
    pub duplicates: Vec<Duplicate>,
    pub ignored: Ignored,
}

impl Remarks {
    /// How many images were meant for a part and are not used.
    pub fn left_out(&self, part: Part) -> usize {
        let skipped = self.skipped.iter().filter(|image| image.part == part).count();
        skipped + self.duplicates.iter().filter(|image| image.part == part).count()
    }
}

/// A line of the list of skipped images.
impl fmt::Display for SkippedImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.image, self.part, self.reason)
    }
}

/// A line of the list of duplicates.
impl fmt::Display for Duplicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let warning = if self.other_class { ", which is of another class" } else { "" };
        write!(f, "{} ({}) = {}{warning}", self.image, self.part, self.same_as)
    }
}

impl fmt::Display for Remarks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        left_out::fmt(f, &self.skipped, &self.duplicates, &self.ignored)
    }
}

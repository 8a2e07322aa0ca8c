//! What a person should know about images that are not in a store although they were meant to be.

use std::fmt;

use serde::Serialize;

use crate::answer::{count, line};
use crate::images::folder::Ignored;

/// How many duplicates are listed in text; JSON has all.
const LISTED: usize = 10;

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

/// An image that is byte for byte another one.
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

impl fmt::Display for Remarks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.skipped.is_empty() {
            line(f, "skipped", count(self.skipped.len(), "image"))?;
            for SkippedImage { part, image, reason } in &self.skipped {
                writeln!(f, "    {image} ({part}): {reason}")?;
            }
        }
        if !self.duplicates.is_empty() {
            let number = count(self.duplicates.len(), "image");
            line(
                f,
                "duplicates",
                format_args!("{number} left out, byte for byte the same as another"),
            )?;
            for Duplicate { part, image, same_as, other_class } in
                self.duplicates.iter().take(LISTED)
            {
                let warning = if *other_class { ", which is of another class" } else { "" };
                writeln!(f, "    {image} ({part}) = {same_as}{warning}")?;
            }
            if let Some(more) = self.duplicates.len().checked_sub(LISTED).filter(|more| *more > 0) {
                writeln!(f, "    and {more} more")?;
            }
        }
        self.ignored.fmt(f)
    }
}

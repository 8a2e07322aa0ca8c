//! What a person should know about images that were named and are not used.

use std::fmt;

use serde::Serialize;

use crate::answer::{Failure, count, line};

/// How many duplicates are listed in text; JSON has all.
const LISTED: usize = 10;

/// Which side of a store an image was meant for.
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Skipped {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<Part>,
    pub image: String,
    pub code: &'static str,
    pub reason: String,
}

impl Skipped {
    pub fn new(part: Option<Part>, image: String, failure: Failure) -> Self {
        Self { part, image, code: failure.code, reason: failure.message }
    }
}

/// An image that is another one already, by its bytes or by its embedding.
#[derive(Debug, Clone, Serialize)]
pub struct Duplicate {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<Part>,
    pub image: String,
    pub same_as: String,
    /// The two are of different classes: one of them is wrong.
    pub other_class: bool,
}

/// What was passed over without a word on each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Ignored {
    /// Files and folders whose name begins with a dot.
    pub hidden: usize,
    /// Files whose name does not end like an image's, and what is no file at all.
    pub other_files: usize,
    /// Links that lead back to a folder that contains them.
    pub loops: usize,
}

impl std::ops::AddAssign for Ignored {
    fn add_assign(&mut self, other: Self) {
        self.hidden += other.hidden;
        self.other_files += other.other_files;
        self.loops += other.loops;
    }
}

/// All of that.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Remarks {
    pub skipped: Vec<Skipped>,
    pub duplicates: Vec<Duplicate>,
    pub ignored: Ignored,
}

impl Remarks {
    /// How many images were meant for a part and are not used.
    pub fn left_out(&self, part: Part) -> usize {
        let skipped = self.skipped.iter().filter(|image| image.part == Some(part)).count();
        skipped + self.duplicates.iter().filter(|image| image.part == Some(part)).count()
    }
}

fn fmt_part(f: &mut fmt::Formatter<'_>, part: Option<Part>) -> fmt::Result {
    part.map_or(Ok(()), |part| write!(f, " ({part})"))
}

/// A line of the list of skipped images.
impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.image)?;
        fmt_part(f, self.part)?;
        write!(f, ": {}", self.reason)
    }
}

/// A line of the list of duplicates.
impl fmt::Display for Duplicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.image)?;
        fmt_part(f, self.part)?;
        let warning = if self.other_class { ", which is of another class" } else { "" };
        write!(f, " = {}{warning}", self.same_as)
    }
}

/// A line of a summary, where there is something to say.
impl fmt::Display for Ignored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { hidden, other_files, loops } = self;
        if hidden + other_files + loops == 0 {
            return Ok(());
        }
        let loops = if *loops > 0 { format!(", {loops} circular") } else { String::new() };
        line(f, "ignored", format_args!("{hidden} hidden, {other_files} not images{loops}"))
    }
}

/// Every image that was skipped, the first duplicates, and what was passed over.
impl fmt::Display for Remarks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.skipped.is_empty() {
            line(f, "skipped", count(self.skipped.len(), "image"))?;
            self.skipped.iter().try_for_each(|skipped| writeln!(f, "    {skipped}"))?;
        }
        let duplicates = self.duplicates.len();
        if duplicates > 0 {
            let number = count(duplicates, "image");
            line(f, "duplicates", format_args!("{number} left out, the same as another"))?;
            self.duplicates.iter().take(LISTED).try_for_each(|one| writeln!(f, "    {one}"))?;
            if let Some(more) = duplicates.checked_sub(LISTED).filter(|more| *more > 0) {
                writeln!(f, "    and {more} more")?;
            }
        }
        self.ignored.fmt(f)
    }
}

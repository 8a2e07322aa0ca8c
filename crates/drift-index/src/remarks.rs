//! What a person should know about images that were named and are not used.

use std::fmt;

use serde::Serialize;

use crate::answer::{Failure, count, line, listed};

/// Which side of a store an image was meant for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    Reference,
    Calibration,
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

impl Duplicate {
    /// An image and the one that it is, each with its class.
    pub fn new(part: Option<Part>, [image, same]: [(&str, Option<&str>); 2]) -> Self {
        let other_class = image.1.zip(same.1).is_some_and(|(one, other)| one != other);
        Self { part, image: image.0.to_owned(), same_as: same.0.to_owned(), other_class }
    }
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

/// What an image was meant for, behind its name.
fn part_text(part: Option<Part>) -> &'static str {
    match part {
        None => "",
        Some(Part::Reference) => " (reference)",
        Some(Part::Calibration) => " (calibration)",
    }
}

/// A line of the list of skipped images.
impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}: {}", self.image, part_text(self.part), self.reason)
    }
}

/// A line of the list of duplicates.
impl fmt::Display for Duplicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let warning = if self.other_class { ", which is of another class" } else { "" };
        write!(f, "{}{} = {}{warning}", self.image, part_text(self.part), self.same_as)
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
            listed(f, &self.duplicates)?;
        }
        self.ignored.fmt(f)
    }
}

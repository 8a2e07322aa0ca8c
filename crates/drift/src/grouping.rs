//! Groups of images that belong together, and how a name tells which.
//!
//! A group is what is exchangeable: a part, a tray, a coil, a shift. Images of one group are alike, and many of them say
//! little more about the next group than one does.

use regex::Regex;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Where the group of an image comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum GroupBy {
    /// This column of a CSV file.
    CsvColumn(String),
    /// What this regular expression, or its first parentheses, finds in the image's path.
    Regex(String),
    /// The name of the folder that the image is in (1), of the one above that (2), and so on. Counted from the image,
    /// as its path may be told from anywhere; and the name alone, since one part has images in the folders of several
    /// classes.
    Folder(usize),
}

/// A [`GroupBy`] that finds groups in names.
#[derive(Debug, Clone)]
pub struct Grouping(Finder);

#[derive(Debug, Clone)]
enum Finder {
    Regex(Regex),
    Folder(usize),
}

impl Grouping {
    /// `None` for the column of a CSV file, which knows the names in it and no others.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidGrouping`] for what is no regular expression, and for folder 0.
    pub fn new(group_by: &GroupBy) -> Result<Option<Self>> {
        match group_by {
            GroupBy::CsvColumn(_) => Ok(None),
            GroupBy::Regex(text) => match Regex::new(text) {
                Ok(regex) => Ok(Some(Self(Finder::Regex(regex)))),
                Err(error) => Err(Error::InvalidGrouping { reason: error.to_string() }),
            },
            GroupBy::Folder(0) => Err(Error::InvalidGrouping {
                reason: "folders are counted from 1, the one that the image is in".into(),
            }),
            GroupBy::Folder(level) => Ok(Some(Self(Finder::Folder(*level)))),
        }
    }

    /// The group of the image of this name: a path with `/` between its parts, or a file's name alone.
    #[must_use]
    pub fn group_of(&self, name: &str) -> Option<String> {
        match &self.0 {
            Finder::Regex(regex) => {
                let captures = regex.captures(name)?;
                let found = captures.get(1).or(captures.get(0))?;
                Some(found.as_str().to_owned())
            }
            Finder::Folder(level) => {
                let folder = name.rsplit('/').nth(*level)?;
                (!folder.is_empty()).then(|| folder.to_owned())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group_of(group_by: &GroupBy, name: &str) -> Option<String> {
        Grouping::new(group_by).unwrap().unwrap().group_of(name)
    }

    #[test]
    fn a_regex_gives_its_first_parentheses_or_the_whole_match() {
        let by = |regex: &str| group_of(&GroupBy::Regex(regex.into()), "ok/kos01/Part0.jpg");
        assert_eq!(by(r"(kos\d+)/").as_deref(), Some("kos01"));
        assert_eq!(by(r"kos\d+/").as_deref(), Some("kos01/"));
        assert_eq!(by("(lot)?kos").as_deref(), Some("kos"));
        assert_eq!(by("lot"), None);
    }

    #[test]
    fn folders_are_counted_from_the_image() {
        let folder = |level, name| group_of(&GroupBy::Folder(level), name);
        assert_eq!(folder(1, "good/kos01/a.png").as_deref(), Some("kos01"));
        assert_eq!(folder(2, "good/kos01/a.png").as_deref(), Some("good"));
        assert_eq!(folder(3, "good/kos01/a.png"), None);
        assert_eq!((folder(1, "a.png"), folder(1, "/a.png")), (None, None));
    }

    #[test]
    fn what_finds_nothing_in_names_is_told() {
        assert!(Grouping::new(&GroupBy::CsvColumn("item".into())).unwrap().is_none());
        for bad in [GroupBy::Regex("(".into()), GroupBy::Folder(0)] {
            assert_eq!(Grouping::new(&bad).unwrap_err().code(), "invalid_grouping");
        }
    }
}

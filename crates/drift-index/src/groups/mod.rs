//! Groups of images that belong together, for example pictures of one physical part: how they are told, here and by a
//! store that remembers it.

mod csv;
pub mod likely;

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use anyhow::{Error, Result, anyhow, ensure};
use clap::Args;
use regex::Regex;
use sdd_drift::{Calibration, GroupBy, Grouping};

use self::csv::CsvColumn;
use crate::answer::{count, some_of};
use crate::images::source::Source;

/// The flags that tell groups, for messages.
pub const FLAGS: &str = "--group-regex, --group-csv or --group-folder";

/// Which images belong together.
#[derive(Debug, Args)]
#[expect(clippy::struct_field_names, reason = "they are the names of the flags")]
#[command(next_help_heading = "Groups: images of one part belong together")]
pub struct GroupArguments {
    /// By what this expression, or its first parentheses, finds in an image's path
    #[arg(long, value_name = "REGEX", conflicts_with_all = ["group_csv", "group_folder"])]
    group_regex: Option<Regex>,

    /// By a column of a CSV file whose first column, `image`, holds the paths
    #[arg(long, value_name = "FILE.csv:COLUMN", conflicts_with = "group_folder")]
    group_csv: Option<CsvColumn>,

    /// By the name of the folder that an image is in (1), of the one above that (2), and so on
    #[arg(long, value_name = "LEVEL")]
    group_folder: Option<NonZeroUsize>,
}

impl GroupArguments {
    /// The names of the flags, for clap.
    pub const IDS: [&str; 3] = ["group_regex", "group_csv", "group_folder"];

    /// What they say, if they say something. A file is read now: what is wrong with it is said before images are
    /// listed, which can take long.
    pub fn rule(&self) -> Result<Option<Rule>> {
        if let Some(csv) = &self.group_csv {
            let finder = Finder::Csv(csv.file.clone(), csv.read()?);
            return Ok(Some(Rule { by: GroupBy::CsvColumn(csv.column.clone()), finder }));
        }
        let regex = self.group_regex.as_ref().map(|regex| GroupBy::Regex(regex.as_str().into()));
        let folder = self.group_folder.map(|level| GroupBy::Folder(level.get()));
        Ok(regex.or(folder).map(Rule::new).transpose()?)
    }
}

/// Where the groups of images come from.
pub struct Rule {
    by: GroupBy,
    finder: Finder,
}

enum Finder {
    Names(Grouping),
    /// A CSV file, and what it says of images.
    Csv(PathBuf, HashMap<String, String>),
    /// A CSV file that is not at hand any more.
    Forgotten,
}

impl Rule {
    fn new(by: GroupBy) -> sdd_drift::Result<Self> {
        let finder = Grouping::new(&by)?.map_or(Finder::Forgotten, Finder::Names);
        Ok(Self { by, finder })
    }

    fn group_of(&self, id: &str) -> Option<String> {
        match &self.finder {
            Finder::Names(grouping) => grouping.group_of(id),
            Finder::Csv(_, groups) => groups.get(id).filter(|group| !group.is_empty()).cloned(),
            Finder::Forgotten => None,
        }
    }

    /// Why these images have none.
    fn lack(&self, without: &[&str]) -> String {
        match (&self.by, &self.finder) {
            (GroupBy::CsvColumn(column), Finder::Csv(file, groups)) => {
                let file = file.display();
                match without.iter().filter(|id| groups.contains_key(**id)).count() {
                    0 => format!("no row in {file}"),
                    rows if rows == without.len() => {
                        format!("nothing in the column `{column}` of {file}")
                    }
                    _ => format!("no row in {file}, or nothing in its column `{column}`"),
                }
            }
            (GroupBy::Regex(regex), _) => format!("no match of `{regex}`"),
            (GroupBy::Folder(level), _) => format!("no folder {level} above"),
            (GroupBy::CsvColumn(column), _) => {
                format!(
                    "column `{column}` of a CSV file named some: name one for these, --group-csv"
                )
            }
            _ => "none was found".to_owned(),
        }
    }
}

/// How the groups of a store's images and of others are known: by what was told now, else by what it remembers.
pub struct Groups {
    told: Option<Rule>,
    of_store: Option<Rule>,
}

impl Groups {
    pub fn new(told: Option<Rule>, calibration: Option<&Calibration>) -> Result<Self> {
        let of_store = calibration.and_then(Calibration::group_by).cloned();
        Ok(Self { told, of_store: of_store.map(Rule::new).transpose()? })
    }

    pub fn are_told(&self) -> bool {
        self.told.is_some()
    }

    /// As a store is to remember it; `None` where images have no groups.
    pub fn by(&self) -> Option<&GroupBy> {
        self.told.as_ref().or(self.of_store.as_ref()).map(|rule| &rule.by)
    }

    /// The group of this image; `remembered` is what a store knows of it.
    pub fn group_of(&self, id: &str, remembered: Option<&str>) -> Option<String> {
        let by = |rule: &Option<Rule>| rule.as_ref().and_then(|rule| rule.group_of(id));
        by(&self.told).or_else(|| remembered.map(str::to_owned)).or_else(|| by(&self.of_store))
    }

    /// The group of each image, named with what a store remembers of it, in their order.
    ///
    /// # Errors
    ///
    /// Names images that have none.
    pub fn assign<'a>(
        &self,
        images: impl IntoIterator<Item = (&'a str, Option<&'a str>)>,
    ) -> Result<Vec<String>> {
        let (groups, missing) = self.find(images);
        missing.map_or_else(|| Ok(groups.into_iter().flatten().collect()), Err)
    }

    /// The same where images may have none, which is warned of where that is asked for: but not all of them.
    ///
    /// # Errors
    ///
    /// None of them has a group.
    pub fn assign_some<'a>(
        &self,
        images: impl IntoIterator<Item = (&'a str, Option<&'a str>)>,
        warns: bool,
    ) -> Result<Vec<Option<String>>> {
        match self.find(images) {
            (groups, Some(missing)) if groups.iter().all(Option::is_none) => Err(missing),
            (groups, missing) => {
                if let Some(missing) = missing.filter(|_| warns) {
                    eprintln!(
                        "warning: {missing}: they are in the reference, and do not calibrate"
                    );
                }
                Ok(groups)
            }
        }
    }

    /// As [`assign`](Self::assign) for images that no store knows.
    pub fn assign_new<'a>(
        &self,
        ids: impl Iterator<Item = &'a str> + Clone,
    ) -> Result<Vec<String>> {
        self.check_told(ids.clone())?;
        self.assign(ids.map(|id| (id, None)))
    }

    /// Fails where groups are told now, and in none of these names: what a store remembers is no answer to that.
    pub fn check_told<'a>(&self, ids: impl Iterator<Item = &'a str>) -> Result<()> {
        let Some(told) = &self.told else { return Ok(()) };
        let ids: Vec<&str> = ids.collect();
        let is_used = ids.is_empty() || ids.iter().any(|id| told.group_of(id).is_some());
        if is_used { Ok(()) } else { Err(self.missing(&ids, ids.len())) }
    }

    /// The groups that there are, and what to say where images have none.
    fn find<'a>(
        &self,
        images: impl IntoIterator<Item = (&'a str, Option<&'a str>)>,
    ) -> (Vec<Option<String>>, Option<Error>) {
        let mut without = Vec::new();
        let images = images.into_iter();
        let groups: Vec<_> = images
            .map(|(id, remembered)| {
                let group = self.group_of(id, remembered);
                without.extend(group.is_none().then_some(id));
                group
            })
            .collect();
        let missing = (!without.is_empty()).then(|| self.missing(&without, groups.len()));
        (groups, missing)
    }

    fn missing(&self, without: &[&str], of: usize) -> Error {
        let rule = self.told.as_ref().or(self.of_store.as_ref());
        let why = rule.map_or_else(|| "none was told".to_owned(), |rule| rule.lack(without));
        let more = if without.len() > 5 { ", …" } else { "" };
        anyhow!(
            "{} of {} have no group ({why}), for example {}{more}",
            without.len(),
            count(of, "image"),
            some_of(without),
        )
    }

    /// Refuses the rows of a matrix that nobody named.
    pub fn check_names(&self, images: &Source<'_>) -> Result<()> {
        ensure!(
            images.has_names() || !self.are_told(),
            "groups are found by names, and the rows of a matrix have none but those of --ids"
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(regex: &str) -> Groups {
        Groups { told: Some(Rule::new(GroupBy::Regex(regex.into())).unwrap()), of_store: None }
    }

    #[test]
    fn images_without_a_group_are_named() {
        let images = ["a1", "b", "c", "d", "e", "f", "g"];
        let message = groups(r"\d").assign_new(images.into_iter()).unwrap_err().to_string();
        assert!(message.starts_with("6 of 7 images have no group"), "{message}");
        assert!(message.ends_with("b, c, d, e, f, …"), "{message}");
    }

    #[test]
    fn a_row_without_a_group_is_told_from_no_row() {
        let rows = [("a", ""), ("b", "1")].map(|(id, group)| (id.to_owned(), group.to_owned()));
        let finder = Finder::Csv("parts.csv".into(), rows.into());
        let told = Some(Rule { by: GroupBy::CsvColumn("part".into()), finder });
        let groups = Groups { told, of_store: None };
        for (images, expected) in [
            (["a", "b"], "(nothing in the column `part` of parts.csv)"),
            (["b", "c"], "(no row in parts.csv)"),
            (["a", "c"], "(no row in parts.csv, or nothing in its column `part`)"),
        ] {
            let message = groups.assign_new(images.into_iter()).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn what_is_told_now_goes_before_what_a_store_remembers() {
        let told = groups(r"^[a-z]+");
        assert_eq!(told.group_of("lot7", Some("x")).as_deref(), Some("lot"));
        assert_eq!(told.group_of("7", Some("x")).as_deref(), Some("x"));
        assert_eq!(told.group_of("7", None), None);
        assert!(told.check_told(["7", "lot"].into_iter()).is_ok());
        let forgotten = Rule::new(GroupBy::CsvColumn("item".into())).unwrap();
        let of_store = Groups { told: None, of_store: Some(forgotten) };
        let message = of_store.assign([("a", Some("1")), ("b", None)]).unwrap_err().to_string();
        assert!(message.contains("--group-csv") && message.ends_with("example b"), "{message}");
    }
}

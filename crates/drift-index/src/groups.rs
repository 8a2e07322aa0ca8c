//! Groups of images that belong together, for example pictures of one physical part, and their
//! division into reference and calibration.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Result, bail, ensure};
use clap::Args;
use regex::Regex;
use sdd_drift::calibration::GroupBy;
use sha2::{Digest, Sha256};

use crate::answer::count;
use crate::csv_list::CsvList;

/// How many images without a group are named in the error.
const NAMED: usize = 5;

/// Which images belong together.
#[derive(Debug, Args)]
#[command(next_help_heading = "Groups: images of one part belong together")]
pub struct GroupArguments {
    /// By what this expression, or its first parentheses, finds in an image's path
    #[arg(long, value_name = "REGEX", conflicts_with = "group_csv")]
    group_regex: Option<Regex>,

    /// By a column of a CSV file whose first column, `image`, holds the paths
    #[arg(long, value_name = "FILE.csv:COLUMN")]
    group_csv: Option<CsvColumn>,
}

impl GroupArguments {
    /// Where the groups come from, if images have groups. A file that is not there is said before images are listed,
    /// which can take long.
    pub fn rule(&self) -> Result<Option<Rule<'_>>> {
        if let Some(csv) = &self.group_csv {
            let is_file = csv.file.is_file();
            ensure!(is_file, "{} (of --group-csv) is not a file", csv.file.display());
        }
        let csv = self.group_csv.as_ref().map(Rule::Csv);
        Ok(csv.or_else(|| self.group_regex.as_ref().map(Rule::Regex)))
    }
}

/// A file and the name of one of its columns, written `FILE.csv:COLUMN`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvColumn {
    file: PathBuf,
    column: String,
}

impl FromStr for CsvColumn {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.rsplit_once(':') {
            Some((file, column)) if !file.is_empty() && !column.is_empty() => {
                Ok(Self { file: file.into(), column: column.to_owned() })
            }
            _ => Err("expected a file and a column, for example items.csv:item".into()),
        }
    }
}

/// Where the groups come from.
#[derive(Clone, Copy)]
pub enum Rule<'a> {
    Csv(&'a CsvColumn),
    Regex(&'a Regex),
}

impl Rule<'_> {
    /// As the store remembers it.
    pub fn describe(&self) -> GroupBy {
        match self {
            Self::Csv(csv) => GroupBy::CsvColumn(csv.column.clone()),
            Self::Regex(regex) => GroupBy::Regex(regex.as_str().to_owned()),
        }
    }

    /// The group of each of these images, in their order.
    pub fn assign(&self, images: &[&str]) -> Result<Vec<String>> {
        let found: Vec<Option<String>> = match self {
            Self::Csv(csv) => {
                let mut groups = read_csv(csv)?;
                images.iter().map(|image| groups.remove(*image)).collect()
            }
            Self::Regex(regex) => images.iter().map(|image| captured(regex, image)).collect(),
        };
        let without = images.iter().zip(&found).filter(|(_, group)| group.is_none());
        let without: Vec<&str> = without.map(|(image, _)| *image).collect();
        if without.is_empty() {
            return Ok(found.into_iter().flatten().collect());
        }
        let source = match self {
            Self::Csv(csv) => format!("no row in {}", csv.file.display()),
            Self::Regex(regex) => format!("no match of `{regex}`"),
        };
        let more = if without.len() > NAMED { ", …" } else { "" };
        bail!(
            "{} of {} have no group ({source}), for example {}{more}",
            without.len(),
            count(images.len(), "image"),
            without[..without.len().min(NAMED)].join(", "),
        )
    }
}

fn captured(regex: &Regex, id: &str) -> Option<String> {
    let captures = regex.captures(id)?;
    captures.get(1).or(captures.get(0)).map(|found| found.as_str().to_owned())
}

/// Image to group.
fn read_csv(csv: &CsvColumn) -> Result<HashMap<String, String>> {
    let place = csv.file.display();
    let mut list = CsvList::open(&csv.file)?;
    let first = list.header().get(0).unwrap_or_default();
    ensure!(
        first == "image",
        "the first column of {place} is called `{first}`: expected `image`, with paths relative to the folder"
    );
    let column = list.column(&csv.column)?;
    let mut groups = HashMap::new();
    for record in list.rows() {
        let record = record?;
        let field = |position| record.get(position).unwrap_or_default();
        let (image, group) = (normal_path(field(0)), field(column).to_owned());
        if group.is_empty() {
            continue;
        }
        if let Some(other) = groups.insert(image, group.clone())
            && other != group
        {
            bail!("{place} puts {} into the groups `{other}` and `{group}`", field(0));
        }
    }
    Ok(groups)
}

/// `./a\b.png` as `a/b.png`.
fn normal_path(text: &str) -> String {
    let text = text.replace('\\', "/");
    text.strip_prefix("./").map_or(text.clone(), str::to_owned)
}

/// The groups to hold out: `share` of them, at least one, and at least one is left.
///
/// Groups are ranked by a hash of seed and name, so that the choice depends on neither the order of
/// the images nor a random generator's version.
pub fn hold_out(groups: &[String], share: f64, seed: u64) -> Result<HashSet<String>> {
    let distinct: BTreeSet<&str> = groups.iter().map(String::as_str).collect();
    ensure!(
        distinct.len() >= 2,
        "the images form {}: expected at least 2, one for each side",
        count(distinct.len(), "group"),
    );
    let number = nearest_whole(share * distinct.len() as f64).clamp(1, distinct.len() - 1);
    let mut ranked: Vec<&str> = distinct.into_iter().collect();
    ranked.sort_by_cached_key(|group| {
        let digest: [u8; 32] = Sha256::digest(format!("{seed}:{group}")).into();
        digest
    });
    Ok(ranked.into_iter().take(number).map(str::to_owned).collect())
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of a count is not negative and not above the count"
)]
fn nearest_whole(number: f64) -> usize {
    number.round() as usize
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn csv(content: &str) -> (tempfile::TempDir, CsvColumn) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("items.csv");
        fs::write(&file, content).unwrap();
        (folder, CsvColumn { file, column: "item".into() })
    }

    #[test]
    fn a_regex_gives_its_first_parentheses_or_the_whole_match() {
        let images = ["ok/kos01/Part0.jpg", "ok/kos02/Part1.jpg"];
        let group = |regex: &str| Rule::Regex(&Regex::new(regex).unwrap()).assign(&images).unwrap();
        assert_eq!(group(r"(kos\d+)/"), ["kos01", "kos02"]);
        assert_eq!(group(r"kos\d+/"), ["kos01/", "kos02/"]);
    }

    #[test]
    fn images_without_a_group_are_named() {
        let images = ["a1", "b", "c", "d", "e", "f", "g"];
        let error = Rule::Regex(&Regex::new(r"\d").unwrap()).assign(&images).unwrap_err();
        let message = error.to_string();
        assert!(message.starts_with("6 of 7 images have no group"), "{message}");
        assert!(message.ends_with("b, c, d, e, f, …"), "{message}");
    }

    #[test]
    fn a_csv_names_groups_by_image() {
        let (_folder, column) = csv("image,label,item\nok/1.png,ok,7\n.\\ok\\2.png,ok,8\n");
        let groups = Rule::Csv(&column).assign(&["ok/1.png", "ok/2.png"]).unwrap();
        assert_eq!(groups, ["7", "8"]);
    }

    #[test]
    fn a_csv_that_does_not_fit_is_explained() {
        for (content, expected) in [
            ("file,item\n", "first column"),
            ("image;item\na;1\n", "separated by semicolons"),
            ("image,part\n", "no column `item`; it has image, part"),
            ("image,item\na,1\na,2\n", "groups `1` and `2`"),
            ("image,item\na\n", "cannot read"),
            ("image,item\na,\n", "have no group"),
            ("", "first column"),
        ] {
            let (_folder, column) = csv(content);
            let error = Rule::Csv(&column).assign(&["a"]).unwrap_err();
            assert!(format!("{error:#}").contains(expected), "{content:?}: {error:#}");
        }
    }

    #[test]
    fn a_share_of_the_groups_is_held_out_whatever_the_order() {
        let groups: Vec<String> = (0..50).map(|group| format!("{}", group % 10)).collect();
        let chosen = hold_out(&groups, 0.2, 0).unwrap();
        assert_eq!(chosen.len(), 2);
        let reversed: Vec<String> = groups.iter().rev().cloned().collect();
        assert_eq!(hold_out(&reversed, 0.2, 0).unwrap(), chosen);
        assert!((1..20).any(|seed| hold_out(&groups, 0.2, seed).unwrap() != chosen));
    }

    #[test]
    fn both_sides_get_at_least_one_group() {
        let groups = ["a".to_owned(), "b".to_owned()];
        assert_eq!(hold_out(&groups, 0.001, 0).unwrap().len(), 1);
        assert_eq!(hold_out(&groups, 0.999, 0).unwrap().len(), 1);
        assert!(hold_out(&groups[..1], 0.5, 0).is_err());
    }

    #[test]
    fn a_column_is_what_follows_the_last_colon() {
        let column: CsvColumn = "C:/a.csv:item".parse().unwrap();
        assert_eq!((column.file.to_str(), column.column.as_str()), (Some("C:/a.csv"), "item"));
        assert!("a.csv".parse::<CsvColumn>().is_err());
        assert!("a.csv:".parse::<CsvColumn>().is_err());
    }
}

//! `drift-index remove`: images less in the reference.

use std::collections::{BTreeSet, HashSet};
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::Args;
use regex::Regex;
use sdd_index::{Filter, Record, RowEdit};

use crate::answer::{Answer, count};
use crate::interrupt::Interrupt;
use crate::remarks::Remarks;
use crate::revision::{Base, ChangeArguments, JSON_HELP, change};
use crate::text_file;

/// Remove images from the reference of a store
///
/// The other rows stay as they are, to the bit, and the held-out images are scored anew. At least one image has to
/// be left. --dry-run says how many it would be.
#[derive(Debug, Args)]
#[command(after_long_help = format!("JSON (--json): {JSON_HELP}\n
Examples:
  drift-index remove reference --id good/0815.png --note 'was a defect'
  drift-index remove reference --glob 'line-3/**' --dry-run"))]
pub struct Arguments {
    /// The store
    store: PathBuf,

    #[command(flatten)]
    which: Which,

    /// Go on without a calibration where the store does not keep its held-out images
    #[arg(long)]
    drop_calibration: bool,

    #[command(flatten)]
    change: ChangeArguments,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
struct Which {
    /// The image with this id; may be given several times
    #[arg(long = "id", value_name = "ID")]
    id: Vec<String>,

    /// The images with these ids, one a line
    #[arg(long, value_name = "FILE")]
    ids: Option<PathBuf>,

    /// All images of this class
    #[arg(long, value_name = "CLASS")]
    label: Option<String>,

    /// All images whose id matches: ? is one character and * any number, but /; ** is any number of any
    #[arg(long, value_name = "PATTERN", value_parser = glob)]
    glob: Option<Regex>,
}

pub fn run(arguments: &Arguments) -> Result<Answer> {
    let dir = &arguments.store;
    let interrupt = Interrupt::listen()?;
    let base = Base::open(dir)?;
    let records = base.store.records(Filter::All);
    let removed = arguments.which.ids(&records)?;
    ensure!(
        removed.len() < records.len(),
        "that would be all {}, and a reference has one at least",
        count(records.len(), "image")
    );
    let mut change = change("remove", &base.store);
    change.removed = removed.len();
    let store = RowEdit::new(&base.store).remove(removed).apply()?;
    let remarks = Remarks::default();
    let drop_calibration = arguments.drop_calibration;
    let revision =
        base.revised(change, store, base.held_out(), drop_calibration, remarks, &interrupt)?;
    revision.finish(dir, &base, &arguments.change, &interrupt)
}

impl Which {
    /// The ids of the images that are meant, each of which the store has.
    fn ids(&self, records: &[Record]) -> Result<BTreeSet<String>> {
        let mut named: Vec<String> = self.id.clone();
        if let Some(file) = &self.ids {
            named.extend(text_file::lines(file)?);
        }
        let known: HashSet<&str> = records.iter().map(|record| record.id.as_str()).collect();
        let unknown = named.iter().find(|id| !known.contains(id.as_str()));
        ensure!(
            unknown.is_none(),
            "no image of the store is called {}",
            unknown.map_or("", |id| id)
        );
        let mut ids: BTreeSet<String> = named.into_iter().collect();
        for (what, matches) in [
            ("class", self.label.as_ref().map(|label| of_class(records, label))),
            ("pattern", self.glob.as_ref().map(|glob| matching(records, glob))),
        ] {
            let Some(found) = matches else { continue };
            ensure!(!found.is_empty(), "no image of the store is of that {what}");
            ids.extend(found);
        }
        ensure!(!ids.is_empty(), "no images are named");
        Ok(ids)
    }
}

fn of_class(records: &[Record], label: &str) -> Vec<String> {
    let of_class = records.iter().filter(|record| record.label.as_deref() == Some(label));
    of_class.map(|record| record.id.clone()).collect()
}

fn matching(records: &[Record], glob: &Regex) -> Vec<String> {
    records.iter().filter(|r| glob.is_match(&r.id)).map(|r| r.id.clone()).collect()
}

fn glob(pattern: &str) -> Result<Regex> {
    let mut expression = String::from("^");
    let mut rest = pattern.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            '*' if rest.next_if_eq(&'*').is_some() => expression.push_str(".*"),
            '*' => expression.push_str("[^/]*"),
            '?' => expression.push_str("[^/]"),
            other => expression.push_str(&regex::escape(other.encode_utf8(&mut [0; 4]))),
        }
    }
    expression.push('$');
    Regex::new(&expression).context("the pattern is too long")
}

#[cfg(test)]
mod tests {
    use super::glob;

    #[test]
    fn stars_stop_at_slashes_and_double_stars_do_not() {
        let matches = |pattern: &str, id: &str| glob(pattern).unwrap().is_match(id);
        assert!(matches("good/*.png", "good/1.png") && !matches("good/*.png", "good/a/1.png"));
        assert!(matches("good/**", "good/a/1.png") && !matches("good/**", "bad/good/1.png"));
        assert!(
            matches("?.png", "1.png") && !matches("?.png", "12.png") && !matches("?.png", "1xpng")
        );
        assert!(matches("a[1](b)+", "a[1](b)+") && !matches("a", "ab"));
    }
}

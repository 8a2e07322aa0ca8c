//! Images less in the reference.

use std::collections::{BTreeSet, HashSet};
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::Args;
use regex::Regex;
use sdd_index::{Filter, Record, RowEdit};

use super::next::Next;
use crate::answer::count;
use crate::text_file;

/// Which images are removed.
#[derive(Debug, Args)]
#[command(next_help_heading = "Remove images")]
pub struct RemoveArguments {
    /// The image with this id, or those that match: ? is one character and * any number, but /; ** is any
    /// number of any; may be given again
    #[arg(long, value_name = "ID|PATTERN")]
    remove: Vec<String>,

    /// The images with these ids, one a line
    #[arg(long, value_name = "FILE")]
    remove_ids: Option<PathBuf>,

    /// All images of this class; may be given again
    #[arg(long, value_name = "CLASS")]
    remove_class: Vec<String>,
}

impl Next {
    /// Removes these images.
    pub fn remove(&mut self, arguments: &RemoveArguments) -> Result<()> {
        let records = self.store.records(Filter::All);
        let removed = arguments.ids(&records)?;
        if removed.is_empty() {
            return Ok(());
        }
        ensure!(
            removed.len() < records.len(),
            "that would be all {}, and a reference has one at least",
            count(records.len(), "image")
        );
        self.change.removed = removed.len();
        self.store = RowEdit::new(&self.store).remove(removed).apply()?;
        Ok(())
    }
}

impl RemoveArguments {
    /// The names of the flags, for clap.
    pub const IDS: [&str; 3] = ["remove", "remove_ids", "remove_class"];

    /// The ids of the images that are meant, each of which the store has.
    fn ids(&self, records: &[Record]) -> Result<BTreeSet<String>> {
        let known: HashSet<&str> = records.iter().map(|record| record.id.as_str()).collect();
        let mut ids = BTreeSet::new();
        if let Some(file) = &self.remove_ids {
            for id in text_file::lines(file)? {
                ensure!(known.contains(id.as_str()), "no image of the store is called {id}");
                ids.insert(id);
            }
            ensure!(!ids.is_empty(), "{} names no images", file.display());
        }
        for pattern in &self.remove {
            // An image may be called so itself.
            if known.contains(pattern.as_str()) {
                ids.insert(pattern.clone());
                continue;
            }
            let glob = glob(pattern)?;
            let found = ids_of(records, |record| glob.is_match(&record.id));
            let missing = if pattern.contains(['*', '?']) { "matches" } else { "is called" };
            ensure!(!found.is_empty(), "no image of the store {missing} {pattern}");
            ids.extend(found);
        }
        for class in &self.remove_class {
            let found = ids_of(records, |record| record.label.as_deref() == Some(class));
            ensure!(!found.is_empty(), "no image of the store is of class {class}");
            ids.extend(found);
        }
        Ok(ids)
    }
}

fn ids_of(records: &[Record], is_meant: impl Fn(&Record) -> bool) -> Vec<String> {
    records.iter().filter(|record| is_meant(record)).map(|record| record.id.clone()).collect()
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
    use super::*;

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

    #[test]
    fn an_image_that_is_called_like_a_pattern_is_meant_alone() {
        let records = ["a*", "ab", "c"].map(|id| Record { id: id.into(), label: None });
        let ids = |remove: &[&str]| {
            let remove = remove.iter().map(|&id| id.to_owned()).collect();
            let which = RemoveArguments { remove, remove_ids: None, remove_class: Vec::new() };
            which.ids(&records).map(|ids| ids.into_iter().collect::<Vec<_>>())
        };
        assert_eq!(ids(&["a*"]).unwrap(), ["a*"]);
        assert_eq!(ids(&["a?", "c"]).unwrap(), ["a*", "ab", "c"]);
        assert!(ids(&["d"]).is_err() && ids(&["d*"]).is_err());
    }
}

//! A store on a command line, and what is kept of it beside a new generation.

use std::convert::Infallible;
use std::fmt;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, Result, ensure};
use clap::Args;
use sdd_drift::Reference;
use sdd_index::{Change, FileStore, Manifest, Replaces, WriteOptions};

/// A store, or a generation of it, written `STORE@N`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreArgument {
    pub path: PathBuf,
    pub generation: Option<u64>,
}

impl FromStr for StoreArgument {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // A folder may be called so itself.
        let is_folder = Path::new(text).is_dir();
        let generation = text.rsplit_once('@').filter(|(path, _)| !is_folder && !path.is_empty());
        let generation = generation.and_then(|(path, number)| Some((path, number.parse().ok()?)));
        Ok(match generation {
            Some((path, generation)) => Self { path: path.into(), generation: Some(generation) },
            None => Self { path: text.into(), generation: None },
        })
    }
}

impl fmt::Display for StoreArgument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.generation {
            Some(generation) => write!(f, "{}@{generation}", self.path.display()),
            None => self.path.display().fmt(f),
        }
    }
}

impl StoreArgument {
    pub fn open(&self) -> Result<FileStore> {
        match self.generation {
            Some(generation) => FileStore::open_generation(&self.path, generation),
            None => FileStore::open(&self.path),
        }
        .with_context(|| format!("cannot open {self}"))
    }

    /// With its score and its calibration.
    pub fn open_reference(&self) -> Result<Reference> {
        Reference::from_store(self.open()?).with_context(|| format!("cannot open {self}"))
    }

    /// The folder, where no generation is named: `what` is of the whole store.
    pub fn whole(&self, what: &str) -> Result<&Path> {
        ensure!(
            self.generation.is_none(),
            "{what} is of the whole store: name {} without a generation",
            self.path.display()
        );
        Ok(&self.path)
    }
}

/// What is kept beside a new generation.
#[derive(Debug, Args)]
#[command(next_help_heading = "Generations")]
pub struct KeepArguments {
    /// Why, for `show --history`
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,

    /// How many generations the store has afterwards at most
    #[arg(long, default_value = "10", value_name = "N")]
    keep_generations: NonZeroUsize,
}

/// How a store is changed.
#[derive(Debug, Args)]
#[command(next_help_heading = "Generations")]
pub struct ChangeArguments {
    /// Say what would be done, and write nothing
    #[arg(long)]
    pub dry_run: bool,

    #[command(flatten)]
    pub keeping: KeepArguments,
}

impl KeepArguments {
    /// Writes the generation that comes about by this change.
    pub fn save(
        &self,
        store: &FileStore,
        dir: &Path,
        replaces: Replaces<'_>,
        change: &Change,
    ) -> Result<Manifest> {
        let change = Some(Change { note: self.note.clone(), ..change.clone() });
        let options = WriteOptions { replaces, keep_generations: self.keep_generations, change };
        store
            .save(dir, &options)
            .with_context(|| format!("cannot write the store {}", dir.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::StoreArgument;

    #[test]
    fn a_generation_follows_an_at_sign() {
        let parse = |text: &str| {
            let StoreArgument { path, generation } = text.parse().unwrap();
            (path.display().to_string(), generation)
        };
        assert_eq!(parse("a/b@7"), ("a/b".into(), Some(7)));
        assert_eq!(parse("a@1/b@2"), ("a@1/b".into(), Some(2)));
        for text in ["a/b", "a@b", "@7", "a@-1", "a@"] {
            assert_eq!(parse(text), (text.into(), None));
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a@7");
        std::fs::create_dir(&path).unwrap();
        assert_eq!(parse(path.to_str().unwrap()).1, None);
    }
}

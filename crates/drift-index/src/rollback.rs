//! `drift-index rollback`: an earlier generation's content as the next generation.

use anyhow::{Context, Result, ensure};
use clap::Args;
use sdd_index::{FileStore, Generation, Replaces};

use crate::answer::Answer;
use crate::help;
use crate::remarks::Remarks;
use crate::revision::{Base, JSON_HELP, Revised, change};
use crate::store_argument::{ChangeArguments, StoreArgument};

const BEFORE_HELP: &str = "\
Examples:
  drift-index rollback store
  drift-index rollback store@3 --note 'the lamps were mended'

It becomes a new generation, so that this can be undone, too. No file is copied. It also
mends a store whose manifest.json, or another file of whose current generation, is lost
or damaged.";

/// Bring the content of an earlier generation back
#[derive(Debug, Args)]
#[command(help_template = help::TEMPLATE, before_help = BEFORE_HELP, after_help = format!("JSON (--json): {JSON_HELP}"))]
pub struct Arguments {
    /// The store, at the generation to bring back [default: the one before]
    #[arg(value_name = "STORE[@N]")]
    store: StoreArgument,

    #[command(flatten)]
    change: ChangeArguments,
}

pub fn run(arguments: &Arguments) -> Result<Answer> {
    let dir = &arguments.store.path;
    // Not opened: it may be damaged, and that may be why.
    let history = FileStore::history(dir)?;
    let generation = match arguments.store.generation {
        Some(generation) => generation,
        None => one_before(&history)
            .with_context(|| format!("{} keeps no earlier generation", dir.display()))?,
    };
    let current = history.into_iter().find(|kept| kept.is_current).map(|kept| kept.manifest);
    let replaces = match &current {
        Some(current) => {
            ensure!(
                current.generation != generation,
                "{} is at generation {generation} already",
                dir.display()
            );
            Replaces::Generation(current)
        }
        None => Replaces::LostManifest,
    };
    let old = FileStore::open_generation(dir, generation)
        .map_err(anyhow::Error::from)
        .and_then(Base::of_store)
        .with_context(|| format!("generation {generation} cannot be brought back"))?;
    let change = change("rollback", &old.store);
    let written = arguments.change.save(&old.store, dir, replaces, &change)?;
    let (score, calibration) = (old.score, old.calibration.as_ref());
    Revised::new(dir, &old.store, score, calibration, change, written.as_ref(), Remarks::default())
        .answer()
}

/// The latest generation but the current one; the latest of all where nothing says which that is.
fn one_before(history: &[Generation]) -> Option<u64> {
    let earlier = history.iter().filter(|kept| !kept.is_current);
    earlier.map(|kept| kept.manifest.generation).max()
}

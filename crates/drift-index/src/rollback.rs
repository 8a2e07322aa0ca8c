//! `drift-index rollback`: an earlier generation's content as the next generation.

use anyhow::{Context, Result, ensure};
use clap::Args;
use sdd_index::{Change, FileStore, Generation, Replaces};

use crate::answer::Answer;
use crate::calibration::Scored;
use crate::help;
use crate::remarks::Remarks;
use crate::revision::{Base, JSON_HELP, save};
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
    ensure!(
        current.as_ref().is_none_or(|current| current.generation != generation),
        "{} is at generation {generation} already",
        dir.display()
    );
    let replaces = current.as_ref().map_or(Replaces::LostManifest, Replaces::Generation);
    let name = StoreArgument { path: dir.clone(), generation: Some(generation) };
    let Base { store, score, calibration, .. } = Base::open(&name)
        .with_context(|| format!("generation {generation} cannot be brought back"))?;
    let change = Change::new("rollback", Some(store.manifest().generation));
    let old = Scored { store, score, calibration };
    save(&old, dir, replaces, change, &arguments.change, Remarks::default())
}

/// The latest generation but the current one; the latest of all where nothing says which that is.
fn one_before(history: &[Generation]) -> Option<u64> {
    let earlier = history.iter().filter(|kept| !kept.is_current);
    earlier.map(|kept| kept.manifest.generation).max()
}

//! `drift-index rollback`: an earlier generation's content as the next generation.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::Args;
use sdd_index::{FileStore, Replaces};

use crate::answer::Answer;
use crate::remarks::Remarks;
use crate::revision::{Base, ChangeArguments, JSON_HELP, Revised, change};

/// Bring the content of an earlier generation back
///
/// It becomes a new generation, so that the way back is in the history, too, and can be gone back on. No file is
/// copied. This also mends a store whose manifest.json, or a file of whose current generation, is lost or damaged.
#[derive(Debug, Args)]
#[command(after_long_help = format!("JSON (--json): {JSON_HELP}"))]
pub struct Arguments {
    /// The store
    store: PathBuf,

    /// Which one, as `history` numbers them
    generation: u64,

    #[command(flatten)]
    change: ChangeArguments,
}

pub fn run(arguments: &Arguments) -> Result<Answer> {
    let (dir, generation) = (&arguments.store, arguments.generation);
    // Not opened: it may be damaged, and that may be why.
    let history = FileStore::history(dir)?;
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

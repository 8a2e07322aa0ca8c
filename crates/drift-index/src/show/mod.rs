//! `drift-index show`: what is in a store.

mod diff;
mod history;
mod verify;

use anyhow::Result;
use clap::Args;

use crate::answer::Answer;
use crate::describe::StoreInfo;
use crate::exit::ExitStatus;
use crate::help;
use crate::store_argument::StoreArgument;

const BEFORE_HELP: &str = "\
Examples:
  drift-index show store
  drift-index show store --history
  drift-index show store@3 --verify
  drift-index show store@3 --diff store

--history lists the generations that it keeps. --verify reads all of it: files,
checksums, every row, score and calibration. --diff compares it with another store, or
another generation; when and how they were written does not count.";

const AFTER_HELP: &str = "\
JSON (--json): status, store, images, dimension, normalization, generation, created_at,
labels [{label, count}], model {name, version, sha256} or null, score {method, k},
calibration or null {images, groups, group_by, smallest_p_value, alpha, p_value {kind,
delta}, within, threshold (null where each predicted class has its own, and with too few
groups), classes [{class, images, groups, threshold (null where it has too few)}], source}.

--history: status, store, generations [{generation, current, created_at, command, from,
added, removed, replaced, note, images, calibration, checksum, problem}], oldest first.
`problem` says why a generation cannot be brought back, else null.

--verify: as without, and bytes, min_norm, max_norm, zero_rows, on_both_sides (held-out
images that are in the reference, too), earlier_generations (the sound ones),
damaged_generations [{generation, problem}].

--diff: status (ok, different), a, b, properties [{property, a, b}], only_in_a, only_in_b,
changed_label [{id, a, b}], changed_embedding, classes [{label, a, b}].";

/// Say what is in a store
#[derive(Debug, Args)]
#[command(help_template = help::TEMPLATE, before_help = BEFORE_HELP, after_help = AFTER_HELP)]
pub struct Arguments {
    /// The store, or a generation of it
    #[arg(value_name = "STORE[@N]")]
    store: StoreArgument,

    #[command(flatten)]
    what: What,
}

/// What is shown in place of a summary.
#[derive(Debug, Args)]
#[group(multiple = false)]
struct What {
    /// The generations that the store keeps
    #[arg(long)]
    history: bool,

    /// Whether all of it is sound; with @N that generation alone
    #[arg(long)]
    verify: bool,

    /// What differs from another one (exit code 1 if anything does)
    #[arg(long, value_name = "STORE[@N]")]
    diff: Option<StoreArgument>,
}

pub fn run(arguments: &Arguments) -> Result<Answer> {
    let Arguments { store, what } = arguments;
    match what {
        What { history: true, .. } => history::answer(store.whole("the history")?),
        What { verify: true, .. } => verify::answer(store),
        What { diff: Some(other), .. } => diff::answer(store, other),
        What { diff: None, .. } => {
            let info = StoreInfo::of_reference(&store.path, &store.open_reference()?);
            Answer::new(ExitStatus::Success, &info)
        }
    }
}

//! `drift-index update`: one new generation of a store, whatever changes.

mod add;
mod made;
mod merge;
mod remove;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use clap::{ArgGroup, Args};
use sdd_drift::{Reference, Score};
use sdd_index::{Change, FileStore};

use self::add::AddArguments;
use self::made::Made;
use self::merge::{HeldOutSide, merge};
use self::remove::RemoveArguments;
use crate::answer::Answer;
use crate::calibration::Calibrating;
use crate::groups::{GroupArguments, Groups};
use crate::held_out::HeldOut;
use crate::help;
use crate::images::read::{Beside, read};
use crate::images::source::Source;
use crate::interrupt::Interrupt;
use crate::model::{Model, ModelArguments};
use crate::remarks::{Part, Remarks};
use crate::revision::{Base, Calibrate, JSON_HELP, change};
use crate::rule_arguments::RuleArguments;
use crate::sides::Sides;
use crate::store_argument::{ChangeArguments, StoreArgument};

const BEFORE_HELP: &str = "\
Examples:
  drift-index update store --add labeled/ --note 'darker lamps'
  drift-index update store --add labeled/ --calibrate held_out/
  drift-index update store --remove 'line-3/**' --dry-run
  drift-index update store --merge other@2
  drift-index update store --alpha 0.01

  drift-index update store --group-csv parts.csv:part

Several changes in one call are made in the order remove, merge, add, calibrate, and
nothing in between is ever served. Rows that stay are the same to the bit, and the
images that calibrate are scored anew against all of them. A store whose own images
calibrate, part by part, stays one; new images get their parts as it remembers, or as told
again. An image that the store has
already is left out, and one that is held out is refused: it cannot be on both sides.
Held-out images must be like production as it is now, and in neither the reference nor
the training.";

/// Change a store: one new generation of it
#[derive(Debug, Args)]
#[command(
    help_template = help::TEMPLATE,
    before_help = BEFORE_HELP,
    after_help = format!("JSON (--json): {JSON_HELP}"),
    override_usage = "drift-index update [OPTIONS] STORE",
    group = ArgGroup::new("changes").required(true).multiple(true)
        .args(RemoveArguments::IDS).args(["merge", "add", "calibrate"]).args(RuleArguments::IDS)
        .args(GroupArguments::IDS),
)]
pub struct Arguments {
    /// The store
    #[arg(value_name = "STORE")]
    store: StoreArgument,

    /// Put added or merged images in the place of those with the same id
    #[arg(long)]
    replace: bool,

    /// Go on without a calibration where the store does not keep its held-out images
    #[arg(long)]
    drop_calibration: bool,

    #[command(flatten)]
    remove: RemoveArguments,

    /// Another store, which stays as it is; may be given again
    #[arg(long, value_name = "STORE[@N]", help_heading = "Merge stores")]
    merge: Vec<StoreArgument>,

    #[command(flatten)]
    add: AddArguments,

    /// Hold out other images, or without IMAGES score those of the store anew
    #[arg(
        long,
        value_name = "IMAGES",
        num_args = 0..=1,
        help_heading = "Calibrate"
    )]
    calibrate: Option<Vec<PathBuf>>,

    /// Classes of a held-out matrix, as the model predicts them
    #[arg(long, value_name = "FILE", requires = "calibrate", help_heading = "Calibrate")]
    calibrate_classes: Option<PathBuf>,

    /// Keep the held-out images that the store has beside these
    #[arg(long, requires = "calibrate", help_heading = "Calibrate")]
    extend: bool,

    #[command(flatten)]
    groups: GroupArguments,

    #[command(flatten)]
    rule: RuleArguments,

    #[command(flatten)]
    model: ModelArguments,

    #[command(flatten)]
    change: ChangeArguments,
}

pub fn run(arguments: &Arguments) -> Result<Answer> {
    let dir = arguments.store.whole("an update")?;
    let interrupt = Interrupt::listen()?;
    let base = Base::open(dir)?;
    // None where the flag was given alone.
    let images = arguments.calibrate.clone().unwrap_or_default();
    ensure!(!arguments.extend || !images.is_empty(), "--extend takes --calibrate IMAGES");
    let groups = Groups::new(arguments.groups.rule()?, base.calibration.as_ref())?;
    let leaves_out = images.is_empty()
        && (base.left_out().is_some() || (base.calibration.is_none() && groups.are_told()));
    ensure!(
        !arguments.extend || base.left_out().is_none(),
        "--extend keeps held-out images, and {} has none: its own images calibrate",
        arguments.store
    );
    let calibrate = arguments.calibrate_as(&base, &groups)?;
    let mut made = Made::default();
    if let Some(calibration) = base.left_out() {
        made.known.add_known(calibration, |_| true);
    }

    // Which model it must be is a matter of the store as it was found.
    let found = Arc::new(FileStore::open_generation(dir, base.store.manifest().generation)?);
    let reference = Reference::uncalibrated(Arc::clone(&found), Score::default())?;
    let mut model = Model::of(&reference, &arguments.model);

    let mut changed: Option<FileStore> = None;
    if arguments.remove.is_given() {
        let (store, removed) = arguments.remove.apply(&base.store)?;
        made.removed = removed;
        changed = Some(store);
    }
    let mut held_out = if images.is_empty() || arguments.extend {
        HeldOutSide::Kept { held_out: base.held_out(), calibrated: base.calibration.is_some() }
    } else {
        HeldOutSide::Replaced
    };
    for other in &arguments.merge {
        let store = changed.as_ref().unwrap_or(&base.store);
        let merged = merge(store, other, arguments.replace, held_out, &mut made)?;
        (changed, held_out) = (Some(merged.0), merged.1);
    }
    let kept = match held_out {
        HeldOutSide::Kept { held_out, .. } => held_out,
        HeldOutSide::Replaced => None,
    };
    if !arguments.add.add.is_empty() {
        let store = changed.as_ref().unwrap_or(&base.store);
        let tools = (&mut model, &interrupt);
        let (replace, kept) = (arguments.replace, kept.as_ref());
        changed = Some(arguments.add.apply(store, replace, kept, tools, &mut made)?);
    }
    let Made { added, removed, replaced, known, mut remarks } = made;
    let change = Change { added, removed, replaced, ..change("update", &base.store) };
    let store = changed.as_ref().unwrap_or(&base.store);
    let calibrating = if leaves_out {
        Some(Calibrating::LeftOut(known, groups))
    } else {
        let held_out = if calibrate.is_anew() {
            let named =
                arguments.read_held_out(&images, store, &mut model, &mut remarks, &interrupt)?;
            Some(settle(store, named, kept, &arguments.store, &mut remarks)?)
        } else {
            kept
        };
        let held_out = held_out.map(|held_out| held_out.in_groups(&groups)).transpose()?;
        held_out.map(Calibrating::HeldOut)
    };
    drop(reference);
    // The index of a store whose rows stay is not copied.
    let store = changed.map_or(found, Arc::new);
    let revision = base.revised(change, store, calibrating, &calibrate, remarks, &interrupt)?;
    revision.finish(dir, &base, &arguments.change, &interrupt)
}

/// The held-out images as they are to be: on this side only, and there once.
fn settle(
    store: &FileStore,
    named: Option<HeldOut>,
    kept: Option<HeldOut>,
    name: &StoreArgument,
    remarks: &mut Remarks,
) -> Result<HeldOut> {
    let mut sides = Sides::of_store(store);
    let kept = kept.map(|kept| sides.hold_out(kept, remarks));
    let named = named.map(|named| sides.hold_out(named, remarks));
    match (kept, named) {
        (Some(kept), Some(named)) => kept.followed_by(named),
        (kept, named) => named.or(kept).with_context(|| {
            format!("{name} keeps no held-out images: name some with --calibrate")
        }),
    }
}

impl Arguments {
    /// By which score and rule the images that calibrate are scored.
    fn calibrate_as(&self, base: &Base, groups: &Groups) -> Result<Calibrate> {
        if self.calibrate.is_none() && !self.rule.is_given() && !groups.are_told() {
            return Ok(Calibrate::AsBefore { or_drop: self.drop_calibration });
        }
        let before = base.calibration.as_ref().map(sdd_drift::Calibration::rule);
        Ok(Calibrate::Anew { score: self.rule.score(base.score)?, rule: self.rule.rule(before)? })
    }

    fn read_held_out(
        &self,
        images: &[PathBuf],
        store: &FileStore,
        model: &mut Model<'_>,
        remarks: &mut Remarks,
        interrupt: &Interrupt,
    ) -> Result<Option<HeldOut>> {
        if images.is_empty() {
            return Ok(None);
        }
        let classes = self.calibrate_classes.as_deref();
        let source = Source::find(images, classes)?;
        let beside = Beside { classes, ids: None };
        let part = Some(Part::Calibration);
        let embedded = read(source, beside, part, model, remarks, interrupt)?;
        let (columns, dimension) = (embedded.embeddings.ncols(), store.dimension());
        ensure!(
            columns == dimension,
            "the held-out embeddings have {columns} columns, and the reference has {dimension}"
        );
        Ok(Some(HeldOut::named(embedded)))
    }
}

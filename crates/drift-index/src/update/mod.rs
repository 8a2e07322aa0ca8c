//! `drift-index update`: one new generation of a store, whatever changes.

mod add;
mod merge;
mod next;
mod remove;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use clap::{ArgGroup, Args};
use sdd_drift::Calibration;
use sdd_index::{Change, FileStore, Replaces};

use self::add::AddArguments;
use self::next::Next;
use self::remove::RemoveArguments;
use crate::answer::Answer;
use crate::calibration::{Calibrating, LeftOut, check_groups, scored};
use crate::groups::{GroupArguments, Groups};
use crate::held_out::HeldOut;
use crate::images::source::Source;
use crate::model::{Model, ModelArguments};
use crate::remarks::Remarks;
use crate::revision::{Base, JSON_HELP, save};
use crate::rule_arguments::RuleArguments;
use crate::sides::Sides;
use crate::store_argument::{ChangeArguments, StoreArgument};
use crate::{help, interrupt};

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
again. An image that the store has already is left out, and one that is held out is
refused: it cannot be on both sides. Held-out images must be like production as it is
now, and in neither the reference nor the training.";

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
    interrupt::listen()?;
    let base = Base::open(&arguments.store)?;
    let manifest = base.store.manifest().clone();
    let groups = Groups::new(arguments.groups.rule()?, base.calibration.as_ref())?;
    let images = arguments.calibrate.as_deref().unwrap_or_default();
    let has_left_out = base.left_out().is_some();
    ensure!(!arguments.extend || !images.is_empty(), "--extend takes --calibrate IMAGES");
    ensure!(
        !arguments.extend || !has_left_out,
        "--extend keeps held-out images, and {} has none: its own images calibrate",
        arguments.store
    );
    let is_calibrated = base.calibration.is_some();
    let leaves_out = images.is_empty() && (has_left_out || (!is_calibrated && groups.are_told()));
    let score = arguments.rule.score(base.score)?;
    let rule = arguments.rule.rule(base.calibration.as_ref().map(Calibration::rule))?;
    check_groups(&groups, leaves_out, score, &rule)?;
    let keeps_held_out = images.is_empty() || arguments.extend;
    let mut next = Next {
        held_out: base.held_out().filter(|_| keeps_held_out),
        keeps_held_out,
        is_calibrated,
        known: LeftOut::of_store(base.left_out()),
        change: Change::new("update", Some(manifest.generation)),
        remarks: Remarks::default(),
        store: base.store,
    };
    let mut model = Model::of(&manifest, &arguments.model);
    next.remove(&arguments.remove)?;
    for other in &arguments.merge {
        next.merge(other, arguments.replace)?;
    }
    next.add(&arguments.add, arguments.replace, &mut model)?;

    let is_anew = arguments.calibrate.is_some() || arguments.rule.is_given() || groups.are_told();
    let Next { store, held_out, known, change, mut remarks, .. } = next;
    let calibrating = if leaves_out {
        Some(Calibrating::LeftOut(known, groups))
    } else {
        let held_out = if is_anew {
            Some(arguments.hold_out(&store, held_out, &mut model, &mut remarks)?)
        } else {
            held_out
        };
        let held_out = held_out.map(|held_out| held_out.in_groups(&groups)).transpose()?;
        held_out.map(Calibrating::HeldOut)
    };
    ensure!(
        calibrating.is_some() || !is_calibrated,
        "the store keeps the scores of its held-out images and not their embeddings, so that they cannot be scored \
         against the changed reference: hold out other images (--calibrate IMAGES)",
    );
    let calibrating = calibrating.map(|calibrating| (calibrating, rule));
    let scored = scored(Arc::new(store), score, calibrating, &mut remarks)?;
    save(&scored, dir, Replaces::Generation(&manifest), change, &arguments.change, remarks)
}

impl Arguments {
    /// The held-out images as they are to be: on this side only, and there once.
    fn hold_out(
        &self,
        store: &FileStore,
        kept: Option<HeldOut>,
        model: &mut Model<'_>,
        remarks: &mut Remarks,
    ) -> Result<HeldOut> {
        let mut sides = Sides::of_store(store);
        let kept = kept.map(|kept| sides.hold_out(kept, remarks));
        let images = self.calibrate.as_deref().unwrap_or_default();
        if images.is_empty() {
            return kept.with_context(|| {
                format!("{} keeps no held-out images: name some with --calibrate", self.store)
            });
        }
        let source = Source::find(images, self.calibrate_classes.as_deref(), None)?;
        let named = HeldOut::read(source, None, store.dimension(), model, remarks)?;
        let named = sides.hold_out(named, remarks);
        match kept {
            Some(kept) => kept.followed_by(named),
            None => Ok(named),
        }
    }
}

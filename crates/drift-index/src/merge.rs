//! `drift-index merge`: the images of other stores, too.

use std::collections::HashSet;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use sdd_drift::Error;
use sdd_index::{FileStore, Filter, ModelIdentity, ReferenceStore, RowEdit};

use crate::answer::Answer;
use crate::held_out::HeldOut;
use crate::interrupt::Interrupt;
use crate::remarks::Remarks;
use crate::revision::{Base, ChangeArguments, JSON_HELP, StoreArgument, change};
use crate::sides::Sides;

/// Add the images of other stores to a store
///
/// All must be of the same model and normalize alike; the score stays that of STORE. An image that STORE has already
/// is left out; an id that another image has is an error, or replaces it with --replace. The held-out images of
/// all are scored anew; one that is in the reference of another store is an error.
#[derive(Debug, Args)]
#[command(after_long_help = format!("JSON (--json): {JSON_HELP}"))]
pub struct Arguments {
    /// The store to change
    store: PathBuf,

    /// The others, which stay as they are; also STORE@GENERATION
    #[arg(required = true, value_name = "OTHER")]
    others: Vec<StoreArgument>,

    /// Replace images that have the same id
    #[arg(long)]
    replace: bool,

    /// Go on without a calibration where a store does not keep its held-out images
    #[arg(long)]
    drop_calibration: bool,

    #[command(flatten)]
    change: ChangeArguments,
}

pub fn run(arguments: &Arguments) -> Result<Answer> {
    let dir = &arguments.store;
    let interrupt = Interrupt::listen()?;
    let base = Base::open(dir)?;
    let others = arguments.others.iter().map(|other| {
        let opened = Base::of_store(other.open()?);
        let opened = opened.with_context(|| format!("cannot open {other}"))?;
        check_model(&base.store, &opened.store).with_context(|| format!("cannot merge {other}"))?;
        Ok(opened)
    });
    let others = others.collect::<Result<Vec<Base>>>()?;

    let mut remarks = Remarks::default();
    let mut change = change("merge", &base.store);
    let mut held_out = base.held_out();
    let own_held_out = held_out.as_ref().map_or(0, |held_out| held_out.images.len());
    let mut merged: Option<FileStore> = None;
    for (other, name) in others.iter().zip(&arguments.others) {
        let so_far = merged.as_ref().unwrap_or(&base.store);
        let records = other.store.records(Filter::All);
        let chosen = Sides::of_store(so_far)
            .choose(so_far, &other.store.row_keys(), &records, arguments.replace, &mut remarks)
            .with_context(|| format!("cannot merge {name}"))?;
        change.added += chosen.rows.len() - chosen.replaced.len();
        change.replaced += chosen.replaced.len();
        let edit = RowEdit::new(so_far).remove(chosen.replaced);
        let ids: HashSet<&str> = chosen.rows.iter().map(|&row| records[row].id.as_str()).collect();
        let edit = edit.add_rows_of(&other.store, |id| ids.contains(id))?;
        merged = Some(edit.apply()?);
        held_out = join(held_out, other, base.calibration.is_some(), &mut remarks)?;
    }
    let further = held_out.as_ref().map_or(0, |held_out| held_out.images.len());
    ensure!(
        change.added + change.replaced > 0 || further > own_held_out,
        "nothing to merge: all images are in the store already"
    );
    let store = merged.context("expected another store")?;
    if let Some(held_out) = &held_out {
        refuse_both_sides(&store, held_out)?;
    }
    let drop_calibration = arguments.drop_calibration;
    let revision = base.revised(change, store, held_out, drop_calibration, remarks, &interrupt)?;
    revision.finish(dir, &base, &arguments.change, &interrupt)
}

fn check_model(ours: &FileStore, theirs: &FileStore) -> Result<()> {
    let describe = |store: &FileStore| match &store.manifest().model {
        Some(ModelIdentity { name, version, sha256 }) => {
            format!("`{name}` {version} (SHA-256 {sha256})")
        }
        None => "an unknown model".to_owned(),
    };
    let sha256 = |store: &FileStore| store.manifest().model.as_ref().map(|m| m.sha256.clone());
    if sha256(ours) != sha256(theirs) {
        let (reference, model) = (describe(ours), describe(theirs));
        return Err(Error::ModelMismatch { reference, model }.into());
    }
    Ok(())
}

/// The held-out images of both. Where one has a calibration without them there are none, and whoever scores them
/// says so.
fn join(
    ours: Option<HeldOut>,
    other: &Base,
    calibrated: bool,
    remarks: &mut Remarks,
) -> Result<Option<HeldOut>> {
    match (ours, other.held_out()) {
        (Some(ours), Some(theirs)) => {
            let sides = Sides::new(other.store.manifest().normalization);
            let theirs = sides.with_held_out(&ours).hold_out(theirs, remarks);
            ours.followed_by(theirs).map(Some)
        }
        (Some(ours), None) if other.calibration.is_none() => Ok(Some(ours)),
        (None, theirs) if !calibrated => {
            if theirs.is_some() {
                eprintln!(
                    "warning: the store has no calibration, and gets none: `drift-index calibrate` makes one"
                );
            }
            Ok(None)
        }
        _ => Ok(None),
    }
}

fn refuse_both_sides(store: &FileStore, held_out: &HeldOut) -> Result<()> {
    let sides = Sides::of_store(store).with_held_out(held_out);
    let first = sides.on_both().min_by_key(|(image, _)| *image);
    first.map_or(Ok(()), |(image, record)| {
        bail!(
            "the held-out image {image} of one store is the image {} of the other's reference: an image cannot be on \
             both sides; remove it from the reference (`drift-index remove`) first",
            record.id
        )
    })
}

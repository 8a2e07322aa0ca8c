//! The images of other stores, too.

use std::collections::HashSet;

use anyhow::{Context, Result, bail, ensure};
use sdd_drift::Error;
use sdd_index::{FileStore, Filter, ModelIdentity, RowEdit};

use super::made::Made;
use crate::held_out::HeldOut;
use crate::remarks::Remarks;
use crate::revision::Base;
use crate::sides::Sides;
use crate::store_argument::StoreArgument;

/// The held-out images of a store that others are merged into.
pub enum HeldOutSide {
    /// Others take their place: those of the stores do not matter.
    Replaced,
    /// They are kept, where there are any; a store that has none may be without a calibration at all.
    Kept { held_out: Option<HeldOut>, calibrated: bool },
}

/// The store with the images of another one, which must be of the same model and normalize alike. An image that it has
/// already is left out; an id that another image has is an error, or replaces it.
pub fn merge(
    store: &FileStore,
    name: &StoreArgument,
    replace: bool,
    held_out: HeldOutSide,
    made: &mut Made,
) -> Result<(FileStore, HeldOutSide)> {
    let other = Base::of_store(name.open()?).with_context(|| format!("cannot open {name}"))?;
    check_model(store, &other.store).with_context(|| format!("cannot merge {name}"))?;
    let records = other.store.records(Filter::All);
    let chosen = Sides::of_store(store)
        .choose(store, &other.store.row_keys(), &records, replace, &mut made.remarks)
        .with_context(|| format!("cannot merge {name}"))?;
    let added = chosen.rows.len() - chosen.replaced.len();
    made.added += added;
    made.replaced += chosen.replaced.len();
    let is_news = !chosen.rows.is_empty();
    let edit = RowEdit::new(store).remove(chosen.replaced);
    let ids: HashSet<&str> = chosen.rows.iter().map(|&row| records[row].id.as_str()).collect();
    if let Some(calibration) = other.left_out() {
        made.known.add_known(calibration, |id| ids.contains(id));
    }
    let merged = edit.add_rows_of(&other.store, |id| ids.contains(id))?.apply()?;

    let (held_out, further) = match held_out {
        HeldOutSide::Replaced => (HeldOutSide::Replaced, false),
        HeldOutSide::Kept { held_out, calibrated } => {
            let size = |held_out: &Option<HeldOut>| held_out.as_ref().map_or(0, |h| h.images.len());
            let before = size(&held_out);
            let held_out = join(held_out, &other, calibrated, &mut made.remarks)?;
            let further = size(&held_out) > before;
            if let Some(held_out) = &held_out {
                refuse_both_sides(&merged, held_out)?;
            }
            (HeldOutSide::Kept { held_out, calibrated }, further)
        }
    };
    ensure!(is_news || further, "nothing to merge: all images of {name} are in the store already");
    Ok((merged, held_out))
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
        (Some(ours), None) if other.calibration.is_none() || other.left_out().is_some() => {
            Ok(Some(ours))
        }
        (None, theirs) if !calibrated => {
            if theirs.is_some() {
                eprintln!(
                    "warning: the store has no calibration, and gets none: `update --calibrate IMAGES` makes one"
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
             both sides; remove it from the reference (`update --remove`) first",
            record.id
        )
    })
}

//! The images of other stores, too.

use std::collections::HashSet;

use anyhow::{Context, Result, bail, ensure};
use sdd_drift::Error;
use sdd_index::{FileStore, Filter, ModelIdentity, RowEdit};

use super::next::Next;
use crate::held_out::HeldOut;
use crate::revision::Base;
use crate::sides::Sides;
use crate::store_argument::StoreArgument;

impl Next {
    /// Adds the images of another store, which must be of the same model and normalize alike. An image that is there
    /// already is left out; an id that another image has is an error, or replaces it.
    pub fn merge(&mut self, name: &StoreArgument, replace: bool) -> Result<()> {
        let other = Base::open(name)?;
        let merging = || format!("cannot merge {name}");
        check_model(&self.store, &other.store).with_context(merging)?;
        let records = other.store.records(Filter::All);
        let chosen = Sides::of_store(&self.store)
            .choose(&other.store.row_keys(), &records, replace, &mut self.remarks)
            .with_context(merging)?;
        self.count(chosen.rows.len(), chosen.replaced.len());
        let ids: HashSet<&str> = chosen.rows.iter().map(|&row| records[row].id.as_str()).collect();
        self.known.add_merged(&ids, other.left_out());
        let edit = RowEdit::new(&self.store).remove(chosen.replaced);
        self.store = edit.add_rows_of(&other.store, |id| ids.contains(id))?.apply()?;
        let further = self.keeps_held_out && self.merge_held_out(&other)?;
        ensure!(
            !ids.is_empty() || further,
            "nothing to merge: all images of {name} are in the store already"
        );
        Ok(())
    }

    /// Keeps the held-out images of both; whether that is more than before.
    fn merge_held_out(&mut self, other: &Base) -> Result<bool> {
        let size = |held_out: &Option<HeldOut>| {
            held_out.as_ref().map_or(0, |held_out| held_out.embedded.images.len())
        };
        let before = size(&self.held_out);
        self.held_out = match (self.held_out.take(), other.held_out()) {
            (Some(ours), Some(theirs)) => {
                let sides = Sides::new(other.store.manifest().normalization);
                let theirs = sides.with_held_out(&ours).hold_out(theirs, &mut self.remarks);
                Some(ours.followed_by(theirs)?)
            }
            (Some(ours), None) => Some(ours),
            (None, Some(_)) if !self.is_calibrated => {
                eprintln!(
                    "warning: the store has no calibration, and gets none: `update --calibrate IMAGES` makes one"
                );
                None
            }
            (None, _) => None,
        };
        if let Some(held_out) = &self.held_out {
            refuse_both_sides(&self.store, held_out)?;
        }
        Ok(size(&self.held_out) > before)
    }
}

fn check_model(ours: &FileStore, theirs: &FileStore) -> Result<()> {
    let [ours, theirs] = [ours, theirs].map(|store| store.manifest().model.as_ref());
    let describe = |model: Option<&ModelIdentity>| match model {
        Some(ModelIdentity { name, version, sha256 }) => {
            format!("`{name}` {version} (SHA-256 {sha256})")
        }
        None => "an unknown model".to_owned(),
    };
    if ours.map(|model| &model.sha256) == theirs.map(|model| &model.sha256) {
        return Ok(());
    }
    Err(Error::ModelMismatch { reference: describe(ours), model: describe(theirs) }.into())
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

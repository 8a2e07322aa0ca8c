//! The two sides of a store, reference and held-out images: an image is on one of them, and there once.
//!
//! What counts is the embedding as the store keeps it, and not a file's name or bytes: a picture that was saved anew is
//! at distance 0 from itself all the same. All subcommands decide here.

use std::collections::{BTreeSet, HashMap, HashSet};

use anyhow::{Result, ensure};
use ndarray::Array2;
use sdd_index::{Error, FileStore, Filter, Normalization, Record, RowKey};

use crate::answer::{are, some_of};
use crate::held_out::HeldOut;
use crate::images::embedded::Embedded;
use crate::remarks::{Duplicate, Part, Remarks};

/// The images of both sides by what tells them from others.
pub struct Sides {
    normalization: Normalization,
    reference: HashMap<RowKey, Record>,
    /// Of the reference as it was.
    ids: HashSet<String>,
    /// Their ids.
    held_out: HashMap<RowKey, String>,
}

/// Which of new rows are added to a store, and which of its ids they replace.
pub struct Chosen {
    pub rows: Vec<usize>,
    pub replaced: BTreeSet<String>,
}

impl Sides {
    /// Of a store that has nothing yet, and keeps embeddings in this way.
    pub fn new(normalization: Normalization) -> Self {
        let (reference, held_out) = (HashMap::new(), HashMap::new());
        Self { normalization, reference, ids: HashSet::new(), held_out }
    }

    /// With the rows of this store in the reference.
    pub fn of_store(store: &FileStore) -> Self {
        let mut sides = Self::new(store.manifest().normalization);
        for (key, record) in store.row_keys().into_iter().zip(store.records(Filter::All)) {
            sides.ids.insert(record.id.clone());
            // One that was written by another program may have rows twice.
            sides.reference.entry(key).or_insert(record);
        }
        sides
    }

    /// With these images held out.
    pub fn with_held_out(mut self, held_out: &HeldOut) -> Self {
        let keys = self.keys_of(&held_out.embedded.embeddings);
        for (key, id) in keys.into_iter().zip(held_out.embedded.ids()) {
            self.held_out.entry(key).or_insert_with(|| id.to_owned());
        }
        self
    }

    fn keys_of(&self, embeddings: &Array2<f32>) -> Vec<RowKey> {
        embeddings.outer_iter().map(|row| RowKey::new(self.normalization, row)).collect()
    }

    /// Those of new images that the reference is to have, and the ids that they replace, as [`choose`](Self::choose)
    /// decides.
    ///
    /// # Errors
    ///
    /// [`Error::NotFinite`], by the numbers of rows that a person knows; an image that is held out; what `choose`
    /// refuses.
    pub fn admit(
        &mut self,
        found: Embedded,
        replace: bool,
        remarks: &mut Remarks,
    ) -> Result<(Embedded, BTreeSet<String>)> {
        let mut values = found.embeddings.indexed_iter();
        if let Some(((row, column), &value)) = values.find(|(_, value)| !value.is_finite()) {
            return Err(Error::NotFinite { what: "rows", row, column, value }.into());
        }
        let (keys, records) = (self.keys_of(&found.embeddings), found.records());
        let both = keys.iter().zip(found.ids()).filter(|(key, _)| self.held_out.contains_key(key));
        let both: Vec<&str> = both.map(|(_, id)| id).collect();
        ensure!(
            both.is_empty(),
            "{} held out for the calibration, for example {}: an image cannot be on both sides; leave them out, or \
             hold out other images in their place (--calibrate IMAGES)",
            are(both.len(), "image"),
            some_of(&both)
        );
        let Chosen { rows, replaced } = self.choose(&keys, &records, replace, remarks)?;
        Ok((found.select(&rows), replaced))
    }

    /// Decides about new rows for the reference: an image that it has is left out and named in `remarks`, unless it is
    /// to `replace` itself because it is of another class now.
    ///
    /// # Errors
    ///
    /// An id that another image of the reference has, unless that is replaced.
    pub fn choose(
        &mut self,
        keys: &[RowKey],
        records: &[Record],
        replace: bool,
        remarks: &mut Remarks,
    ) -> Result<Chosen> {
        let mut chosen = Chosen { rows: Vec::new(), replaced: BTreeSet::new() };
        for (row, (record, key)) in records.iter().zip(keys).enumerate() {
            if let Some(same) = self.reference.get(key)
                && (!replace || same.id != record.id || same.label == record.label)
            {
                remarks.duplicates.push(duplicate(Part::Reference, record, same));
                continue;
            }
            if self.ids.contains(&record.id) {
                chosen.replaced.insert(record.id.clone());
            }
            self.reference.insert(*key, record.clone());
            chosen.rows.push(row);
        }
        let taken: Vec<&str> = chosen.replaced.iter().map(String::as_str).collect();
        ensure!(
            replace || taken.is_empty(),
            "{} in the store that another image has, for example {}: --replace puts the new images in their place",
            are(taken.len(), "id"),
            some_of(&taken)
        );
        Ok(chosen)
    }

    /// The images that are on neither side yet, held out; the others are named in `remarks`.
    pub fn hold_out(&mut self, held_out: HeldOut, remarks: &mut Remarks) -> HeldOut {
        let HeldOut { embedded, source, group_by } = held_out;
        let mut rows = Vec::new();
        let keys = self.keys_of(&embedded.embeddings).into_iter();
        for (row, (key, record)) in keys.zip(embedded.records()).enumerate() {
            if let Some(same) = self.reference.get(&key) {
                remarks.duplicates.push(duplicate(Part::Calibration, &record, same));
            } else if let Some(same) = self.held_out.get(&key) {
                let both = [(record.id.as_str(), None), (same, None)];
                remarks.duplicates.push(Duplicate::new(Some(Part::Calibration), both));
            } else {
                self.held_out.insert(key, record.id);
                rows.push(row);
            }
        }
        HeldOut { embedded: embedded.select(&rows), source, group_by }
    }

    /// A held-out image that is in the reference, too, and what it is called there.
    pub fn on_both(&self) -> impl Iterator<Item = (&str, &Record)> {
        self.held_out.iter().filter_map(|(key, id)| Some((id.as_str(), self.reference.get(key)?)))
    }
}

/// An image that is left out because another one is the same.
fn duplicate(part: Part, image: &Record, same: &Record) -> Duplicate {
    let both = [image, same].map(|record| (record.id.as_str(), record.label.as_deref()));
    Duplicate::new(Some(part), both)
}

//! The two sides of a store, reference and held-out images: an image is on one of them, and there once.
//!
//! What counts is the embedding as the store keeps it, and not a file's name or bytes: a picture that was saved anew is
//! at distance 0 from itself all the same. All subcommands decide here.

use std::collections::{BTreeSet, HashMap, HashSet};

use anyhow::{Result, ensure};
use ndarray::Array2;
use sdd_index::{Error, FileStore, Filter, Normalization, Record, RowKey};

use crate::answer::some_of;
use crate::held_out::HeldOut;
use crate::images::embedded::select;
use crate::remarks::{Duplicate, Part, Remarks};

/// The images of both sides by what tells them from others.
pub struct Sides {
    normalization: Normalization,
    reference: HashMap<RowKey, Record>,
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
        Self { normalization, reference: HashMap::new(), held_out: HashMap::new() }
    }

    /// With the rows of this store in the reference.
    pub fn of_store(store: &FileStore) -> Self {
        let mut sides = Self::new(store.manifest().normalization);
        for (key, record) in store.row_keys().into_iter().zip(store.records(Filter::All)) {
            // Older programs kept what was there twice.
            sides.reference.entry(key).or_insert(record);
        }
        sides
    }

    /// With these images held out.
    pub fn with_held_out(mut self, held_out: &HeldOut) -> Self {
        for (key, image) in self.keys_of(&held_out.embeddings).into_iter().zip(&held_out.images) {
            self.held_out.entry(key).or_insert_with(|| image.id.clone());
        }
        self
    }

    /// Of new images for the reference, which are looked at while they still have the numbers that a person knows.
    ///
    /// # Errors
    ///
    /// [`Error::NotFinite`].
    pub fn keys(&self, embeddings: &Array2<f32>) -> sdd_index::Result<Vec<RowKey>> {
        match embeddings.indexed_iter().find(|(_, value)| !value.is_finite()) {
            Some(((row, column), &value)) => {
                Err(Error::NotFinite { what: "rows", row, column, value })
            }
            None => Ok(self.keys_of(embeddings)),
        }
    }

    fn keys_of(&self, embeddings: &Array2<f32>) -> Vec<RowKey> {
        embeddings.outer_iter().map(|row| RowKey::new(self.normalization, row)).collect()
    }

    fn in_reference(&self, key: &RowKey) -> Option<&Record> {
        self.reference.get(key)
    }

    pub fn is_held_out(&self, key: &RowKey) -> bool {
        self.held_out.contains_key(key)
    }

    /// Puts an image into the reference, in place of one that is the same.
    fn insert(&mut self, key: RowKey, record: &Record) {
        self.reference.insert(key, record.clone());
    }

    /// The images that the reference has not had; the others are named in `remarks`.
    pub fn admit(
        &mut self,
        embeddings: Array2<f32>,
        records: Vec<Record>,
        remarks: &mut Remarks,
    ) -> sdd_index::Result<(Array2<f32>, Vec<Record>)> {
        let keys = self.keys(&embeddings)?;
        let (mut rows, mut kept) = (Vec::new(), Vec::new());
        for ((row, key), record) in keys.into_iter().enumerate().zip(records) {
            if let Some(same) = self.in_reference(&key) {
                remarks.duplicates.push(duplicate(Part::Reference, &record, same));
                continue;
            }
            self.insert(key, &record);
            rows.push(row);
            kept.push(record);
        }
        Ok((select(embeddings, &rows), kept))
    }

    /// Decides about new rows for `store`, whose reference this is: an image that it has is left out and named in
    /// `remarks`, unless it is to `replace` itself because it is of another class now.
    ///
    /// # Errors
    ///
    /// An id that another image of the store has, unless that is replaced.
    pub fn choose(
        &mut self,
        store: &FileStore,
        keys: &[RowKey],
        records: &[Record],
        replace: bool,
        remarks: &mut Remarks,
    ) -> Result<Chosen> {
        let known = store.records(Filter::All);
        let ids: HashSet<&str> = known.iter().map(|record| record.id.as_str()).collect();
        let mut chosen = Chosen { rows: Vec::new(), replaced: BTreeSet::new() };
        let mut taken = Vec::new();
        for (row, (record, key)) in records.iter().zip(keys).enumerate() {
            match self.in_reference(key) {
                Some(same) if same.id != record.id || same.label == record.label || !replace => {
                    remarks.duplicates.push(duplicate(Part::Reference, record, same));
                    continue;
                }
                _ if ids.contains(record.id.as_str()) => {
                    taken.push(record.id.as_str());
                    chosen.replaced.insert(record.id.clone());
                }
                _ => {}
            }
            self.insert(*key, record);
            chosen.rows.push(row);
        }
        ensure!(
            replace || taken.is_empty(),
            "{} in the store that another image has, for example {}: --replace puts the new images in their place",
            if taken.len() == 1 {
                "1 id is".to_owned()
            } else {
                format!("{} ids are", taken.len())
            },
            some_of(&taken)
        );
        Ok(chosen)
    }

    /// The images that are on neither side yet, held out; the others are named in `remarks`.
    pub fn hold_out(&mut self, held_out: HeldOut, remarks: &mut Remarks) -> HeldOut {
        let part = Part::Calibration;
        let mut rows = Vec::new();
        for (row, key) in self.keys_of(&held_out.embeddings).into_iter().enumerate() {
            let image = &held_out.images[row];
            if let Some(same) = self.in_reference(&key) {
                let record = Record { id: image.id.clone(), label: image.label.clone() };
                remarks.duplicates.push(duplicate(part, &record, same));
            } else if let Some(same_as) = self.held_out.get(&key).cloned() {
                let image = image.id.clone();
                remarks.duplicates.push(Duplicate {
                    part: Some(part),
                    image,
                    same_as,
                    other_class: false,
                });
            } else {
                self.held_out.insert(key, image.id.clone());
                rows.push(row);
            }
        }
        held_out.select(&rows)
    }

    /// A held-out image that is in the reference, too, and what it is called there.
    pub fn on_both(&self) -> impl Iterator<Item = (&str, &Record)> {
        self.held_out.iter().filter_map(|(key, id)| Some((id.as_str(), self.reference.get(key)?)))
    }
}

/// What is said of an image that is left out because another one is the same.
fn duplicate(part: Part, image: &Record, same: &Record) -> Duplicate {
    let other_class = image.label.is_some() && same.label.is_some() && image.label != same.label;
    Duplicate { part: Some(part), image: image.id.clone(), same_as: same.id.clone(), other_class }
}

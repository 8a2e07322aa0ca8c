//! Further images in the reference.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Args;
use ndarray::Axis;
use sdd_index::{FileStore, Record, RowEdit, RowKey};

use super::made::Made;
use crate::answer::{count, some_of};
use crate::held_out::HeldOut;
use crate::images::embedded::EmbeddedImage;
use crate::images::read::{Beside, read};
use crate::images::source::Source;
use crate::interrupt::Interrupt;
use crate::model::Model;
use crate::remarks::Part;
use crate::sides::Sides;

/// Which images are added.
#[derive(Debug, Args)]
#[command(next_help_heading = "Add images")]
pub struct AddArguments {
    /// Folder of images, image, or matrix FILE.npy; may be given again
    #[arg(long, value_name = "IMAGES")]
    pub add: Vec<PathBuf>,

    /// Classes of a matrix, one a line, or of captured images, as `capture list` lists them
    #[arg(long, value_name = "FILE", requires = "add")]
    classes: Option<PathBuf>,

    /// Ids of a matrix, one a line
    #[arg(long, value_name = "FILE", requires = "add")]
    ids: Option<PathBuf>,
}

impl AddArguments {
    /// The store with these images. One that it has already is left out; an id that another image has is an error, or
    /// replaces it. An image that is held out is an error: it cannot be on both sides.
    pub fn apply(
        &self,
        store: &FileStore,
        replace: bool,
        held_out: Option<&HeldOut>,
        (model, interrupt): (&mut Model<'_>, &Interrupt),
        made: &mut Made,
    ) -> Result<FileStore> {
        let source = Source::find(&self.add, self.classes.as_deref())?;
        ensure!(
            matches!(source, Source::Images(_)) || self.ids.is_some(),
            "the rows of a matrix have no names: name them with --ids"
        );
        let beside = Beside { classes: self.classes.as_deref(), ids: self.ids.as_deref() };
        let part = Some(Part::Reference);
        let embedded = read(source, beside, part, model, &mut made.remarks, interrupt)?;
        let known = |image: &EmbeddedImage| (image.predicted_class(), image.predicted.properties());
        let known: Vec<_> = embedded.images.iter().map(known).collect();
        let (embeddings, records) = embedded.into_rows();
        let mut sides = Sides::of_store(store);
        let keys = sides.keys(&embeddings)?;
        if let Some(held_out) = held_out {
            sides = sides.with_held_out(held_out);
        }
        refuse_held_out(&sides, &keys, &records)?;
        let chosen = sides.choose(store, &keys, &records, replace, &mut made.remarks)?;
        ensure!(
            !chosen.rows.is_empty(),
            "nothing to add: all {} are in the store already",
            count(records.len(), "image")
        );
        for &row in &chosen.rows {
            let (predicted_class, properties) = known[row].clone();
            made.known.add(records[row].id.clone(), predicted_class, properties);
        }
        made.replaced += chosen.replaced.len();
        made.added += chosen.rows.len() - chosen.replaced.len();
        let records: Vec<Record> = chosen.rows.iter().map(|&row| records[row].clone()).collect();
        let edit = RowEdit::new(store).remove(chosen.replaced);
        Ok(edit.add(&embeddings.select(Axis(0), &chosen.rows), &records)?.apply()?)
    }
}

fn refuse_held_out(sides: &Sides, keys: &[RowKey], records: &[Record]) -> Result<()> {
    let both = keys.iter().zip(records).filter(|(key, _)| sides.is_held_out(key));
    let both: Vec<&str> = both.map(|(_, record)| record.id.as_str()).collect();
    ensure!(
        both.is_empty(),
        "{} held out for the calibration, for example {}: an image cannot be on both sides; leave them out, or \
         hold out other images in their place (--calibrate IMAGES)",
        if both.len() == 1 {
            "1 image is".to_owned()
        } else {
            format!("{} images are", both.len())
        },
        some_of(&both)
    );
    Ok(())
}

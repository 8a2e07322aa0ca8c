//! `drift-index add`: further images in the reference.

use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use ndarray::{Array2, Axis};
use sdd_drift::Reference;
use sdd_index::{Record, RowEdit, RowKey};

use crate::answer::{Answer, count};
use crate::build::from_images::take;
use crate::captured;
use crate::images::classified::classify;
use crate::images::folder::{ensure_images, scan};
use crate::interrupt::Interrupt;
use crate::model::ModelArguments;
use crate::remarks::{Part, Remarks};
use crate::revision::{Base, ChangeArguments, JSON_HELP, change};
use crate::sides::{Sides, some_of};
use crate::{npy, text_file};

/// Add images to the reference of a store
///
/// The rows that are there stay as they are, to the bit, and the held-out images are scored anew against all of
/// them. An image that the store has already is left out; an id that another image has is an error, or replaces
/// it with --replace. An image that is held out for the calibration is an error: it cannot be on both sides.
#[derive(Debug, Args)]
#[command(after_long_help = format!("JSON (--json): {JSON_HELP}\n
Examples:
  drift-index add reference --images labeled/ --model model.onnx --note 'darker lamps'
  drift-index add reference --captured capture/ --labels labels.csv
  drift-index add reference --embeddings new.npy --ids new.txt --labels classes.txt"))]
pub struct Arguments {
    /// The store
    store: PathBuf,

    /// Folder of images; the class of an image is the first folder below DIR on its path
    #[arg(long, value_name = "DIR", group = "source", required = true)]
    images: Option<PathBuf>,

    /// Folder that `sdd-server --capture` wrote; those of its images that --labels gives a class
    #[arg(long, value_name = "DIR", group = "source", requires = "labels")]
    captured: Option<PathBuf>,

    /// Matrix of embeddings: M x D, as numpy.save writes it
    #[arg(long, value_name = "FILE.npy", group = "source", requires = "ids")]
    embeddings: Option<PathBuf>,

    /// Ids of the embeddings, one a line
    #[arg(long, value_name = "FILE", requires = "embeddings")]
    ids: Option<PathBuf>,

    /// With --captured the list of `captured` with its column label filled in; with --embeddings their classes, one a
    /// line
    #[arg(long, value_name = "FILE", conflicts_with = "images")]
    labels: Option<PathBuf>,

    #[command(flatten)]
    model: ModelArguments,

    /// Replace images that have the same id
    #[arg(long)]
    replace: bool,

    /// Go on without a calibration where the store does not keep its held-out images
    #[arg(long)]
    drop_calibration: bool,

    #[command(flatten)]
    change: ChangeArguments,
}

pub fn run(arguments: &Arguments) -> Result<Answer> {
    let dir = &arguments.store;
    let interrupt = Interrupt::listen()?;
    let base = Base::open(dir)?;
    let mut remarks = Remarks::default();
    let (embeddings, records) = gather(arguments, &mut remarks, &interrupt)?;
    let mut sides = Sides::of_store(&base.store);
    let keys = sides.keys(&embeddings)?;
    if let Some(held_out) = base.held_out() {
        sides = sides.with_held_out(&held_out);
    }
    refuse_held_out(&sides, &keys, &records)?;
    let chosen = sides.choose(&base.store, &keys, &records, arguments.replace, &mut remarks)?;
    ensure!(
        !chosen.rows.is_empty(),
        "nothing to add: all {} are in the store already",
        count(records.len(), "image")
    );

    let mut change = change("add", &base.store);
    change.replaced = chosen.replaced.len();
    change.added = chosen.rows.len() - change.replaced;
    let records: Vec<Record> = chosen.rows.iter().map(|&row| records[row].clone()).collect();
    let edit = RowEdit::new(&base.store).remove(chosen.replaced);
    let store = edit.add(&embeddings.select(Axis(0), &chosen.rows), &records)?.apply()?;
    let drop_calibration = arguments.drop_calibration;
    let revision =
        base.revised(change, store, base.held_out(), drop_calibration, remarks, &interrupt)?;
    revision.finish(dir, &base, &arguments.change, &interrupt)
}

/// Embeddings as the model made them, and a record of each.
fn gather(
    arguments: &Arguments,
    remarks: &mut Remarks,
    interrupt: &Interrupt,
) -> Result<(Array2<f32>, Vec<Record>)> {
    if let Some(matrix) = &arguments.embeddings {
        let embeddings = npy::read(matrix)?;
        let rows = embeddings.nrows();
        let ids = arguments.ids.as_ref().context("expected --ids")?;
        let ids = text_file::read_ids(ids, rows, matrix)?;
        let labels = match &arguments.labels {
            Some(file) => text_file::read(file, rows, matrix)?,
            None => vec![None; rows],
        };
        let records = ids.into_iter().zip(labels).map(|(id, label)| Record { id, label });
        return Ok((embeddings, records.collect()));
    }
    let images = match (&arguments.images, &arguments.captured, &arguments.labels) {
        (Some(folder), ..) => {
            let images = take(scan(folder)?, Part::Reference, remarks);
            ensure_images(&images, folder)?;
            images
        }
        (None, Some(folder), Some(labels)) => captured::labeled_images(folder, labels)?,
        _ => bail!("expected --images, --captured or --embeddings"),
    };
    let reference = Reference::open(&arguments.store)?;
    let model = &arguments.model;
    let part = Part::Reference;
    let classified = classify(&images, part, model, &reference, remarks, interrupt)?;
    let embeddings = classified.embeddings()?;
    let record = |file: crate::images::folder::ImageFile| Record { id: file.id, label: file.label };
    let records = classified.images.into_iter().map(|(file, _)| record(file)).collect();
    Ok((embeddings, records))
}

fn refuse_held_out(sides: &Sides, keys: &[RowKey], records: &[Record]) -> Result<()> {
    let both = keys.iter().zip(records).filter(|(key, _)| sides.is_held_out(key));
    let both: Vec<&str> = both.map(|(_, record)| record.id.as_str()).collect();
    ensure!(
        both.is_empty(),
        "{} held out for the calibration, for example {}: an image cannot be on both sides; leave them out, or \
         give the store other held-out images first (`drift-index calibrate`)",
        if both.len() == 1 {
            "1 image is".to_owned()
        } else {
            format!("{} images are", both.len())
        },
        some_of(&both)
    );
    Ok(())
}

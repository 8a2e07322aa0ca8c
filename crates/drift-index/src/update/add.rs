//! Further images in the reference.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Args;
use sdd_index::RowEdit;

use super::next::Next;
use crate::answer::count;
use crate::images::read::read;
use crate::images::source::Source;
use crate::model::Model;
use crate::remarks::Part;
use crate::sides::Sides;

/// Which images are added.
#[derive(Debug, Args)]
#[command(next_help_heading = "Add images")]
pub struct AddArguments {
    /// Folder of images, image, or matrix FILE.npy; may be given again
    #[arg(long, value_name = "IMAGES")]
    add: Vec<PathBuf>,

    /// Classes of a matrix, one a line, or of captured images, as `capture list` lists them
    #[arg(long, value_name = "FILE", requires = "add")]
    classes: Option<PathBuf>,

    /// Ids of a matrix, one a line
    #[arg(long, value_name = "FILE", requires = "add")]
    ids: Option<PathBuf>,
}

impl Next {
    /// Adds these images. One that is there already is left out; an id that another image has is an error, or replaces
    /// it. An image that is held out is an error: it cannot be on both sides.
    pub fn add(
        &mut self,
        arguments: &AddArguments,
        replace: bool,
        model: &mut Model<'_>,
    ) -> Result<()> {
        let AddArguments { add, classes, ids } = arguments;
        if add.is_empty() {
            return Ok(());
        }
        let source = Source::find(add, classes.as_deref(), ids.as_deref())?;
        ensure!(source.has_names(), "the rows of a matrix have no names: name them with --ids");
        let found = read(source, Some(Part::Reference), model, &mut self.remarks)?;
        let all = found.images.len();
        let mut sides = Sides::of_store(&self.store);
        if let Some(held_out) = &self.held_out {
            sides = sides.with_held_out(held_out);
        }
        let (added, replaced) = sides.admit(found, replace, &mut self.remarks)?;
        ensure!(
            !added.images.is_empty(),
            "nothing to add: all {} are in the store already",
            count(all, "image")
        );
        self.count(added.images.len(), replaced.len());
        self.known.add(&added.images);
        let edit = RowEdit::new(&self.store).remove(replaced);
        self.store = edit.add(&added.embeddings, &added.records())?.apply()?;
        Ok(())
    }
}

//! `drift-index build`: a reference store from images or from embeddings.

pub mod arguments;
pub mod from_images;
mod from_matrix;
pub mod groups;
mod store;
mod summary;

use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use ndarray::Array2;
use sdd_drift::Score;
use sdd_index::{ModelIdentity, Record};

pub use self::arguments::Arguments;
use self::summary::Summary;
use crate::answer::Answer;
use crate::exit::ExitStatus;
use crate::held_out::HeldOut;
use crate::interrupt::Interrupt;
use crate::remarks::Remarks;

/// What a store is made of.
struct Material {
    model: Option<ModelIdentity>,
    /// N x D, as the model made them.
    embeddings: Array2<f32>,
    /// One a row.
    records: Vec<Record>,
    held_out: Option<HeldOut>,
    remarks: Remarks,
}

pub fn run(arguments: &Arguments) -> Result<Answer> {
    let started = Instant::now();
    let score = Score::new(arguments.score, arguments.k.get())?;
    let rule = arguments.calibration.rule()?;
    check_destination(&arguments.out)?;
    let interrupt = Interrupt::listen()?;
    let material = match (&arguments.images, &arguments.matrix.embeddings) {
        (Some(folder), _) => from_images::gather(folder, arguments, &rule, &interrupt)?,
        (None, Some(matrix)) => from_matrix::gather(matrix, arguments, &rule)?,
        (None, None) => anyhow::bail!("expected --images or --embeddings"),
    };
    let built = store::write(material, score, &rule, arguments, &interrupt)?;
    let status =
        if built.remarks.skipped.is_empty() { ExitStatus::Success } else { ExitStatus::Partial };
    Answer::new(status, &Summary::new(&arguments.out, built, started.elapsed()))
}

/// Finds out before the work, not after it, that nothing can be written there.
fn check_destination(out: &Path) -> Result<()> {
    if let Ok(mut entries) = fs::read_dir(out) {
        let is_store = ["manifest.json", ".lock"].iter().any(|name| out.join(name).exists());
        ensure!(
            is_store || entries.next().is_none(),
            "{} holds something that is no reference store: choose a new or an empty folder",
            out.display(),
        );
    } else {
        ensure!(!out.exists(), "{} is not a folder that can be read", out.display());
    }
    let existing = out.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("."));
    tempfile::tempdir_in(existing)
        .with_context(|| format!("cannot write into {}", existing.display()))?;
    Ok(())
}

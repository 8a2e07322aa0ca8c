//! What the commands that change a store answer.

use std::fmt;
use std::path::Path;

use anyhow::Result;
use sdd_drift::{Calibration, Score};
use sdd_index::{Change, FileStore, LabelCount, Manifest};
use serde::Serialize;

use crate::answer::{Answer, count, line};
use crate::describe::{self, CalibrationInfo, ScoreInfo};
use crate::exit::ExitStatus;
use crate::remarks::Remarks;

/// The JSON of `Revised`, for the help.
pub const JSON_HELP: &str = "\
status, store, command, generation (null in a dry run), from, added,
removed, replaced, dry_run, images, dimension, labels [{label, count}], score {method, k},
calibration as of `show`, skipped [{part, image, code, reason}],
duplicates [{part, image, same_as, other_class}], ignored {hidden, other_files, loops}.";

/// A store that was changed, or would have been.
#[derive(Serialize)]
pub struct Revised {
    store: String,
    command: String,
    generation: Option<u64>,
    from: Option<u64>,
    added: usize,
    removed: usize,
    replaced: usize,
    dry_run: bool,
    images: usize,
    dimension: usize,
    labels: Vec<LabelCount>,
    score: ScoreInfo,
    calibration: Option<CalibrationInfo>,
    #[serde(flatten)]
    remarks: Remarks,
}

impl Revised {
    pub fn new(
        dir: &Path,
        store: &FileStore,
        score: Score,
        calibration: Option<&Calibration>,
        change: Change,
        written: Option<&Manifest>,
        remarks: Remarks,
    ) -> Self {
        let Change { command, from, added, removed, replaced, .. } = change;
        Self {
            store: dir.display().to_string(),
            command,
            generation: written.map(|manifest| manifest.generation),
            from,
            added,
            removed,
            replaced,
            dry_run: written.is_none(),
            images: store.len(),
            dimension: store.dimension(),
            labels: store.labels(),
            score: score.into(),
            calibration: calibration.map(CalibrationInfo::from),
            remarks,
        }
    }

    pub fn answer(&self) -> Result<Answer> {
        let status = ExitStatus::done(!self.remarks.skipped.is_empty());
        Answer::new(status, self)
    }
}

impl fmt::Display for Revised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.generation {
            Some(generation) => {
                writeln!(f, "{} {}: generation {generation}", self.command, self.store)?;
            }
            None => writeln!(f, "{} {}: a dry run, nothing was written", self.command, self.store)?,
        }
        let change =
            change_text(&self.command, self.from, [self.added, self.removed, self.replaced]);
        line(f, "change", change)?;
        line(f, "images", describe::images_text(self.images, self.dimension, &self.labels))?;
        line(f, "score", &self.score)?;
        describe::fmt_calibration(f, self.calibration.as_ref())?;
        self.remarks.fmt(f)
    }
}

/// `12 images added, 3 images removed`; `counts` are of added, removed, replaced.
pub fn change_text(command: &str, from: Option<u64>, counts: [usize; 3]) -> String {
    if let ("rollback", Some(from)) = (command, from) {
        return format!("the content of generation {from}");
    }
    let some: Vec<String> = counts
        .into_iter()
        .zip(["added", "removed", "replaced"])
        .filter(|(number, _)| *number > 0)
        .map(|(number, what)| format!("{} {what}", count(number, "image")))
        .collect();
    if some.is_empty() { "the same images".to_owned() } else { some.join(", ") }
}

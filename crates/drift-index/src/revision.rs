//! A store as it is, and as a command changed it.

use std::fmt;
use std::path::Path;

use anyhow::{Context, Result};
use sdd_drift::calibration::CalibrationSource;
use sdd_drift::reference::score_and_calibration;
use sdd_drift::{Calibration, CalibrationImages, Score};
use sdd_index::{Change, FileStore, Replaces};
use serde::Serialize;

use crate::answer::{Answer, count, line};
use crate::calibration::Scored;
use crate::describe::StoreInfo;
use crate::exit::ExitStatus;
use crate::held_out::HeldOut;
use crate::remarks::Remarks;
use crate::store_argument::{ChangeArguments, StoreArgument};

/// The JSON of `Revised`, for the help.
pub const JSON_HELP: &str = "\
as of `show` (generation and created_at are null in a dry run), and
command, from, added, removed, replaced, dry_run, skipped [{part, image, code, reason}],
duplicates [{part, image, same_as, other_class}], ignored {hidden, other_files, loops}.";

/// The store as it is.
pub struct Base {
    pub store: FileStore,
    pub score: Score,
    pub calibration: Option<Calibration>,
    pub images: Option<CalibrationImages>,
}

impl Base {
    pub fn open(argument: &StoreArgument) -> Result<Self> {
        let store = argument.open()?;
        let read = || -> sdd_drift::Result<_> {
            // What a score needs beforehand is fitted to what the store becomes, not to what it is.
            Ok((score_and_calibration(&store)?, CalibrationImages::from_store(&store)?))
        };
        let ((score, calibration), images) =
            read().with_context(|| format!("cannot open {argument}"))?;
        Ok(Self { store, score, calibration, images })
    }

    /// The held-out images, where there is a calibration and they are kept.
    pub fn held_out(&self) -> Option<HeldOut> {
        HeldOut::of_store(self.images.as_ref(), self.calibration.as_ref())
    }

    /// The calibration, where it is of the reference's own images.
    pub fn left_out(&self) -> Option<&Calibration> {
        let is_left_out = |calibration: &&Calibration| {
            matches!(calibration.source(), CalibrationSource::LeaveOneGroupOut { .. })
        };
        self.calibration.as_ref().filter(is_left_out)
    }
}

/// A store that was changed, or would have been.
#[derive(Serialize)]
pub struct Revised {
    #[serde(flatten)]
    info: StoreInfo,
    #[serde(flatten)]
    change: Change,
    dry_run: bool,
    #[serde(flatten)]
    remarks: Remarks,
}

/// Writes the next generation of the store in `dir`, unless it is a dry run.
pub fn save(
    Scored { store, score, calibration }: &Scored,
    dir: &Path,
    replaces: Replaces<'_>,
    change: Change,
    arguments: &ChangeArguments,
    remarks: Remarks,
) -> Result<Answer> {
    let write = || arguments.keeping.save(store, dir, replaces, &change);
    let manifest = (!arguments.dry_run).then(write).transpose()?;
    let info = StoreInfo::new(dir, manifest.as_ref(), store, *score, calibration.as_ref());
    let status = ExitStatus::done(!remarks.skipped.is_empty());
    Answer::new(status, &Revised { info, change, dry_run: arguments.dry_run, remarks })
}

impl fmt::Display for Revised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dry_run = if self.dry_run { ": a dry run, nothing was written" } else { "" };
        writeln!(f, "{} {}{dry_run}", self.change.command, self.info.store)?;
        line(f, "change", change_text(&self.change))?;
        self.info.fmt_content(f)?;
        self.remarks.fmt(f)
    }
}

/// `12 images added, 3 images removed`.
pub fn change_text(change: &Change) -> String {
    let Change { command, from, added, removed, replaced, .. } = change;
    if let ("rollback", Some(from)) = (command.as_str(), from) {
        return format!("the content of generation {from}");
    }
    let counts = [(*added, "added"), (*removed, "removed"), (*replaced, "replaced")];
    let some = counts.into_iter().filter(|(number, _)| *number > 0);
    let some: Vec<_> =
        some.map(|(number, what)| format!("{} {what}", count(number, "image"))).collect();
    if some.is_empty() { "the same images".to_owned() } else { some.join(", ") }
}

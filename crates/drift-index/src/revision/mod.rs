//! A change of a store: what all subcommands that make a new generation share.

mod argument;
mod outcome;

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use sdd_drift::reference::score_and_calibration;
use sdd_drift::{Calibration, CalibrationImages, Score};
use sdd_index::{Change, FileStore, ReferenceStore, Replaces};

pub use self::argument::{ChangeArguments, KeepArguments, StoreArgument};
pub use self::outcome::{JSON_HELP, Revised, change_text};
use crate::answer::Answer;
use crate::calibration::{Calibrated, attachments, calibrate, uncalibrated, warn_of_classes};
use crate::held_out::HeldOut;
use crate::interrupt::Interrupt;
use crate::remarks::Remarks;

/// The store as it is.
pub struct Base {
    pub store: FileStore,
    pub score: Score,
    pub calibration: Option<Calibration>,
    pub images: Option<CalibrationImages>,
}

/// What the next generation is to be.
pub struct Revision {
    pub change: Change,
    pub store: Arc<FileStore>,
    pub score: Score,
    pub calibrated: Option<Calibrated>,
    pub remarks: Remarks,
}

impl Base {
    pub fn open(dir: &Path) -> Result<Self> {
        Self::of_store(FileStore::open(dir)?)
            .with_context(|| format!("cannot open {}", dir.display()))
    }

    pub fn of_store(store: FileStore) -> Result<Self> {
        // What a score needs beforehand is fitted to what the store becomes, not to what it is.
        let (score, calibration) = score_and_calibration(&store)?;
        let images = CalibrationImages::from_store(&store)?;
        Ok(Self { store, score, calibration, images })
    }

    /// The held-out images, where there is a calibration and they are kept.
    pub fn held_out(&self) -> Option<HeldOut> {
        let (images, calibration) = self.images.as_ref().zip(self.calibration.as_ref())?;
        Some(HeldOut::of_store(images, calibration))
    }

    /// With other rows and the same calibration: the held-out images are scored again. A calibration without them is
    /// given up where that is allowed, and else an error.
    pub fn revised(
        &self,
        change: Change,
        store: FileStore,
        held_out: Option<HeldOut>,
        drop_calibration: bool,
        mut remarks: Remarks,
        interrupt: &Interrupt,
    ) -> Result<Revision> {
        let store = Arc::new(store);
        let (score, calibrated) =
            self.rescored(&store, held_out, drop_calibration, &mut remarks, interrupt)?;
        Ok(Revision { change, store, score, calibrated, remarks })
    }

    fn rescored(
        &self,
        store: &Arc<FileStore>,
        held_out: Option<HeldOut>,
        drop_calibration: bool,
        remarks: &mut Remarks,
        interrupt: &Interrupt,
    ) -> Result<(Score, Option<Calibrated>)> {
        let score = self.score.at_most(store.len());
        if score != self.score {
            eprintln!(
                "warning: there are fewer reference images than neighbors: the score is {score}"
            );
        }
        let Some(calibration) = &self.calibration else {
            uncalibrated(store, score)?;
            return Ok((score, None));
        };
        let Some(held_out) = held_out else {
            if drop_calibration {
                uncalibrated(store, score)?;
                return Ok((score, None));
            }
            bail!(
                "the store keeps the scores of its held-out images and not their embeddings, so that they cannot be \
                 scored against the changed reference: build it again, or change it with --drop-calibration and \
                 then run `drift-index calibrate STORE --calibration DIR`",
            );
        };
        let rule = *calibration.rule();
        let calibrated = calibrate(store, score, held_out, rule, remarks, interrupt)?;
        warn_of_classes(&calibrated.calibration);
        Ok((score, Some(calibrated)))
    }
}

impl Revision {
    /// Writes the next generation of the store in `dir`, unless it is a dry run.
    pub fn finish(
        self,
        dir: &Path,
        base: &Base,
        arguments: &ChangeArguments,
        interrupt: &Interrupt,
    ) -> Result<Answer> {
        let Self { change, store, score, calibrated, remarks } = self;
        let store = Arc::into_inner(store).context("the store is still in use")?;
        let attachments = attachments(&store, score, calibrated.as_ref());
        let store = store.with_attachments(attachments)?;
        interrupt.check()?;
        let calibration = calibrated.map(|calibrated| calibrated.calibration);
        let replaces = Replaces::Generation(base.store.manifest());
        let manifest = arguments.save(&store, dir, replaces, &change)?;
        Revised::new(dir, &store, score, calibration.as_ref(), change, manifest.as_ref(), remarks)
            .answer()
    }
}

/// A change of this command that begins from the present content.
pub fn change(command: &str, base: &FileStore) -> Change {
    Change {
        command: command.to_owned(),
        from: Some(base.manifest().generation),
        added: 0,
        removed: 0,
        replaced: 0,
        note: None,
    }
}

//! A change of a store, on the way from one generation to the next.

mod outcome;

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use sdd_drift::calibration::CalibrationSource;
use sdd_drift::reference::score_and_calibration;
use sdd_drift::{Calibration, CalibrationImages, Score, VerdictRule};
use sdd_index::{Change, FileStore, Replaces};

pub use self::outcome::{JSON_HELP, Revised, change_text};
use crate::answer::Answer;
use crate::calibration::{Calibrated, Calibrating, attachments, uncalibrated};
use crate::held_out::HeldOut;
use crate::interrupt::Interrupt;
use crate::remarks::Remarks;
use crate::store_argument::ChangeArguments;

/// The store as it is.
pub struct Base {
    pub store: FileStore,
    pub score: Score,
    pub calibration: Option<Calibration>,
    pub images: Option<CalibrationImages>,
}

/// How the images that calibrate the next generation are scored.
pub enum Calibrate {
    /// By the score and the rule of before. A calibration whose images are not kept is given up where that is allowed.
    AsBefore { or_drop: bool },
    /// By these.
    Anew { score: Score, rule: VerdictRule },
}

impl Calibrate {
    pub fn is_anew(&self) -> bool {
        matches!(self, Self::Anew { .. })
    }
}

/// What the next generation is to be.
pub struct Revision {
    change: Change,
    store: Arc<FileStore>,
    score: Score,
    calibrated: Option<Calibrated>,
    remarks: Remarks,
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

    /// The calibration, where it is of the reference's own images.
    pub fn left_out(&self) -> Option<&Calibration> {
        let is_left_out = |calibration: &&Calibration| {
            matches!(calibration.source(), CalibrationSource::LeaveOneGroupOut { .. })
        };
        self.calibration.as_ref().filter(is_left_out)
    }

    /// With these rows and these images that calibrate, which are scored against them.
    pub fn revised(
        &self,
        change: Change,
        store: Arc<FileStore>,
        calibrating: Option<Calibrating>,
        how: &Calibrate,
        mut remarks: Remarks,
        interrupt: &Interrupt,
    ) -> Result<Revision> {
        let asked_for = match how {
            Calibrate::AsBefore { .. } => self.score,
            Calibrate::Anew { score, .. } => *score,
        };
        let score = asked_for.at_most(store.len());
        if score != asked_for {
            eprintln!(
                "warning: there are fewer reference images than neighbors: the score is {score}"
            );
        }
        let calibrated = match (self.rule(how), calibrating) {
            (Some(rule), Some(calibrating)) => {
                Some(calibrating.calibrate(&store, score, rule, &mut remarks, interrupt)?)
            }
            (Some(_), None) if !matches!(how, Calibrate::AsBefore { or_drop: true }) => bail!(
                "the store keeps the scores of its held-out images and not their embeddings, so that they cannot be \
                 scored against the changed reference: hold out other images (--calibrate IMAGES), or go on without \
                 a calibration (--drop-calibration)",
            ),
            _ => {
                uncalibrated(&store, score)?;
                None
            }
        };
        Ok(Revision { change, store, score, calibrated, remarks })
    }

    /// The rule of the next generation, where it has a calibration.
    fn rule(&self, how: &Calibrate) -> Option<VerdictRule> {
        match how {
            Calibrate::AsBefore { .. } => self.calibration.as_ref().map(|before| *before.rule()),
            Calibrate::Anew { rule, .. } => Some(*rule),
        }
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

/// A change by this command that begins from the content of this store.
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

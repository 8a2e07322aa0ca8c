//! Scores calibration images against a reference, exactly as a query will be: images that are held out, or the reference's
//! own with their group left out.

mod blocks;
mod calibrated;
mod held_out;
mod left_out;

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Result;
use sdd_drift::calibration::{CALIBRATION_ATTACHMENT, ClassCalibration};
use sdd_drift::calibration_images::{
    CALIBRATION_EMBEDDINGS_ATTACHMENT, CALIBRATION_IMAGES_ATTACHMENT,
};
use sdd_drift::score::SCORE_ATTACHMENT;
use sdd_drift::{Calibration, CalibrationImages, PValueWithin, Reference, Score, VerdictRule};
use sdd_index::FileStore;

pub use self::calibrated::Calibrated;
pub use self::left_out::LeftOut;
use crate::answer::count;
use crate::groups::Groups;
use crate::held_out::HeldOut;
use crate::interrupt::Interrupt;
use crate::remarks::Remarks;

/// Which images calibrate.
pub enum Calibrating {
    HeldOut(HeldOut),
    /// The reference's own images, with their groups told in this way.
    LeftOut(LeftOut, Groups),
}

impl Calibrating {
    /// Hands back the scores, and the held-out images that have one.
    pub fn calibrate(
        self,
        store: &Arc<FileStore>,
        score: Score,
        rule: VerdictRule,
        remarks: &mut Remarks,
        interrupt: &Interrupt,
    ) -> Result<Calibrated> {
        let reference = uncalibrated(store, score)?;
        let calibrated = match self {
            Self::HeldOut(images) => images.calibrate(&reference, rule, remarks, interrupt)?,
            Self::LeftOut(images, groups) => {
                images.calibrate(&reference, store, &groups, rule, remarks, interrupt)?
            }
        };
        warn(&calibrated.calibration);
        Ok(calibrated)
    }
}

/// The attachments of a store that is scored in this way, instead of those that it has.
pub fn attachments(
    store: &FileStore,
    score: Score,
    calibrated: Option<&Calibrated>,
) -> BTreeMap<String, Vec<u8>> {
    let ours = [
        SCORE_ATTACHMENT,
        CALIBRATION_ATTACHMENT,
        CALIBRATION_EMBEDDINGS_ATTACHMENT,
        CALIBRATION_IMAGES_ATTACHMENT,
    ];
    let others = store.manifest().attachments.keys().filter(|name| !ours.contains(&name.as_str()));
    let mut attachments: BTreeMap<_, _> =
        others.filter_map(|name| Some((name.clone(), store.attachment(name)?.to_vec()))).collect();
    attachments.insert(SCORE_ATTACHMENT.to_owned(), score.to_json());
    if let Some(Calibrated { calibration, images }) = calibrated {
        attachments.insert(CALIBRATION_ATTACHMENT.to_owned(), calibration.to_json());
        let images = images.iter().flat_map(CalibrationImages::to_attachments);
        attachments.extend(images.map(|(name, bytes)| (name.to_owned(), bytes)));
    }
    attachments
}

/// Fails if the score cannot be computed from these images at all.
pub fn uncalibrated(store: &Arc<FileStore>, score: Score) -> Result<Reference> {
    Ok(Reference::uncalibrated(Arc::clone(store), score)?)
}

/// Says which images will have no verdict: of classes that are judged by their own images, and have too few, or all.
fn warn(calibration: &Calibration) {
    let required = calibration.rule().required_images();
    let alpha = calibration.alpha();
    let has_verdicts = calibration.threshold().is_some();
    let by_class = calibration.rule().within == PValueWithin::PredictedClass;
    if let (Some(groups), false, false) = (calibration.groups(), has_verdicts, by_class) {
        eprintln!(
            "warning: the calibration is of {}, and it takes {required} for a verdict at alpha = {alpha}: until more \
             come, no image has one",
            count(groups, "group"),
        );
    }
    let classes = calibration.classes().into_iter().filter(|_| by_class);
    for entry in classes.filter(|entry| entry.threshold.is_none()) {
        let ClassCalibration { class, images, groups, .. } = entry;
        let found = groups.map_or_else(|| count(images, "image"), |groups| count(groups, "group"));
        eprintln!(
            "warning: class {} has {found} in the calibration, and it takes {required}: images of it will have no \
             verdict",
            class.as_deref().unwrap_or("-"),
        );
    }
}

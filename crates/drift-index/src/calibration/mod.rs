//! Scores calibration images against a reference, exactly as a query will be: images that are held out, or the reference's
//! own with their group left out.

mod entries;
mod held_out;
mod left_out;

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, Result};
use sdd_drift::calibration::{CALIBRATION_ATTACHMENT, ClassCalibration, check_rule_of_groups};
use sdd_drift::calibration_images::{
    CALIBRATION_EMBEDDINGS_ATTACHMENT, CALIBRATION_IMAGES_ATTACHMENT,
};
use sdd_drift::score::SCORE_ATTACHMENT;
use sdd_drift::{Calibration, CalibrationImages, PValueWithin, Reference, Score, VerdictRule};
use sdd_index::FileStore;

pub use self::left_out::LeftOut;
use crate::answer::count;
use crate::groups::Groups;
use crate::held_out::HeldOut;
use crate::interrupt;
use crate::remarks::Remarks;

/// Which images calibrate.
pub enum Calibrating {
    HeldOut(HeldOut),
    /// The reference's own images, with their groups told in this way.
    LeftOut(LeftOut, Groups),
}

/// Fails before the work where images of groups cannot calibrate in this way.
pub fn check_groups(
    groups: &Groups,
    leaves_out: bool,
    score: Score,
    rule: &VerdictRule,
) -> Result<()> {
    if leaves_out {
        score.method().check_group_left_out()?;
    }
    if groups.by().is_some() {
        check_rule_of_groups(rule)?;
    }
    Ok(())
}

/// A store with its score and calibration attached, in memory.
pub struct Scored {
    pub store: FileStore,
    pub score: Score,
    pub calibration: Option<Calibration>,
}

/// Scores the images that calibrate, if any do, against the rows of a store, and attaches the outcome to it.
pub fn scored(
    store: Arc<FileStore>,
    asked_for: Score,
    calibrating: Option<(Calibrating, VerdictRule)>,
    remarks: &mut Remarks,
) -> Result<Scored> {
    let score = asked_for.at_most(store.len());
    if score != asked_for {
        eprintln!("warning: there are fewer reference images than neighbors: the score is {score}");
    }
    // Fails now, and not when the store is opened, if these images cannot be compared with by this score.
    let reference = Reference::uncalibrated(Arc::clone(&store), score)?;
    let (calibration, images) = match calibrating {
        Some((Calibrating::HeldOut(images), rule)) => {
            let (calibration, images) = images.calibrate(&reference, rule, remarks)?;
            (Some(calibration), Some(images))
        }
        Some((Calibrating::LeftOut(images, groups), rule)) => {
            (Some(images.calibrate(&reference, &groups, rule, remarks)?), None)
        }
        None => (None, None),
    };
    calibration.iter().for_each(warn);
    interrupt::check()?;
    drop(reference);
    let attachments = attachments(&store, score, calibration.as_ref(), images.as_ref());
    let store = Arc::into_inner(store).context("the store is still in use")?;
    Ok(Scored { store: store.with_attachments(attachments)?, score, calibration })
}

/// Those of a store that is scored in this way, instead of those that it has.
fn attachments(
    store: &FileStore,
    score: Score,
    calibration: Option<&Calibration>,
    images: Option<&CalibrationImages>,
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
    let mut attach = |name: &str, bytes| attachments.insert(name.to_owned(), bytes);
    attach(SCORE_ATTACHMENT, score.to_json());
    if let Some(calibration) = calibration {
        attach(CALIBRATION_ATTACHMENT, calibration.to_json());
    }
    for (name, bytes) in images.into_iter().flat_map(CalibrationImages::to_attachments) {
        attach(name, bytes);
    }
    attachments
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

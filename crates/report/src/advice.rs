//! What to do, step by step, in the words of those who run the line.

use super::facts::ReferenceFacts;
use sdd_monitor::{MixStatus, MonitorReport, Status, TestName};

/// Calibrations below this explain so many false alarms that only large changes can be told from them.
const SMALL_CALIBRATION: usize = 200;

pub(super) fn what_to_do(drift: &MonitorReport, reference: &ReferenceFacts) -> Vec<String> {
    let Some(calibration) = &reference.calibration else {
        return vec![
            "Build the reference again with images that were held out of training \
             (drift-index build --calibrate DIR): without them nobody can say which score is unusual."
                .into(),
        ];
    };
    let mut steps = match (drift.verdict, drift.appearance) {
        (Status::InsufficientData, _) => vec![format!(
            "Wait: {} more images that can be judged are needed before anything can be said.",
            drift.images_needed.unwrap_or(0)
        )],
        (Status::Stable, _) => {
            vec!["Nothing has to be done. Look again when the verdict changes: --drift-webhook tells of it.".into()]
        }
        (Status::Drifting, Status::Drifting) => appearance(drift),
        (Status::Drifting, _) => mix(),
    };
    if drift.appearance == Status::Drifting && drift.class_mix.status == MixStatus::Changed {
        steps.push(
            "The mix of predicted classes has changed as well. That can follow from the changed images; look at it \
             again once their cause is known."
                .into(),
        );
    }
    if calibration.images < SMALL_CALIBRATION {
        steps.push(format!(
            "Hold out more images: the calibration has {}, so that up to {:.0} % of images out of distribution count as \
             chance, and smaller changes are not found.",
            calibration.images,
            100.0 * drift.tolerated_share.unwrap_or(0.0)
        ));
    }
    steps
}

fn appearance(drift: &MonitorReport) -> Vec<String> {
    let mut steps = vec![
        "Look at the strangest images below, beside the training images that they are nearest to. What is different: \
         light, focus, position, dirt, another product?"
            .to_owned(),
    ];
    let first = drift.reasons.iter().filter(|reason| reason.test != TestName::ClassMix);
    if let Some(first) = first.min_by_key(|reason| reason.since.sequence) {
        steps.push(format!(
            "Find out what changed on the line at or before image {}, when the first alarm was raised.",
            first.since.sequence
        ));
    }
    steps.push(
        "If something is wrong with camera, light or parts: mend it, then begin a new epoch \
         (POST /admin/drift/reset, see --admin-address). Do not trust the classes of these images meanwhile."
            .into(),
    );
    steps.push(if drift.retrain_recommended {
        "If this is how images will look from now on: label some of them, train anew, build a new reference and load it \
         (SIGHUP, or POST /admin/reload, see --admin-address)."
            .into()
    } else {
        "The last images do not confirm the alarm yet. If they look as before, begin a new epoch; if not, wait for more."
            .into()
    });
    steps
}

fn mix() -> Vec<String> {
    vec![
        "The images look as they did, and the classes come in other shares. Ask first whether the parts have changed: \
         more defects than usual are a matter of production, not of the model."
            .into(),
        "Check some images of the class that has become more frequent by eye. If the model is right, leave it as it is."
            .into(),
        "If this mix is the usual one here, and the calibration's is not, run the server with --drift-class-mix report."
            .into(),
    ]
}

//! What to do, step by step, in the words of those who run the line.

use super::facts::ReferenceFacts;
use sdd_monitor::{Advice, MonitorReport, Status, TestName};

/// Calibrations of fewer groups find large changes only.
const FEW_GROUPS: u64 = 30;

pub(super) fn what_to_do(drift: &MonitorReport, reference: &ReferenceFacts) -> Vec<String> {
    let Some(calibration) = &reference.calibration else {
        return vec![
            "Build the reference again and say which images are of one part (--group-regex), or hold images out of \
             training (--calibrate): without either nobody can say which score is unusual."
                .into(),
        ];
    };
    let mut steps = match (drift.verdict, drift.appearance) {
        (Status::InsufficientData, _) => vec![format!(
            "Wait: {} more groups of images are needed before anything can be said.",
            drift.groups_needed.unwrap_or(0)
        )],
        (Status::Stable, _) => {
            vec!["Nothing has to be done. Look again when the verdict changes: --drift-webhook tells of it.".into()]
        }
        (Status::Drifting, Status::Drifting) => appearance(drift, calibration.groups.is_some()),
        (Status::Drifting, _) => mix(),
    };
    if let Some(unit) = &drift.unit
        && unit.calibration_groups < FEW_GROUPS
    {
        steps.push(format!(
            "Calibrate with more groups: it has {}, so that small changes are found late.",
            unit.calibration_groups
        ));
    }
    steps
}

fn appearance(drift: &MonitorReport, is_grouped: bool) -> Vec<String> {
    let mut steps = Vec::new();
    let is = |test| drift.reasons.iter().any(|reason| reason.test == test);
    if is(TestName::Repetition) {
        steps.push(
            "See whether the camera still takes pictures: the same one comes again and again."
                .to_owned(),
        );
    }
    steps.push(match drift.advice {
        Advice::Look if is(TestName::Properties) => {
            "Look at lamp, lens and camera first: the picture itself has changed, see below in what.".to_owned()
        }
        Advice::Look => "Look at camera and part first: what comes is far from everything that is known.".to_owned(),
        _ => "Look at the strangest images below, beside the training images that they are nearest to. What is \
              different: light, focus, position, dirt, another product?"
            .to_owned(),
    });
    let first = drift.reasons.iter().filter(|reason| reason.test != TestName::ClassMix);
    if let Some(first) = first.min_by_key(|reason| reason.since.sequence) {
        steps.push(format!(
            "Find out what changed on the line before image {}, when the first alarm was raised.",
            first.since.sequence
        ));
    }
    steps.push(
        "If something is wrong with camera, light or parts: mend it, then begin a new epoch. Do not trust the classes of \
         these images meanwhile."
            .into(),
    );
    if drift.retrain_recommended {
        steps.push(
            "If this is how images will look from now on: label some of them, train anew, and load the new model and \
             reference."
                .into(),
        );
    }
    if !is_grouped {
        steps.push(
            "Build the reference with --group-regex or --group-csv where several images show one part: without it each \
             image counts as a part of its own, and alarms come too easily."
                .into(),
        );
    }
    steps
}

fn mix() -> Vec<String> {
    vec![
        "The images look as they did, and the classes come in other shares. Ask first whether the parts have changed: \
         more defects than usual are a matter of production, not of the model."
            .into(),
        "Check some images of the class that has become more frequent by eye. If the model is right, leave it as it is."
            .into(),
        "If this mix is the usual one here, state it as the expected mix.".into(),
    ]
}

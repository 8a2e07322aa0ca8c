//! The report in a sentence or two.

use super::report::{MixStatus, MonitorReport};
use sdd_drift::Status;

/// What happened, and what to do.
pub(super) fn summary(report: &MonitorReport) -> String {
    let Some(window) = &report.window else {
        return "The reference has no calibration, so images are counted and not judged: build it with held-out images \
                (drift-index build --calibrate)."
            .to_owned();
    };
    if report.verdict == Status::InsufficientData {
        return format!(
            "Too few images for a verdict: {} more that the calibration can judge are needed.",
            report.images_needed.unwrap_or(0)
        );
    }
    let recent = &window.recent;
    let share = format!(
        "{:.1} % of the last {} images are out of distribution (95 % interval {:.1} to {:.1} %), and {:.1} % count as \
         no drift",
        100.0 * recent.share,
        recent.images,
        100.0 * recent.interval.low,
        100.0 * recent.interval.high,
        100.0 * report.tolerated_share.unwrap_or(0.0)
    );
    let mix = match report.class_mix.status {
        MixStatus::Changed => {
            " The mix of predicted classes is not that of the calibration images."
        }
        _ => "",
    };
    let advice = match (report.appearance, report.verdict) {
        _ if report.retrain_recommended => {
            " Look at the strangest images: if they are what the model will see from now on, label them and train anew; if \
             they are not, mend camera or light."
        }
        (Status::Drifting, _) => {
            " An alarm was raised, and the last images do not confirm it yet: look at the strangest images."
        }
        (_, Status::Drifting) => {
            " Images look as they did: look at why the classes come in another mix before the model is changed."
        }
        _ => " Nothing speaks for drift in the images' appearance.",
    };
    format!("{share}.{mix}{advice}")
}

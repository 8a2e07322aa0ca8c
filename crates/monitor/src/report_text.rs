//! What a report says in sentences.

use sdd_drift::Status;

use crate::report::{
    Advice, EstimateReport, ExpectedAccuracyReport, MonitorReport, NoEstimate, PropertyReport,
    Reason, UnitReport,
};
use crate::stream::Raised;
use crate::terms::TestName;

/// What happened, and what to do.
pub(crate) fn summary(report: &MonitorReport) -> String {
    let (Some(window), Some(evidence)) = (&report.window, &report.evidence) else {
        return "The reference has no calibration, so images are counted and not judged: build it with groups or with \
                held-out images."
            .to_owned();
    };
    if report.verdict == Status::InsufficientData {
        let needed = report.groups_needed.unwrap_or(0);
        return format!(
            "Too few groups for a verdict: an alarm is possible after some {needed} more ({}).",
            report.unit.as_ref().map_or("", |unit| &unit.message)
        );
    }
    let recent = &window.recent;
    let share = format!(
        "{:.1} % of the last {} images are out of distribution, where {:.1} % are expected",
        100.0 * recent.share,
        recent.images,
        100.0 * window.expected_share,
    );
    // Once of each test: what is seen in a stream is often seen in all together, too.
    let mut tests = Vec::new();
    let is_first = |reason: &&Reason| {
        let is_first = !tests.contains(&reason.test);
        tests.push(reason.test);
        is_first
    };
    let found: Vec<&str> =
        report.reasons.iter().filter(is_first).map(|reason| &*reason.message).collect();
    let advice = match report.advice {
        Advice::None => format!(
            "Nothing speaks for drift: the evidence is {:.3} and alarms at {:.0}.",
            evidence.value, evidence.alarm_at
        ),
        Advice::Look => "Look at camera, light and part before the model is changed.".to_owned(),
        Advice::Retrain => "Look at the strangest images: if they are what the model will see from now on, label them \
                            and train anew; if they are not, mend camera or light."
            .to_owned(),
        Advice::LookAtMix => "Images look as they did: look at why the classes come in another mix before the model is \
                              changed."
            .to_owned(),
    };
    let found =
        if found.is_empty() { String::new() } else { format!(" Found: {}.", found.join("; ")) };
    format!("{share}.{found} {advice}")
}

/// What the tested groups are.
/// `largest` is a group that has not ended and is very large: its name and images.
pub(crate) fn unit(unit: &UnitReport, groups: u64, largest: Option<(&str, u64)>) -> String {
    let calibration = if unit.calibration_is_grouped {
        format!("the calibration has {} groups", unit.calibration_groups)
    } else {
        format!(
            "the calibration does not say which of its {} images belong together, so each counts as a group of its own",
            unit.calibration_groups
        )
    };
    let blocks = match unit.block {
        1 => "each image counts as a group of its own".to_owned(),
        block => format!("{block} images in their order count as one"),
    };
    let of_stream = match unit.named {
        0 if groups > 0 => {
            format!("of the images nobody says which group they are of, so {blocks}")
        }
        named if named == groups && groups > 0 => {
            "the images come with the names of their groups".to_owned()
        }
        named if named > 0 => {
            format!("of the last {groups} groups {named} were named; of the others {blocks}")
        }
        _ => format!("where nobody says which group an image is of, {blocks}"),
    };
    let stream = largest.map_or(of_stream, |(name, images)| {
        format!(
            "the group `{name}` has {images} images and has not ended: is that the name of one part?"
        )
    });
    format!("{calibration}; {stream}")
}

/// What is said of images of streams that are not told apart; nothing where there are none.
pub(crate) fn untold(images: u64, streams: usize) -> String {
    match images {
        0 => String::new(),
        _ => format!(
            "; {images} images are of more streams than the {streams} that are told apart: they are counted and not tested"
        ),
    }
}

/// `brightness 9.0 % below the middle of the calibration in the last 16 groups; the calibration spreads by 4.0 %`.
pub(crate) fn property(property: &PropertyReport, groups: usize) -> String {
    let PropertyReport { property: name, middle, spread, .. } = property;
    let (Some(recent), Some(spreads)) = (property.recent, property.spreads) else {
        return format!("{name}: no group has come yet");
    };
    let side = if spreads < 0.0 { "below" } else { "above" };
    // Of what is hardly there a percentage says nothing.
    if middle.abs() < 1e-3 {
        return format!(
            "{name} {recent:.4} in the last {groups} groups, where the middle of the calibration is {middle:.4}"
        );
    }
    format!(
        "{name} {:.1} % {side} the middle of the calibration in the last {groups} groups; the calibration spreads by {:.1} %",
        100.0 * (recent / middle - 1.0).abs(),
        100.0 * (spread / middle).abs()
    )
}

/// What an alarm is about.
pub(crate) fn alarm(report: &MonitorReport, raised: &Raised, subject: Option<String>) -> String {
    let more = |more: &'static str, less: &'static str| if raised.is_greater { more } else { less };
    let found = match raised.test {
        TestName::Appearance => more(
            "images are less like the reference than those of the calibration",
            "images are closer to the reference than those of the calibration, as where the same few come again",
        )
        .to_owned(),
        TestName::Properties => {
            let known = report.properties.iter().find(|one| Some(&one.property) == subject.as_ref());
            known.map_or_else(String::new, |known| known.message.clone())
        }
        TestName::ClassMix => format!(
            "{} images are predicted as {} than the line is said to have",
            more("more", "fewer"),
            subject.unwrap_or_default()
        ),
        TestName::Repetition => String::new(),
    };
    let every = report.settings.groups_between_false_alarms;
    format!(
        "{found} (seen after {} groups; without drift such an alarm comes once in {every:.0} groups on average at most)",
        raised.at.group
    )
}

/// `97.1 % (96.0 to 98.0 %) of the decisions on images in distribution are expected to be right, …`.
pub(crate) fn expected_accuracy(report: &ExpectedAccuracyReport) -> String {
    let estimate = |estimate: &EstimateReport| {
        let (value, interval) = estimate.value.zip(estimate.interval)?;
        let [value, low, high] = [value, interval.low, interval.high].map(|share| 100.0 * share);
        Some(format!("{value:.1} % ({low:.1} to {high:.1} %)"))
    };
    let said = match report.unavailable {
        Some(NoEstimate::Drifting) => {
            "withheld while the verdict is drifting: the model's probabilities are calibrated on images like those of \
             training, and say nothing of others"
                .to_owned()
        }
        Some(NoEstimate::NoVerdict) => {
            "withheld until there is a verdict: it is said of images like those of the calibration".to_owned()
        }
        Some(NoEstimate::NotEnoughGroups) => format!(
            "it takes {} groups with images in distribution, and {:.1} have come (a few large ones count as fewer)",
            report.groups_needed,
            // Down, so that it is not as many as it takes.
            (10.0 * report.accuracy.effective_groups).floor() / 10.0
        ),
        None => {
            let positive = report.positive_class.as_deref().unwrap_or_default();
            let of_positive = |name, of: Option<&EstimateReport>| {
                let value = estimate(of?).unwrap_or_else(|| "known of too few groups".to_owned());
                Some(format!("; {name} of {positive}: {value}"))
            };
            [
                estimate(&report.accuracy),
                Some(" of the decisions on images in distribution are expected to be right".to_owned()),
                of_positive("precision", report.precision.as_ref()),
                of_positive("recall", report.recall.as_ref()),
                Some(
                    "; this takes the model's probabilities to be calibrated, and the mix of classes to change in no way \
                     that images do not show"
                        .to_owned(),
                ),
            ]
            .into_iter()
            .flatten()
            .collect()
        }
    };
    let share = report.share_in_distribution.map_or_else(String::new, |share| {
        format!("; {:.1} % of the images are in distribution", 100.0 * share)
    });
    let unjudged = match report.unjudged {
        0 => String::new(),
        unjudged => format!(
            "; {unjudged} could not be judged, since the calibration has too few groups or images of their class"
        ),
    };
    format!("{said}{share}{unjudged}")
}

/// What is said of a picture that comes again and again.
pub(crate) fn repetition(repeats: u64) -> String {
    format!(
        "the same picture has come {repeats} times in a row: a camera that stands still, or one file sent again"
    )
}

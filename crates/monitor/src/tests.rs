#![allow(clippy::unwrap_used)]

use fastrand::Rng;
use proptest::prelude::*;
use sdd_drift::Properties;

use super::*;

/// Normally distributed, by the method of Box and Muller.
fn normal(random: &mut Rng) -> f64 {
    (-2.0 * (1.0 - random.f64()).ln()).sqrt() * (std::f64::consts::TAU * random.f64()).cos()
}

/// Groups as lines have them: what their images share, and what each has of its own.
#[derive(Clone, Copy)]
struct Line {
    /// Images of a group.
    images: usize,
    /// The correlation of two scores of one group.
    correlation: f64,
    /// By how much scores lie higher than those of the calibration.
    shift: f64,
    /// The share of defects, group by group.
    defects: f64,
    /// By how much pictures are brighter, in gray levels.
    brighter: f64,
}

const QUIET: Line = Line { images: 8, correlation: 0.5, shift: 0.0, defects: 0.2, brighter: 0.0 };

impl Line {
    fn group(self, name: &str, random: &mut Rng) -> Vec<Observation> {
        let of_group = self.correlation.sqrt() * normal(random);
        let light = 6.0 * normal(random);
        let is_defect = random.f64() < self.defects;
        let image = |_| {
            let score = of_group + (1.0 - self.correlation).sqrt() * normal(random) + self.shift;
            let brightness = 180.0 + light + self.brighter + normal(random);
            Observation {
                predicted_class: if is_defect { "defect" } else { "good" }.into(),
                score: if is_defect { 10.0 + 2.0 * score } else { 3.0 + score },
                p_value: Some(0.5),
                out_of_distribution: Some(score > 1.7),
                group: Some(name.to_owned()),
                request_id: random.u64(..).to_string(),
                image_sha256: Some(random.u64(..).to_string()),
                properties: Some(Properties::of_array([brightness, 40.0, 3.0, 1.0, 0.01])),
                ..Observation::default()
            }
        };
        (0..self.images).map(image).collect()
    }

    fn groups(self, count: usize, random: &mut Rng) -> Vec<Observation> {
        (0..count).flat_map(|_| self.group(&random.u64(..).to_string(), random)).collect()
    }

    fn baseline(self, groups: usize, random: &mut Rng) -> Baseline {
        let images = self.groups(groups, random).into_iter().map(|seen| CalibratedImage {
            group: seen.group,
            class: seen.predicted_class,
            score: seen.score,
            properties: seen.properties,
        });
        Baseline::new(0.05, images.collect())
    }
}

fn baseline() -> Baseline {
    QUIET.baseline(120, &mut Rng::with_seed(1))
}

fn monitor(settings: MonitorSettings) -> Monitor {
    Monitor::new(settings, Some(baseline())).unwrap()
}

fn image(class: &str, out_of_distribution: Option<bool>) -> Observation {
    Observation {
        predicted_class: class.into(),
        out_of_distribution,
        p_value: out_of_distribution.map(|out| if out { 0.01 } else { 0.5 }),
        score: 0.5,
        ..Observation::default()
    }
}

fn observed(monitor: &Monitor, images: impl IntoIterator<Item = Observation>) -> MonitorState {
    let mut state = monitor.start(0);
    for (time_ms, image) in (0..).zip(images) {
        state.observe(monitor, &Observation { time_ms, ..image }).unwrap();
    }
    state
}

fn tests_of(report: &MonitorReport) -> Vec<TestName> {
    report.reasons.iter().map(|reason| reason.test).collect()
}

#[test]
fn groups_like_the_calibrations_are_stable() {
    let monitor = monitor(MonitorSettings::default());
    let report =
        monitor.report(&observed(&monitor, QUIET.groups(300, &mut Rng::with_seed(2)))).unwrap();
    assert_eq!((report.verdict, report.appearance), (Status::Stable, Status::Stable));
    assert!(report.reasons.is_empty() && report.advice == Advice::None);
    // The last group is not complete.
    let evidence = report.evidence.unwrap();
    assert_eq!(
        (evidence.groups, report.images_ever, report.streams[0].open_group_images),
        (299, 2400, 8)
    );
    assert!(evidence.value < evidence.alarm_at && evidence.probability_of_ever > 0.01);
    assert!(report.unit.unwrap().message.contains("120 groups"));
    assert_eq!(report.groups.len(), 16);
}

#[test]
fn images_that_look_otherwise_are_found_within_a_few_groups() {
    let monitor = monitor(MonitorSettings::default());
    let mut random = Rng::with_seed(3);
    let quiet = QUIET.groups(100, &mut random);
    let strange = Line { shift: 3.0, ..QUIET }.groups(10, &mut random);
    let report = monitor.report(&observed(&monitor, quiet.into_iter().chain(strange))).unwrap();
    assert_eq!((report.verdict, report.appearance), (Status::Drifting, Status::Drifting));
    assert_eq!((tests_of(&report), report.advice), (vec![TestName::Appearance], Advice::Retrain));
    assert!(
        report.retrain_recommended && report.summary.contains("train anew"),
        "{}",
        report.summary
    );
    let since = report.reasons[0].since;
    assert!((101..=107).contains(&since.group), "{since:?}");
    assert_eq!(i64::try_from(since.sequence).unwrap(), since.time_ms + 1);
    assert_eq!(report.evidence.unwrap().alarm, Some(since));
}

#[test]
fn images_of_a_class_that_the_calibration_does_not_have_are_found() {
    let monitor = monitor(MonitorSettings::default());
    let mut random = Rng::with_seed(15);
    let new = Line { shift: 5.0, defects: 0.0, ..QUIET }.groups(30, &mut random);
    let new = new.into_iter().map(|seen| Observation { predicted_class: "new".into(), ..seen });
    let report = monitor.report(&observed(&monitor, new)).unwrap();
    assert_eq!(tests_of(&report), [TestName::Appearance]);
}

#[test]
fn images_that_move_inward_are_found_too() {
    let monitor = monitor(MonitorSettings::default());
    let mut random = Rng::with_seed(4);
    let inward = Line { shift: -2.0, ..QUIET }.groups(30, &mut random);
    let report = monitor.report(&observed(&monitor, inward)).unwrap();
    assert_eq!(tests_of(&report), [TestName::Appearance]);
    assert!(report.reasons[0].message.contains("closer"), "{}", report.reasons[0].message);
}

#[test]
fn a_darker_picture_is_told_as_such_and_is_no_reason_to_train() {
    let monitor = monitor(MonitorSettings::default());
    let mut random = Rng::with_seed(5);
    let quiet = QUIET.groups(50, &mut random);
    let darker = Line { brighter: -25.0, ..QUIET }.groups(20, &mut random);
    let report = monitor.report(&observed(&monitor, quiet.into_iter().chain(darker))).unwrap();
    assert_eq!((tests_of(&report), report.advice), (vec![TestName::Properties], Advice::Look));
    assert_eq!(report.reasons[0].subject.as_deref(), Some("brightness"));
    assert!(!report.retrain_recommended);
    let message = &report.properties[0].message;
    assert!(message.contains("% below the middle of the calibration"), "{message}");
}

#[test]
fn what_is_far_from_everything_is_to_be_looked_at_before_anyone_trains() {
    let monitor = monitor(MonitorSettings::default());
    let foreign = Line { shift: 60.0, ..QUIET }.groups(12, &mut Rng::with_seed(6));
    let report = monitor.report(&observed(&monitor, foreign)).unwrap();
    assert_eq!((report.verdict, report.advice), (Status::Drifting, Advice::Look));
    let window = report.window.unwrap();
    assert_eq!(window.far, window.recent.images);
}

#[test]
fn the_mix_alarms_only_where_one_is_expected() {
    let mut random = Rng::with_seed(7);
    let mut groups = |defects| Line { defects, ..QUIET }.groups(300, &mut random);
    let (sound, usual, defective) = (groups(0.0), groups(0.2), groups(0.8));
    let verdict = |expected_mix: Option<&str>, images: &[Observation]| {
        let expected_mix = expected_mix.map(|text| text.parse().unwrap());
        let monitor = monitor(MonitorSettings { expected_mix, ..MonitorSettings::default() });
        let report = monitor.report(&observed(&monitor, images.to_vec())).unwrap();
        (report.verdict, report.appearance, report.advice)
    };
    let stable = (Status::Stable, Status::Stable, Advice::None);
    let changed = (Status::Drifting, Status::Stable, Advice::LookAtMix);
    assert_eq!(verdict(None, &sound), stable);
    assert_eq!(verdict(None, &defective), stable);
    assert_eq!(verdict(Some("calibration"), &usual), stable);
    assert_eq!(verdict(Some("calibration"), &defective), changed);
    // What is stated is a number, and fewer defects than that are found as well as more.
    assert_eq!(verdict(Some("defect=0.2"), &usual), stable);
    assert_eq!(verdict(Some("defect=0.2"), &sound), changed);
    assert_eq!(verdict(Some("defect=0.2"), &defective), changed);
    assert_eq!(verdict(Some("defect=0.001"), &sound), stable);
}

#[test]
fn one_picture_again_and_again_is_told_while_it_lasts() {
    let monitor = monitor(MonitorSettings::default());
    let still = QUIET.group("still", &mut Rng::with_seed(8)).remove(0);
    let mut state = observed(&monitor, std::iter::repeat_n(still, 20));
    let report = monitor.report(&state).unwrap();
    assert_eq!((tests_of(&report), report.advice), (vec![TestName::Repetition], Advice::Look));
    assert_eq!(report.verdict, Status::Drifting);
    for image in QUIET.groups(1, &mut Rng::with_seed(9)) {
        state.observe(&monitor, &image).unwrap();
    }
    assert_ne!(monitor.report(&state).unwrap().verdict, Status::Drifting);
}

#[test]
fn before_an_alarm_is_possible_it_says_how_many_groups_are_missing() {
    let monitor = monitor(MonitorSettings::default());
    let needed = monitor.report(&monitor.start(0)).unwrap().groups_needed.unwrap();
    assert!((2..10).contains(&needed), "{needed}");
    let mut random = Rng::with_seed(10);
    let needed = usize::try_from(needed).unwrap();
    let report = monitor.report(&observed(&monitor, QUIET.groups(needed, &mut random))).unwrap();
    assert_eq!((report.verdict, report.groups_needed), (Status::InsufficientData, Some(1)));
    assert!(report.summary.contains("after some 1 more"), "{}", report.summary);
    let report =
        monitor.report(&observed(&monitor, QUIET.groups(needed + 1, &mut random))).unwrap();
    assert_eq!((report.verdict, report.groups_needed), (Status::Stable, Some(0)));
}

#[test]
fn without_a_calibration_images_are_counted() {
    let monitor = Monitor::new(MonitorSettings::default(), None).unwrap();
    let images = (0..300).map(|i| Observation { score: f64::from(i), ..image("good", None) });
    let report = monitor.report(&observed(&monitor, images)).unwrap();
    assert_eq!((report.verdict, report.images_ever), (Status::InsufficientData, 300));
    assert!(report.window.is_none() && report.summary.contains("no calibration"));
    assert_eq!((report.groups_needed, report.evidence), (None, None));
}

#[test]
fn images_without_a_group_come_in_blocks_and_late_ones_are_not_tested() {
    let monitor = monitor(MonitorSettings::default());
    let mut random = Rng::with_seed(11);
    let nameless = |seen: Observation| Observation { group: None, ..seen };
    let images = QUIET.groups(5, &mut random).into_iter().map(nameless);
    let report = monitor.report(&observed(&monitor, images)).unwrap();
    assert_eq!(report.evidence.unwrap().groups, 5);
    let unit = report.unit.unwrap();
    assert_eq!((unit.block, unit.named), (8, 0));
    assert!(unit.message.contains("nobody says"), "{}", unit.message);

    // Two servers that answer for one line: the last images of a group come after the first of the next one.
    let (mut first, second) = (QUIET.group("a", &mut random), QUIET.group("b", &mut random));
    let late = first.split_off(6);
    let order =
        first.into_iter().chain([second[0].clone()]).chain(late).chain(second[1..].to_vec());
    let state = observed(&monitor, order.chain(QUIET.group("c", &mut random)));
    let report = monitor.report(&state).unwrap();
    let groups: Vec<_> = report.groups.iter().map(|g| (g.group.as_deref(), g.images)).collect();
    assert_eq!(groups, [(Some("b"), 8), (Some("a"), 6)]);

    // A name that comes again later is another group.
    let again = ["a", "b", "a", "b"].into_iter();
    let again = again.flat_map(|name| Line { images: 9, ..QUIET }.group(name, &mut random));
    let report = monitor.report(&observed(&monitor, again.collect::<Vec<_>>())).unwrap();
    assert_eq!(report.evidence.unwrap().groups, 3);
}

#[test]
fn each_stream_has_a_verdict_and_so_have_all_together() {
    let monitor = monitor(MonitorSettings { streams: 2, ..MonitorSettings::default() });
    let mut random = Rng::with_seed(12);
    let of = |stream: &str, images: Vec<Observation>| {
        let name = |seen| Observation { stream: Some(stream.to_owned()), ..seen };
        images.into_iter().map(name).collect::<Vec<_>>()
    };
    let strange = Line { shift: 3.0, ..QUIET };
    let mut images = Vec::new();
    for _ in 0..40 {
        // Two cameras see parts in turn; a third one comes too late to be told apart.
        images.extend(of("left", QUIET.groups(1, &mut random)));
        images.extend(of("right", strange.groups(1, &mut random)));
        images.extend(of("late", QUIET.groups(1, &mut random)));
    }
    let report = monitor.report(&observed(&monitor, images)).unwrap();
    let verdicts: Vec<_> =
        report.streams.iter().map(|s| (s.stream.as_deref(), s.verdict)).collect();
    let expected = [(Some("left"), Status::Stable), (Some("right"), Status::Drifting)];
    assert_eq!((report.verdict, verdicts), (Status::Drifting, expected.to_vec()));
    assert!(report.reasons.iter().any(|reason| reason.stream.as_deref() == Some("right")));
    let unit = report.unit.unwrap().message;
    assert!(unit.ends_with("320 images are of more streams than the 2 that are told apart: they are counted and not tested"));
    assert_eq!(report.evidence.unwrap().groups, 39 + 39);
}

#[test]
fn a_part_that_several_cameras_see_is_no_evidence_by_itself() {
    let settings =
        MonitorSettings { groups_between_false_alarms: 2000.0, ..MonitorSettings::default() };
    let mut alarms = 0;
    for seed in 0..40 {
        let mut random = Rng::with_seed(seed);
        let baseline = Line { images: 4, ..QUIET }.baseline(40, &mut random);
        let monitor = Monitor::new(settings.clone(), Some(baseline)).unwrap();
        let mut images = Vec::new();
        for part in 0..100 {
            // Four pictures by each of four cameras, and the part is the same.
            let seen = Line { images: 16, ..QUIET }.group(&part.to_string(), &mut random);
            images.extend(
                seen.into_iter()
                    .enumerate()
                    .map(|(i, seen)| Observation { stream: Some((i % 4).to_string()), ..seen }),
            );
        }
        alarms += usize::from(observed(&monitor, images).alarm().is_some());
    }
    // 400 groups were tested in each: one in five alarms at most, on average.
    assert!(alarms <= 14, "{alarms} of 40");
}

#[test]
fn an_epoch_begins_by_a_reset_or_by_other_settings_and_numbers_go_on() {
    let first = monitor(MonitorSettings::default());
    let mut random = Rng::with_seed(13);
    let strange = Line { shift: 4.0, ..QUIET };
    let mut state = observed(&first, strange.groups(40, &mut random));
    assert_eq!(first.report(&state).unwrap().verdict, Status::Drifting);
    state.reset(&first, 1000);
    let report = first.report(&state).unwrap();
    assert_eq!(
        (report.verdict, report.epoch.because),
        (Status::InsufficientData, EpochStart::Reset)
    );
    assert_eq!(
        (report.epoch.number, report.epoch.began_ms, report.images_ever),
        (2, Some(1000), 320)
    );
    assert!(report.evidence.unwrap().alarm.is_none());
    // A window is told of and not tested.
    let other = monitor(MonitorSettings { window: 20, ..MonitorSettings::default() });
    state.observe(&other, &image("good", Some(true))).unwrap();
    assert_eq!(other.report(&state).unwrap().epoch.number, 2);
    let other = monitor(MonitorSettings {
        groups_between_false_alarms: 77.0,
        ..MonitorSettings::default()
    });
    let before = other.report(&state).unwrap();
    state.observe(&other, &image("good", Some(true))).unwrap();
    let after = other.report(&state).unwrap();
    for report in [&before, &after] {
        assert_eq!((report.epoch.number, report.epoch.because), (3, EpochStart::Settings));
    }
    assert_eq!((before.epoch.images, after.epoch.images, after.images_ever), (0, 1, 322));
    // Streams of before take no place among those of the new epoch.
    let settings = MonitorSettings { streams: 1, ..MonitorSettings::default() };
    let (one, other) =
        (monitor(settings.clone()), monitor(MonitorSettings { tolerance: 0.5, ..settings }));
    let of =
        |stream: &str| Observation { stream: Some(stream.into()), ..image("good", Some(false)) };
    let mut state = observed(&one, [of("left")]);
    state.observe(&other, &of("right")).unwrap();
    assert_eq!(other.report(&state).unwrap().streams[0].stream.as_deref(), Some("right"));
}

#[test]
fn of_a_state_of_before_the_numbers_go_on() {
    let json = r#"{"format_version":2,"basis":null,"sequence":1234,"last_ms":99,"cusum":0.5,
                   "epoch":{"number":3,"began_ms":5,"began_after":1000,"because":"reset"}}"#;
    let monitor = monitor(MonitorSettings::default());
    let of_before = |head: &str| {
        MonitorState::read(&StoredState { head: head.to_owned(), ..StoredState::default() })
    };
    let mut state = of_before(json).unwrap();
    let step = state.observe(&monitor, &image("good", Some(true))).unwrap();
    assert_eq!((step.sequence, step.epoch), (1235, 4));
    assert_eq!(of_before(&json.replace("\":2", "\":1")).unwrap().sequence(), 1234);
    for version in ["3", "4"] {
        let refused = of_before(&json.replace("\":2", &format!("\":{version}"))).unwrap_err();
        assert_eq!(refused.code(), "unreadable_monitor_state", "{version}");
    }
}

/// Images of a model that is calibrated: each is a defect with the probability that it says, which images of a group
/// share in part. Also how many of the decisions are right.
fn decided(groups: usize, shift: f64, random: &mut Rng) -> (Vec<Observation>, u32) {
    let (mut images, mut right) = (Vec::new(), 0);
    for _ in 0..groups {
        let (group, odds, strangeness) =
            (random.u64(..).to_string(), normal(random), normal(random));
        for _ in 0..8 {
            let p = 1.0 / (1.0 + (2.2 - 1.2 * odds - 1.5 * normal(random)).exp());
            let is_called = p >= 0.4;
            let score = 3.0 + 0.7 * (strangeness + normal(random)) + shift;
            right += u32::from((random.f64() < p) == is_called);
            images.push(Observation {
                predicted_class: if is_called { "defect" } else { "good" }.into(),
                confidence: if is_called { p } else { 1.0 - p },
                score,
                p_value: Some(0.5),
                out_of_distribution: Some(score > 4.6),
                group: Some(group.clone()),
                request_id: random.u64(..).to_string(),
                image_sha256: Some(random.u64(..).to_string()),
                ..Observation::default()
            });
        }
    }
    (images, right)
}

#[test]
fn accuracy_without_labels_is_within_its_interval_and_withheld_while_drifting() {
    let mut random = Rng::with_seed(30);
    let calibrated = decided(80, 0.0, &mut random).0.into_iter().map(|seen| CalibratedImage {
        group: seen.group,
        class: seen.predicted_class,
        score: seen.score,
        properties: None,
    });
    let settings =
        MonitorSettings { positive_class: Some("defect".into()), ..MonitorSettings::default() };
    let baseline = Baseline::new(0.05, calibrated.collect());
    let monitor = Monitor::new(settings, Some(baseline)).unwrap();

    let (many, right) = decided(100_000, 0.0, &mut random);
    let is_called = |image: &&Observation| image.predicted_class == "defect";
    let sum = |images: &mut dyn Iterator<Item = &Observation>| {
        images.map(|image| image.confidence).sum::<f64>()
    };
    let called_right = sum(&mut many.iter().filter(is_called));
    let not_called =
        many.iter().filter(|image| !is_called(image)).map(|image| 1.0 - image.confidence);
    let truth = [
        f64::from(right) / many.len() as f64,
        called_right / many.iter().filter(is_called).count() as f64,
        called_right / (called_right + not_called.sum::<f64>()),
    ];
    let (mut held, mut told) = ([0_u32; 3], 0);
    for _ in 0..300 {
        let report = monitor.report(&observed(&monitor, decided(61, 0.0, &mut random).0)).unwrap();
        let expected = report.expected_accuracy.unwrap();
        if report.verdict != Status::Stable {
            assert_eq!(expected.unavailable, Some(NoEstimate::Drifting));
            continue;
        }
        told += 1;
        let estimates = [expected.accuracy, expected.precision.unwrap(), expected.recall.unwrap()];
        for ((held, estimate), truth) in held.iter_mut().zip(estimates).zip(truth) {
            let interval = estimate.interval.unwrap();
            assert!(interval.low < estimate.value.unwrap() && interval.high - interval.low < 0.4);
            *held += u32::from((interval.low..=interval.high).contains(&truth));
        }
        // What is out of distribution is not counted, and not all groups have as many others.
        assert!((400..480).contains(&expected.images) && expected.accuracy.effective_groups > 50.0);
        assert!(expected.share_in_distribution < Some(1.0) && expected.unjudged == 0);
        assert_eq!(
            report.streams[0].expected_accuracy.as_ref().unwrap().accuracy,
            expected.accuracy
        );
    }
    // As often as 95 % of them, within three standard errors: neither too short nor of no use.
    let (mean, error) = (0.95 * f64::from(told), (0.95 * 0.05 * f64::from(told)).sqrt());
    let is_as_stated = |held: &u32| (f64::from(*held) - mean).abs() <= 3.0 * error;
    assert!(told > 290 && held.iter().all(is_as_stated), "{held:?} of {told}");

    let said = |state: &MonitorState| {
        let expected = monitor.report(state).unwrap().expected_accuracy.unwrap();
        let is_whole =
            expected.accuracy.value.is_some() && expected.recall.unwrap().value.is_some();
        (is_whole, expected.unavailable)
    };
    let mut state = monitor.start(0);
    assert_eq!(said(&state), (false, Some(NoEstimate::NoVerdict)));
    let mut see = |state: &mut MonitorState, groups, shift| {
        for image in decided(groups, shift, &mut random).0 {
            state.observe(&monitor, &image).unwrap();
        }
    };
    see(&mut state, 8, 0.0);
    assert_eq!(said(&state), (false, Some(NoEstimate::NotEnoughGroups)));
    see(&mut state, 40, 0.0);
    assert_eq!(said(&state), (true, None));
    see(&mut state, 15, 4.0);
    assert_eq!(said(&state), (false, Some(NoEstimate::Drifting)));
    state.reset(&monitor, 7);
    see(&mut state, 40, 0.0);
    assert_eq!(said(&state), (true, None));
    // Of images that could not be judged nothing is said.
    let unjudged = Observation { out_of_distribution: None, p_value: None, ..image("good", None) };
    state.observe(&monitor, &unjudged).unwrap();
    let expected = monitor.report(&state).unwrap().expected_accuracy.unwrap();
    assert!(expected.unjudged == 1 && expected.message.contains("1 could not be judged"));
}

/// Of streams without drift, in which groups have 1, 8 or 50 images that hang together a little or nearly wholly.
#[test]
fn false_alarms_are_as_rare_as_stated_however_images_hang_together() {
    let run_length = 50;
    for (seed, (images, correlation)) in
        (20..).zip([(1, 0.0), (1, 0.5), (8, 0.0), (8, 0.5), (8, 0.95), (50, 0.5)])
    {
        let mut random = Rng::with_seed(seed);
        let line = Line { images, correlation, ..QUIET };
        let (mut groups, mut alarms) = (0, 0);
        for _ in 0..40 {
            // The calibration has groups of 8.
            let baseline = Line { correlation, ..QUIET }.baseline(40, &mut random);
            let settings = MonitorSettings {
                groups_between_false_alarms: f64::from(run_length),
                expected_mix: Some(ExpectedMix::Calibration),
                ..MonitorSettings::default()
            };
            let monitor = Monitor::new(settings, Some(baseline)).unwrap();
            let mut state = monitor.start(0);
            for _ in 0..4 * run_length {
                for image in line.group(&random.u64(..).to_string(), &mut random) {
                    state.observe(&monitor, &image).unwrap();
                }
                groups += 1;
                if monitor.report(&state).unwrap().evidence.unwrap().alarm.is_some() {
                    alarms += 1;
                    break;
                }
            }
        }
        // As many as there are alarms lie between them at least, but for chance.
        let mean = f64::from(groups) / f64::from(alarms.max(1));
        assert!(mean >= f64::from(run_length), "{images} images, {correlation}: {mean}");
    }
}

/// A state as one document: `{"head": …, "parts": {KEY: …}}`.
fn document(mut state: MonitorState) -> serde_json::Value {
    let StoredState { head, parts } = state.store().unwrap();
    let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    let parts = parts.iter().map(|(key, text)| (key.to_string(), read(text)));
    serde_json::json!({"head": read(&head), "parts": parts.collect::<serde_json::Map<_, _>>()})
}

/// The reverse, whatever was made of it.
fn read(document: &serde_json::Value) -> Result<MonitorState> {
    let parts = document["parts"].as_object().into_iter().flatten();
    let parts = parts.map(|(key, part)| (key.parse().unwrap(), part.to_string())).collect();
    MonitorState::read(&StoredState { head: document["head"].to_string(), parts })
}

/// Every place of a document, as keys and positions that lead there.
fn places(value: &serde_json::Value, here: &str, found: &mut Vec<String>) {
    found.push(here.to_owned());
    match value {
        serde_json::Value::Object(fields) => {
            fields.iter().for_each(|(key, value)| places(value, &format!("{here}/{key}"), found));
        }
        serde_json::Value::Array(items) => {
            let items = items.iter().enumerate();
            items.for_each(|(i, item)| places(item, &format!("{here}/{i}"), found));
        }
        _ => {}
    }
}

#[test]
fn a_state_with_any_field_forged_is_refused_or_can_be_worked_with() {
    let monitor = monitor(MonitorSettings {
        window: 20,
        expected_mix: Some("defect=0.1".parse().unwrap()),
        ..MonitorSettings::default()
    });
    let mut random = Rng::with_seed(14);
    let mut state = observed(&monitor, QUIET.groups(3, &mut random));
    state.reset(&monitor, 7);
    for (i, mut image) in QUIET.groups(4, &mut random).into_iter().enumerate() {
        image.stream = (i < 20).then(|| "left".to_owned());
        state.observe(&monitor, &image).unwrap();
    }
    let whole = document(state);
    let mut all = Vec::new();
    places(&whole, "", &mut all);
    let forged = [
        "null",
        "0",
        "-1",
        "7",
        "0.5",
        "1e308",
        "18446744073709551615",
        "-9223372036854775808",
        "\"\"",
        "[]",
        "{}",
        "true",
    ];
    let (mut refused, mut taken) = (0, Vec::new());
    for value in forged {
        let mut chosen = random.fork();
        for place in all.iter().filter(|_| chosen.u8(..) < 40) {
            let mut document = whole.clone();
            *document.pointer_mut(place).unwrap() = serde_json::from_str(value).unwrap();
            let Ok(mut state) = read(&document) else {
                refused += 1;
                continue;
            };
            taken.push(format!("{place} = {value}"));
            // None of it may panic.
            let in_force = monitor.in_force(&state).map(|monitor| monitor.report(&state));
            drop(in_force);
            for image in QUIET.groups(2, &mut random) {
                let _ = state.observe(&monitor, &image);
            }
            state.declare(&monitor, 8);
            state.reset(&monitor, 9);
            monitor.report(&state).unwrap();
        }
    }
    assert!(refused > 500 && !taken.is_empty(), "{refused} {}", taken.len());
    for (place, value) in [
        ("/head/state/epoch/number", "18446744073709551615"),
        ("/head/state/sequence", "7"),
        ("/head/state/totals/judged", "7"),
        ("/head/parts/all", "7"),
    ] {
        let mut document = whole.clone();
        *document.pointer_mut(place).unwrap() = serde_json::from_str(value).unwrap();
        assert!(read(&document).is_err(), "{place}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_state_that_was_stored_goes_on_as_if_it_had_not_been(
        groups in 1..40_usize, size in 1..12_usize, cut in 0.0..1.0_f64, seed in any::<u64>(),
    ) {
        let settings = MonitorSettings {
            window: 20, expected_mix: Some(ExpectedMix::Calibration), ..MonitorSettings::default()
        };
        let monitor = monitor(settings);
        let images = Line { images: size, ..QUIET }.groups(groups, &mut Rng::with_seed(seed));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the images")]
        let cut = (images.len() as f64 * cut) as usize;
        let whole = observed(&monitor, images.clone());
        let mut stored = observed(&monitor, images[..cut].to_vec());
        stored = read(&document(stored)).unwrap();
        for (time_ms, image) in (0..).zip(images).skip(cut) {
            stored.observe(&monitor, &Observation { time_ms, ..image }).unwrap();
        }
        prop_assert_eq!(monitor.report(&stored).unwrap(), monitor.report(&whole).unwrap());
        prop_assert_eq!(&stored, &whole);
        let size = document(whole.clone()).to_string().len();
        prop_assert!(size < 60_000, "{}", size);
        // What an image changes that completes no group.
        let _ = stored.store().unwrap();
        let group = stored.streams[""].seen.open.as_ref().and_then(|open| open.name.clone());
        let next = Observation { group, ..image("good", Some(false)) };
        stored.observe(&monitor, &next).unwrap();
        let StoredState { head, parts } = stored.store().unwrap();
        let size = head.len() + parts.values().map(String::len).sum::<usize>();
        prop_assert!(parts.len() == 1 && size < 12_000, "{} parts of {}", parts.len(), size);
    }

    #[test]
    fn what_is_no_state_is_an_error(
        head in "\\PC{0,60}", of_head in any::<bool>(), position in 0..1200_usize, letter in proptest::char::any(),
    ) {
        let nothing = StoredState { head, ..StoredState::default() };
        prop_assert!(MonitorState::read(&nothing).is_err());
        let monitor = monitor(MonitorSettings { window: 20, ..MonitorSettings::default() });
        let mut stored = observed(&monitor, QUIET.groups(6, &mut Rng::with_seed(9))).store().unwrap();
        let change = |text: &mut String| {
            let mut letters: Vec<char> = text.chars().collect();
            let position = position % letters.len();
            letters[position] = letter;
            *text = letters.into_iter().collect();
        };
        if of_head { change(&mut stored.head) } else { stored.parts.values_mut().for_each(change) }
        if let Ok(mut state) = MonitorState::read(&stored) {
            // It may be another state; it must not be one that cannot be worked with.
            let _ = monitor.report(&state);
            let _ = state.observe(&monitor, &image("good", Some(true)));
        }
    }
}

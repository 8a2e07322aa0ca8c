#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

fn baseline() -> Baseline {
    Baseline::new(0.05, vec![CalibratedRate { images: 360, above: 17 }])
        .with_class_mix([("defect".to_owned(), 90), ("good".to_owned(), 270)])
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

/// A stream of a class mix and a rate.
fn stream(images: usize, defects: f64, rate: f64, seed: u64) -> impl Iterator<Item = Observation> {
    let mut random = fastrand::Rng::with_seed(seed);
    (0..images).map(move |_| {
        let class = if random.f64() < defects { "defect" } else { "good" };
        image(class, Some(random.f64() < rate))
    })
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
fn a_stream_like_the_calibration_is_stable() {
    let monitor = monitor(MonitorSettings::default());
    let report = monitor.report(&observed(&monitor, stream(3000, 0.25, 0.05, 1))).unwrap();
    assert_eq!((report.verdict, report.appearance), (Status::Stable, Status::Stable));
    assert!(report.reasons.is_empty() && !report.retrain_recommended);
    assert_eq!(report.class_mix.status, MixStatus::Unchanged);
    assert_eq!((report.images_ever, report.epoch.judged.images), (3000, 3000));
    let window = report.window.unwrap();
    assert_eq!((window.recent.images, window.test.unwrap().at.image), (500, 3000));
}

#[test]
fn images_that_change_are_found_with_their_class_and_told_apart_from_the_mix() {
    let monitor = monitor(MonitorSettings::default());
    let mut random = fastrand::Rng::with_seed(3);
    let only_defects = (0..1000).map(|i| {
        let class = if i % 4 == 0 { "defect" } else { "good" };
        let rate = if class == "defect" { 0.9 } else { 0.03 };
        image(class, Some(random.f64() < rate))
    });
    let report = monitor.report(&observed(&monitor, only_defects)).unwrap();
    assert_eq!((report.verdict, report.appearance), (Status::Drifting, Status::Drifting));
    assert_eq!(tests_of(&report), [TestName::EProcess, TestName::Cusum, TestName::Window]);
    assert!(
        report.retrain_recommended && report.summary.contains("train anew"),
        "{}",
        report.summary
    );
    assert!(report.reasons.iter().all(|reason| reason.classes == ["defect"]));
    assert!(report.reasons[0].value >= report.reasons[0].threshold);
    let alarm = report.e_process.unwrap().alarm.unwrap();
    assert!(alarm.image < 200 && i64::try_from(alarm.image).unwrap() == alarm.time_ms + 1);
    assert_eq!(report.class_mix.status, MixStatus::Unchanged);
}

#[test]
fn an_alarm_stays_when_the_images_are_as_before_and_the_windows_goes() {
    let monitor = monitor(MonitorSettings::default());
    let drift = stream(60, 0.25, 0.6, 11).chain(stream(2940, 0.25, 0.03, 12));
    let report = monitor.report(&observed(&monitor, drift)).unwrap();
    assert_eq!(tests_of(&report), [TestName::EProcess, TestName::Cusum]);
    assert!(report.reasons.iter().all(|reason| reason.value >= reason.threshold));
    let cusum = report.cusum.unwrap();
    assert!(cusum.value < cusum.threshold && cusum.largest >= cusum.threshold, "{cusum:?}");
    assert!(!report.window.unwrap().test.unwrap().alarm);
}

#[test]
fn a_changed_mix_alone_leaves_appearance_stable_and_advises_no_training() {
    let defects_only = stream(1000, 0.6, 0.05, 5);
    let loud = monitor(MonitorSettings::default());
    let state = observed(&loud, defects_only);
    let report = loud.report(&state).unwrap();
    assert_eq!((report.verdict, report.appearance), (Status::Drifting, Status::Stable));
    assert_eq!(tests_of(&report), [TestName::ClassMix]);
    assert!(!report.retrain_recommended && report.summary.contains("mix"), "{}", report.summary);
    let quiet = MonitorSettings { class_mix: ClassMixRule::Report, ..MonitorSettings::default() };
    let report = monitor(quiet).report(&state).unwrap();
    assert_eq!((report.verdict, report.class_mix.status), (Status::Stable, MixStatus::Changed));
}

#[test]
fn below_the_minimum_it_says_how_many_are_missing() {
    let monitor = monitor(MonitorSettings::default());
    let mut state = observed(&monitor, (0..99).map(|_| image("good", Some(true))));
    state.observe(&monitor, &image("good", None)).unwrap();
    let report = monitor.report(&state).unwrap();
    assert_eq!((report.verdict, report.images_needed), (Status::InsufficientData, Some(1)));
    assert!(report.reasons.is_empty() && report.summary.contains("1 more"), "{}", report.summary);
    assert_eq!((report.epoch.images, report.epoch.judged.images), (100, 99));
    state.observe(&monitor, &image("good", Some(true))).unwrap();
    assert_eq!(monitor.report(&state).unwrap().verdict, Status::Drifting);
}

#[test]
fn without_a_calibration_images_are_counted() {
    let monitor = Monitor::new(MonitorSettings::default(), None).unwrap();
    let report =
        monitor.report(&observed(&monitor, (0..300).map(|_| image("good", None)))).unwrap();
    assert_eq!((report.verdict, report.images_ever), (Status::InsufficientData, 300));
    assert!(report.window.is_none() && report.summary.contains("no calibration"));
    assert_eq!(report.images_needed, None);
    assert_eq!(report.class_mix.status, MixStatus::Unavailable);
}

#[test]
fn an_epoch_begins_by_a_reset_or_by_other_settings_and_numbers_go_on() {
    let first = monitor(MonitorSettings::default());
    let mut state = observed(&first, (0..300).map(|_| image("good", Some(true))));
    state.reset(&first, 1000);
    let report = first.report(&state).unwrap();
    assert_eq!(
        (report.verdict, report.epoch.because),
        (Status::InsufficientData, EpochStart::Reset)
    );
    assert_eq!(
        (report.epoch.number, report.epoch.began_ms, report.images_ever),
        (2, Some(1000), 300)
    );
    assert!(report.e_process.unwrap().alarm.is_none());
    for _ in 0..120 {
        state.observe(&first, &image("good", Some(true))).unwrap();
    }
    assert_eq!(first.report(&state).unwrap().verdict, Status::Drifting);
    let other =
        monitor(MonitorSettings { false_alarm_probability: 0.001, ..MonitorSettings::default() });
    let before = other.report(&state).unwrap();
    state.observe(&other, &image("good", Some(true))).unwrap();
    let after = other.report(&state).unwrap();
    for report in [&before, &after] {
        assert_eq!((report.epoch.number, report.epoch.because), (3, EpochStart::Settings));
    }
    assert_eq!((before.epoch.images, after.epoch.images, after.images_ever), (0, 1, 421));
}

#[test]
fn a_tolerated_share_is_tolerated_by_every_test_and_more_is_not() {
    let tolerant = monitor(MonitorSettings {
        tolerated_share: Some(0.3),
        share_to_find: Some(0.5),
        ..MonitorSettings::default()
    });
    let report = tolerant.report(&observed(&tolerant, stream(3000, 0.25, 0.28, 7))).unwrap();
    assert_eq!(report.verdict, Status::Stable, "{:?}", report.reasons);
    assert_eq!(report.tolerated_share, Some(0.3));
    let report = tolerant.report(&observed(&tolerant, stream(1000, 0.25, 0.5, 8))).unwrap();
    assert_eq!(tests_of(&report), [TestName::EProcess, TestName::Cusum, TestName::Window]);
    let strict = monitor(MonitorSettings::default());
    let report = strict.report(&observed(&strict, stream(1000, 0.25, 0.28, 7))).unwrap();
    assert!(report.retrain_recommended);
}

#[test]
fn a_reason_names_the_classes_whose_part_of_the_mix_has_changed_and_no_others() {
    let mix =
        [("a", 100), ("b", 100), ("c", 100), ("d", 100)].map(|(name, n)| (name.to_owned(), n));
    let rate = CalibratedRate { images: 400, above: 20 };
    let monitor = Monitor::new(
        MonitorSettings::default(),
        Some(Baseline::new(0.05, vec![rate]).with_class_mix(mix)),
    )
    .unwrap();
    // a and b exchange a part of theirs, c and d have what they had.
    let classes = (0..500).map(|i| match i % 20 {
        0..8 => "a",
        8..10 => "b",
        10..15 => "c",
        _ => "d",
    });
    let report =
        monitor.report(&observed(&monitor, classes.map(|c| image(c, Some(false))))).unwrap();
    assert_eq!(tests_of(&report), [TestName::ClassMix]);
    assert_eq!(report.reasons[0].classes, ["a", "b"]);
    assert_eq!(report.class_mix.permuted, Some(false));
}

/// Nine of a rare class in 64 calibration images and 500 of now: too few for the chi-square distribution.
#[test]
fn a_mix_of_small_counts_is_tested_by_permutations() {
    let mix = [("defect".to_owned(), 1), ("good".to_owned(), 63)];
    let rate = CalibratedRate { images: 64, above: 2 };
    let baseline = Baseline::new(0.05, vec![rate]).with_class_mix(mix);
    let monitor = Monitor::new(MonitorSettings::default(), Some(baseline)).unwrap();
    let report = |defects: usize, new: usize| {
        let class = |i| match i {
            i if i < defects => "defect",
            i if i < defects + new => "new",
            _ => "good",
        };
        let state = observed(&monitor, (0..500).map(|i| image(class(i), Some(false))));
        let stored = MonitorState::from_json(&state.to_json().unwrap()).unwrap();
        let mix = monitor.report(&stored).unwrap().class_mix;
        assert_eq!(mix, monitor.report(&state).unwrap().class_mix);
        mix
    };
    let same = report(8, 0);
    assert_eq!((same.status, same.permuted), (MixStatus::Unchanged, Some(true)));
    // That none of 64 is of a class with 100 in 564 has probability 4e-6; of one with 30 in 564, 3 %.
    let new = report(8, 100);
    assert_eq!((new.status, new.permuted), (MixStatus::Changed, Some(true)), "{new:?}");
    let few = report(8, 30);
    assert_eq!((few.status, few.permuted), (MixStatus::Unchanged, Some(true)), "{few:?}");
}

/// Every calibration that a store may have gives a monitor, and a small one says what it cannot find.
#[test]
fn small_calibrations_give_a_monitor_that_says_what_it_can_find() {
    for (images, above) in [(1, 0), (4, 0), (19, 0), (64, 2), (99, 4), (5000, 249)] {
        let rate = CalibratedRate { images, above };
        let alpha = rate.mean();
        let monitor =
            Monitor::new(MonitorSettings::default(), Some(Baseline::new(alpha, vec![rate])))
                .unwrap();
        let cusum = monitor.tests().unwrap().cusum();
        assert!(cusum.p1 >= (3.0 * alpha).min(0.99) && cusum.p1 > cusum.p0, "{cusum:?}");
        let report = monitor
            .report(&observed(&monitor, (0..500).map(|_| image("good", Some(true)))))
            .unwrap();
        assert_eq!(report.verdict, Status::Drifting, "{images}");
    }
    let none = Monitor::new(MonitorSettings::default(), Some(Baseline::new(0.05, Vec::new())));
    assert_eq!(none.unwrap_err().code(), "invalid_argument");
}

/// 300 streams of 2,000 images, each judged by a calibration of its own.
#[test]
fn false_alarms_are_as_rare_as_stated() {
    let settings = MonitorSettings {
        false_alarm_probability: 0.05,
        window: 200,
        ..MonitorSettings::default()
    };
    let mut random = fastrand::Rng::with_seed(2024);
    let (mut ever, mut windows, mut window_alarms) = (0, 0, 0);
    let monitor = monitor(settings);
    for _ in 0..300 {
        // The rate of this calibration: the 18th smallest of 360 uniform numbers.
        let mut scores: Vec<f64> = (0..360).map(|_| random.f64()).collect();
        scores.sort_by(f64::total_cmp);
        let rate = scores[17];
        let mut state = monitor.start(0);
        for _ in 0..2000 {
            state.observe(&monitor, &image("good", Some(random.f64() < rate))).unwrap();
            if state.totals.judged.is_multiple_of(200) {
                windows += 1;
                let report = monitor.report(&state).unwrap();
                window_alarms += i32::from(report.window.unwrap().test.unwrap().alarm);
            }
        }
        ever += i32::from(state.e_process_alarm.is_some());
    }
    // 15 expected at most; 99.9 % of such experiments stay below 27.
    assert!(ever < 27, "{ever}");
    assert_eq!(windows, 3000);
    // 1 % nominal, and windows of one calibration hang together: 2 % is beyond four standard errors.
    assert!(window_alarms < 60, "{window_alarms}");
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
    let monitor = monitor(MonitorSettings { window: 20, ..MonitorSettings::default() });
    let images = (0..70).map(|i| {
        let class = ["good", "defect", "new"][i % 3];
        Observation { score: i as f64, p_value: Some(0.3), ..image(class, Some(i % 4 == 0)) }
    });
    let mut state = observed(&monitor, images);
    state.reset(&monitor, 7);
    for i in 0..70 {
        state.observe(&monitor, &image("good", (i % 7 > 0).then_some(i % 3 == 0))).unwrap();
    }
    let whole: serde_json::Value = serde_json::from_str(&state.to_json().unwrap()).unwrap();
    let mut all = Vec::new();
    places(&whole, "", &mut all);
    let forged = [
        "null",
        "0",
        "1",
        "-1",
        "7",
        "0.5",
        "1e308",
        "18446744073709551615",
        "9223372036854775807",
    ];
    let forged = forged.into_iter().chain(["-9223372036854775808", "\"\"", "[]", "{}", "true"]);
    let (mut refused, mut taken) = (0, Vec::new());
    for value in forged {
        for place in &all {
            let mut document = whole.clone();
            *document.pointer_mut(place).unwrap() = serde_json::from_str(value).unwrap();
            let Ok(mut state) = MonitorState::from_json(&document.to_string()) else {
                refused += 1;
                continue;
            };
            taken.push(format!("{place} = {value}"));
            // None of it may panic.
            let in_force = monitor.in_force(&state).map(|monitor| monitor.report(&state));
            drop(in_force);
            for _ in 0..25 {
                let _ = state.observe(&monitor, &image("new", Some(true)));
            }
            let _ = monitor.report(&state);
            state.declare(&monitor, 8);
            state.reset(&monitor, 9);
            monitor.report(&state).unwrap();
        }
    }
    assert!(refused > 500 && !taken.is_empty(), "{refused} {}", taken.len());
    // What led to a panic: a window that was full and not tested.
    for place in [
        "/check = null",
        "/totals/judged = 7",
        "/epoch/number = 18446744073709551615",
        "/sequence = 7",
    ] {
        assert!(!taken.contains(&place.to_owned()), "{place}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_state_that_was_stored_goes_on_as_if_it_had_not_been(
        images in proptest::collection::vec((0..3_usize, proptest::option::of(proptest::bool::weighted(0.2))), 1..400),
        cut in 0.0..1.0_f64,
    ) {
        let monitor = monitor(MonitorSettings { window: 20, minimum_images: 5, ..MonitorSettings::default() });
        let images: Vec<_> = images.iter().map(|(class, out)| image(["defect", "good", "new"][*class], *out)).collect();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the images")]
        let cut = (images.len() as f64 * cut) as usize;
        let whole = observed(&monitor, images.clone());
        let mut stored = observed(&monitor, images[..cut].to_vec());
        stored = MonitorState::from_json(&stored.to_json().unwrap()).unwrap();
        for (time_ms, image) in (0..).zip(images).skip(cut) {
            stored.observe(&monitor, &Observation { time_ms, ..image }).unwrap();
        }
        prop_assert_eq!(monitor.report(&stored).unwrap(), monitor.report(&whole).unwrap());
        prop_assert!(stored.to_json().unwrap().len() < 8_000);
        prop_assert_eq!(stored, whole);
    }

    #[test]
    fn no_alarm_below_the_minimum_and_no_verdict_without_a_reason(
        rate in 0.0..1.0_f64, images in 1..250_usize, minimum in 1..250_usize, seed in 0..1000_u64,
    ) {
        let monitor = monitor(MonitorSettings { minimum_images: minimum, window: 50, ..MonitorSettings::default() });
        let report = monitor.report(&observed(&monitor, stream(images, 0.25, rate, seed))).unwrap();
        prop_assert_eq!(report.verdict == Status::InsufficientData, images < minimum);
        prop_assert_eq!(report.verdict == Status::Drifting, !report.reasons.is_empty());
        prop_assert_eq!(report.images_needed, Some(minimum.saturating_sub(images) as u64));
        prop_assert!(report.verdict != Status::Stable || !report.retrain_recommended);
        for reason in &report.reasons {
            prop_assert!(reason.since.image <= images as u64);
            let is_beyond = match reason.test {
                TestName::EProcess | TestName::Cusum => reason.value >= reason.threshold,
                TestName::Window | TestName::ClassMix => reason.value <= reason.threshold,
            };
            prop_assert!(is_beyond, "{:?}", reason);
        }
    }

    #[test]
    fn what_is_no_state_is_an_error(json in "\\PC{0,60}", position in 0..400_usize, letter in proptest::char::any()) {
        prop_assert!(MonitorState::from_json(&json).is_err());
        let monitor = monitor(MonitorSettings { window: 20, ..MonitorSettings::default() });
        let state = observed(&monitor, stream(60, 0.25, 0.2, 9));
        let mut text: Vec<char> = state.to_json().unwrap().chars().collect();
        text[position] = letter;
        if let Ok(mut state) = MonitorState::from_json(&text.into_iter().collect::<String>()) {
            // It may be another state; it must not be one that cannot be worked with.
            let _ = monitor.report(&state);
            let _ = state.observe(&monitor, &image("good", Some(true)));
        }
    }
}

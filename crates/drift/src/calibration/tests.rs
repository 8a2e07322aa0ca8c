use serde_json::{Value, json};

use super::*;
use crate::Error;
use sdd_stats::conformal::{PValueKind, PValueWithin};

fn calibration() -> Calibration {
    let entry = |i: u32| CalibrationEntry {
        score: 1.0 / f64::from(i),
        predicted_class: Some("good".into()),
        label: i.is_multiple_of(2).then(|| "good".into()),
        ..CalibrationEntry::default()
    };
    let group_by = GroupBy::CsvColumn("item".into());
    let source = CalibrationSource::Split { group_by, share: 0.2, seed: 7 };
    let entries = (1..=20).map(entry).collect();
    Calibration::new(Score::default(), 0.1, entries, None, source).unwrap()
}

fn reread(change: impl FnOnce(&mut Value)) -> Result<Calibration> {
    let mut json: Value = serde_json::from_slice(&calibration().to_json()).unwrap();
    change(&mut json);
    Calibration::from_json(&serde_json::to_vec(&json).unwrap())
}

#[test]
fn every_bit_is_read_back() {
    assert_eq!(reread(|_| ()).unwrap(), calibration());
}

#[test]
fn threshold_is_the_largest_score_inside() {
    // ⌊0.1 · 21⌋ = 2: one calibration score may lie above an out-of-distribution score.
    assert_eq!(calibration().threshold(), Some(0.5));
    assert_eq!(calibration().entries()[18].score, 0.5);
}

#[test]
fn contradictions_are_named_by_their_field() {
    let cases: [(&str, Value, &str); 11] = [
        ("/threshold", json!(0.25), "`threshold`"),
        ("/threshold", json!(null), "`threshold`"),
        ("/images", json!(21), "`images`"),
        ("/groups", json!(0), "`groups`"),
        ("/groups", json!(99), "`groups`"),
        ("/source/share", json!(1.5), "`source.share`"),
        ("/alpha", json!(0.0), "alpha"),
        ("/alpha", json!(0.001), "at least 999"),
        ("/k", json!(null), "`k`"),
        ("/scores/3/score", json!(0.9), "`scores[4].score`"),
        ("/scores", json!([]), "`images`"),
    ];
    for (pointer, value, expected) in cases {
        let error = reread(|json| *json.pointer_mut(pointer).unwrap() = value).unwrap_err();
        assert!(error.to_string().contains(expected), "{pointer}: {error}");
    }
}

#[test]
fn what_is_no_calibration_is_an_error_and_never_a_panic() {
    let json = calibration().to_json();
    for end in 0..json.len() - 2 {
        assert!(Calibration::from_json(&json[..end]).is_err());
    }
    for text in ["null", "[]", "{}", r#"{"format_version":"1"}"#, r#"{"format_version":-1}"#] {
        assert!(Calibration::from_json(text.as_bytes()).is_err(), "{text}");
    }
    let error = reread(|json| json["scores"][19]["score"] = json!(null)).unwrap_err();
    assert_eq!(error.code(), "unreadable_attachment");
    for version in [2, 4] {
        let other = reread(|json| json["format_version"] = json!(version)).unwrap_err();
        assert_eq!(other.code(), "unsupported_version");
    }
}

/// 19 images predicted good and 7 predicted defect, whose scores are larger.
fn by_class(p_value: PValueKind) -> Result<Calibration> {
    let entry = |i: u32| CalibrationEntry {
        score: f64::from(i),
        predicted_class: Some(if i <= 19 { "good" } else { "defect" }.into()),
        ..CalibrationEntry::default()
    };
    let rule = VerdictRule { alpha: 0.05, p_value, within: PValueWithin::PredictedClass };
    let entries = (1..=26).map(entry).collect();
    Calibration::with_rule(Score::default(), rule, entries, None, CalibrationSource::Directory)
}

#[test]
fn within_a_class_its_own_images_decide() {
    let calibration = by_class(PValueKind::Marginal).unwrap();
    assert_eq!(calibration.threshold(), None);
    let verdict = |score| calibration.judge(score, Some("good")).unwrap();
    let (inside, outside) = (verdict(19.0), verdict(19.5));
    assert_eq!((inside.p_value, inside.threshold, inside.out_of_distribution), (0.1, 19.0, false));
    assert_eq!((outside.p_value, outside.out_of_distribution), (0.05, true));
}

#[test]
fn a_class_with_too_few_images_says_how_many_it_takes() {
    let calibration = by_class(PValueKind::Marginal).unwrap();
    let too_few = |class: &str, images| Unavailable::NotEnoughCalibrationImages {
        class: class.into(),
        images,
        required: 19,
    };
    assert_eq!(calibration.judge(1e9, Some("defect")), Err(too_few("defect", 7)));
    assert_eq!(calibration.judge(1e9, Some("other")), Err(too_few("other", 0)));
    assert_eq!(calibration.judge(1e9, None), Err(Unavailable::ClassNotGiven));
    let class = |class: &str, images, threshold| ClassCalibration {
        class: Some(class.into()),
        images,
        groups: None,
        threshold,
    };
    assert_eq!(calibration.classes(), [class("defect", 7, None), class("good", 19, Some(19.0))]);
}

#[test]
fn without_a_class_to_judge_there_is_no_calibration() {
    let error = by_class(PValueKind::Simes { delta: 0.01 }).unwrap_err();
    assert!(matches!(error, Error::NoClassCalibrated { images: 19, required: 180, .. }), "{error}");
    let entry = CalibrationEntry { score: 1.0, ..CalibrationEntry::default() };
    let rule = VerdictRule { within: PValueWithin::PredictedClass, ..VerdictRule::marginal(0.5) };
    let source = CalibrationSource::Directory;
    let error =
        Calibration::with_rule(Score::default(), rule, vec![entry], None, source).unwrap_err();
    assert!(error.to_string().contains("scores[0].predicted_class"), "{error}");
}

fn of_kind(p_value: PValueKind) -> Calibration {
    let entry = |i: u32| CalibrationEntry { score: f64::from(i), ..CalibrationEntry::default() };
    let rule = VerdictRule { alpha: 0.05, p_value, within: PValueWithin::All };
    let entries = (1..=1200).map(entry).collect();
    Calibration::with_rule(Score::default(), rule, entries, None, CalibrationSource::Directory)
        .unwrap()
}

#[test]
fn stronger_guarantees_have_larger_thresholds() {
    let thresholds = [PValueKind::Marginal, PValueKind::Simes { delta: 0.01 }].map(|kind| {
        let calibration = of_kind(kind);
        let threshold = calibration.threshold().unwrap();
        let is_out = |score| calibration.judge(score, None).unwrap().out_of_distribution;
        assert!(!is_out(threshold) && is_out(threshold.next_up()), "{kind}");
        threshold
    });
    assert!(thresholds[0] < thresholds[1], "{thresholds:?}");
}

#[test]
fn a_calibration_too_small_for_its_kind_says_how_many_it_takes() {
    let entry = |i: u32| CalibrationEntry { score: f64::from(i), ..CalibrationEntry::default() };
    for (kind, required) in [(PValueKind::Marginal, 19), (PValueKind::Simes { delta: 0.01 }, 180)] {
        let rule = VerdictRule { p_value: kind, ..VerdictRule::marginal(0.05) };
        let with = |images: u32| {
            let (entries, source) =
                ((1..=images).map(entry).collect(), CalibrationSource::Embeddings);
            Calibration::with_rule(Score::default(), rule, entries, None, source)
        };
        assert!(with(required).is_ok());
        let message = with(required - 1).unwrap_err().to_string();
        assert!(message.contains(&format!("at least {required}")), "{message}");
    }
}

#[test]
fn every_kind_is_read_back_and_a_forged_one_refused() {
    let simes = of_kind(PValueKind::Simes { delta: 0.01 });
    for calibration in [simes.clone(), by_class(PValueKind::Marginal).unwrap()] {
        assert_eq!(Calibration::from_json(&calibration.to_json()).unwrap(), calibration);
    }
    let reread = |pointer: &str, value: Value| {
        let mut json: Value = serde_json::from_slice(&simes.to_json()).unwrap();
        *json.pointer_mut(pointer).unwrap() = value;
        Calibration::from_json(&serde_json::to_vec(&json).unwrap()).unwrap_err()
    };
    assert_eq!(reread("/p_value/delta", json!(0.0)).code(), "invalid_argument");
    assert_eq!(reread("/p_value/kind", json!("exact")).code(), "unreadable_attachment");
    assert_eq!(reread("/within", json!("label")).code(), "unreadable_attachment");
    assert_eq!(reread("/p_value/delta", json!(0.5)).code(), "invalid_calibration");
}

/// Of group g = 0 … `groups` − 1 the scores g and g + 1/4, g + 2/4, … of as many images as `images` says.
fn by_groups(
    groups: usize,
    images: impl Fn(usize) -> usize,
    rule: VerdictRule,
) -> Result<Calibration> {
    let entries = (0..groups).flat_map(|group| {
        let entry = move |image: usize| CalibrationEntry {
            id: Some(format!("{group}/{image}.png")),
            score: group as f64 + image as f64 / 4.0,
            predicted_class: Some(if image == 0 { "defect" } else { "good" }.into()),
            label: None,
            group: Some(group.to_string()),
            properties: None,
        };
        (0..images(group)).map(entry)
    });
    let group_by = GroupBy::Folder(1);
    let source = CalibrationSource::LeaveOneGroupOut { group_by: group_by.clone() };
    Calibration::with_rule(Score::default(), rule, entries.collect(), Some(group_by), source)
}

#[test]
fn groups_count_once_however_many_images_they_have() {
    let calibration = by_groups(19, |group| 1 + group % 4, VerdictRule::marginal(0.05)).unwrap();
    assert_eq!((calibration.groups(), calibration.smallest_p_value()), (Some(19), 0.05));
    assert_eq!(calibration.group_by(), Some(&GroupBy::Folder(1)));
    let judge = |score| calibration.judge(score, None).unwrap();
    // Above all images of the last group, and above two of its three.
    assert_eq!(judge(18.6).p_value, 0.05);
    assert!((judge(18.5).p_value - (1.0 + 1.0 / 3.0) / 20.0).abs() < 1e-12);
    assert_eq!(calibration.threshold(), Some(18.5));
    let json = calibration.to_json();
    assert_eq!(Calibration::from_json(&json).unwrap(), calibration);
    let mut json: Value = serde_json::from_slice(&json).unwrap();
    assert_eq!((&json["format_version"], &json["groups"]), (&json!(3), &json!(19)));
    assert_eq!(json["group_by"], json!({"folder": 1}));
    json["groups"] = json!(18);
    let error = Calibration::from_json(&serde_json::to_vec(&json).unwrap()).unwrap_err();
    assert!(error.to_string().contains("`groups`"), "{error}");
}

#[test]
fn too_few_groups_are_a_calibration_without_verdicts() {
    let calibration = by_groups(8, |_| 8, VerdictRule::marginal(0.05)).unwrap();
    let too_few = Unavailable::NotEnoughCalibrationGroups { class: None, groups: 8, required: 19 };
    assert_eq!(calibration.judge(1e9, None), Err(too_few));
    assert_eq!((calibration.threshold(), calibration.smallest_p_value()), (None, 1.0 / 9.0));
    assert_eq!(Calibration::from_json(&calibration.to_json()).unwrap(), calibration);
}

#[test]
fn within_a_class_its_own_groups_count() {
    let rule = VerdictRule { within: PValueWithin::PredictedClass, ..VerdictRule::marginal(0.05) };
    // Each group has an image predicted defect, and every other one of good.
    let calibration = by_groups(20, |group| 1 + group % 2, rule).unwrap();
    assert_eq!(calibration.judge(19.1, Some("defect")).unwrap().p_value, 1.0 / 21.0);
    let few = |class: &str, groups| {
        let class = Some(class.into());
        Err(Unavailable::NotEnoughCalibrationGroups { class, groups, required: 19 })
    };
    assert_eq!(calibration.judge(1e9, Some("good")), few("good", 10));
    assert_eq!(calibration.judge(1e9, Some("other")), few("other", 0));
    let groups = |class: ClassCalibration| (class.images, class.groups, class.threshold.is_some());
    let classes: Vec<_> = calibration.classes().into_iter().map(groups).collect();
    assert_eq!(classes, [(20, Some(20), true), (10, Some(10), false)]);
    assert!(by_groups(3, |_| 2, rule).is_ok(), "no class has enough");
}

#[test]
fn groups_are_of_all_images_and_for_marginal_p_values() {
    let simes =
        VerdictRule { p_value: PValueKind::Simes { delta: 0.01 }, ..VerdictRule::marginal(0.05) };
    let error = by_groups(200, |_| 1, simes).unwrap_err();
    assert_eq!(error.code(), "p_value_of_groups");
    let mut json: Value = serde_json::from_slice(
        &by_groups(20, |_| 1, VerdictRule::marginal(0.05)).unwrap().to_json(),
    )
    .unwrap();
    json["scores"][7]["group"] = json!(null);
    let error = Calibration::from_json(&serde_json::to_vec(&json).unwrap()).unwrap_err();
    assert!(error.to_string().contains("scores[7].group"), "{error}");
}

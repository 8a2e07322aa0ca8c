//! `drift-index` with other p-values than the marginal ones among all images.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::support::{Random, Said, folder, run, save_npy};

/// 60 reference rows and 200 held-out ones in two classes, the second with only 12.
fn write(path: &Path) {
    let mut random = Random::new(5);
    save_npy(&random.normal_matrix(60, 4), &path.join("x.npy"));
    save_npy(&random.normal_matrix(200, 4), &path.join("held_out.npy"));
    save_npy(&(random.normal_matrix(1, 4) + 50.0), &path.join("q.npy"));
    let classes = |count: usize, of_a: usize| {
        (0..count).map(|row| if row < of_a { "a\n" } else { "b\n" }).collect::<String>()
    };
    for class in ["a", "b"] {
        fs::write(path.join(format!("{class}.txt")), class).unwrap();
    }
    fs::write(path.join("labels.txt"), classes(60, 30)).unwrap();
    fs::write(path.join("predicted.txt"), classes(200, 188)).unwrap();
}

fn build(path: &Path, more: &str) -> Said {
    let build = "build x.npy --classes labels.txt --normalize none --json --out store \
                 --calibrate held_out.npy --calibrate-classes predicted.txt";
    run(path, &format!("{build} {more}"))
}

fn check(path: &Path, more: &str) -> Said {
    run(path, &format!("check store q.npy {more}"))
}

#[test]
fn a_promise_for_this_calibration_takes_more_images() {
    let folder = folder();
    let path = folder.path();
    write(path);
    let built = build(path, "--p-value simes").expect_code(0).json();
    assert_eq!(built["calibration"]["p_value"], json!({"kind": "simes", "delta": 0.01}));
    assert_eq!(built["calibration"]["within"], "all");
    let found = check(path, "--json").expect_code(1).json()["results"][0]["p_value"].as_f64();
    // 1 − δ^{1/k} with k = 100.
    assert!((found.unwrap() - (1.0 - 0.01_f64.powf(0.01))).abs() < 1e-12, "{found:?}");
    assert!(run(path, "show store").out.contains("alpha 0.05, simes with delta 0.01"));

    let refused = build(path, "--p-value simes --delta 1e-5").expect_code(2).json();
    assert_eq!(refused["error"]["code"], "calibration_too_small");
    let message = refused["error"]["message"].as_str().unwrap();
    assert!(message.contains("it has 200 images") && message.contains("450"), "{message}");
    build(path, "--p-value simes --delta 0.3 --alpha 0.2").expect_code(0);
}

#[test]
fn a_class_with_too_few_images_gets_no_verdict() {
    let folder = folder();
    let path = folder.path();
    write(path);
    let said = build(path, "--p-value-within predicted-class").expect_code(0);
    assert!(
        said.err.contains("class b has 12 images in the calibration, and it takes 19"),
        "{}",
        said.err
    );
    let calibration = said.json()["calibration"].clone();
    assert_eq!(calibration["threshold"], json!(null));
    assert_eq!(calibration["classes"][0]["images"], 188);
    assert_eq!(calibration["classes"][1], json!({"class": "b", "images": 12, "threshold": null}));
    let info = run(path, "show store").expect_code(0).out;
    assert!(info.contains("188 a: out of distribution above"), "{info}");
    assert!(info.contains("12 b: no verdict, which takes 19"), "{info}");

    let judged = check(path, "--classes a.txt --json").expect_code(1).json()["results"][0].clone();
    assert_eq!(judged["p_value"], 1.0 / 189.0);
    assert_eq!(judged["unavailable"], json!(null));
    let unknown = check(path, "--classes b.txt --json").expect_code(4).json()["results"][0].clone();
    for field in ["p_value", "threshold", "out_of_distribution"] {
        assert_eq!(unknown[field], json!(null), "{field}");
    }
    let message = "not enough calibration images of class `b`: there are 12, and it takes 19";
    let expected = json!({
        "reason": "not_enough_calibration_images", "message": message,
        "class": "b", "images": 12, "required": 19,
    });
    assert_eq!(unknown["unavailable"], expected);
    let text = check(path, "--classes b.txt").expect_code(4).out;
    assert!(text.contains(&format!("verdict     none: {message}")), "{text}");
    run(path, "show store --verify").expect_code(0);
}

#[test]
fn no_class_with_enough_images_is_an_error() {
    let folder = folder();
    let path = folder.path();
    write(path);
    let refused =
        build(path, "--p-value-within predicted-class --alpha 0.004").expect_code(2).json();
    assert_eq!(refused["error"]["code"], "no_class_calibrated");
    let message = refused["error"]["message"].as_str().unwrap();
    assert!(message.contains("the largest has 188") && message.contains("249"), "{message}");
    let nameless = "build x.npy --calibrate held_out.npy --out store \
                    --p-value-within predicted-class";
    let said = run(path, nameless).expect_code(2);
    assert!(said.err.contains("--calibrate-classes"), "{}", said.err);
}

#[test]
fn the_mahalanobis_score_needs_classes() {
    let folder = folder();
    let path = folder.path();
    write(path);
    build(path, "--score mahalanobis").expect_code(0);
    assert_eq!(check(path, "--json").expect_code(1).json()["score"]["method"], "mahalanobis");
    let code =
        |arguments: &str| run(path, arguments).expect_code(2).json()["error"]["code"].clone();
    let build = "build x.npy --score mahalanobis --out other --json";
    assert_eq!(code(build), "too_few_classes");
    assert_eq!(code(&format!("{build} --calibrate held_out.npy")), "too_few_classes");
    assert!(!path.join("other").exists());
}

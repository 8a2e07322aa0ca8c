//! `drift-index check` of single images, and of each of several.

use std::fs;

use image::{Rgb, RgbImage};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::support::{folder, model, parts, run, save, save_npy, stripes, surface, tiny_model};

/// A store of 20 surfaces in two classes, calibrated with 21 others.
fn calibrated() -> tempfile::TempDir {
    let folder = folder();
    parts(folder.path(), &["defect", "non_defect"], 10);
    for number in 0..21 {
        save(&surface(5000 + number), &folder.path().join(format!("held-out/{number:03}.png")));
    }
    let build = "build --model MODEL parts --calibrate held-out --out store";
    run(folder.path(), build).expect_code(0);
    save(&stripes(0), &folder.path().join("stripes.png"));
    folder
}

#[test]
fn the_exit_code_is_the_answer() {
    let folder = calibrated();
    let query = |images: &str| run(folder.path(), &format!("check store {images} --model MODEL"));
    assert!(query("held-out/000.png").expect_code(0).out.contains("in distribution: p >"));
    assert!(query("stripes.png").expect_code(1).out.contains("OUT of distribution: p ≤"));
    // Of several it is that of all of them, and two are too few.
    let both = query("held-out/000.png stripes.png --each --json").expect_code(4).json();
    assert_eq!(
        (&both["status"], &both["verdict"]),
        (&"insufficient_data".into(), &"insufficient_data".into())
    );
    let out = [0, 1].map(|image| both["results"][image]["out_of_distribution"].as_bool());
    assert_eq!(out, [Some(false), Some(true)]);
    assert_eq!(
        query("held-out/000.png stripes.png --json").expect_code(4).json()["results"],
        Value::Null
    );
}

#[test]
fn an_unreadable_image_among_others_is_reported_and_the_others_answered() {
    let folder = calibrated();
    fs::write(folder.path().join("bad.png"), "this is no image").unwrap();
    let said = run(
        folder.path(),
        "check store stripes.png bad.png nowhere.png parts held-out/000.png --model MODEL --each --json",
    );
    // As a whole they are stable, and two of them were left out.
    let said = said.expect_code(3).json();
    let skipped = said["skipped"].as_array().unwrap();
    let errors: Vec<_> = skipped.iter().map(|image| image["code"].as_str().unwrap()).collect();
    assert_eq!(errors, ["not_an_image", "unreadable_image"]);
    // A folder stands for its images.
    let results = said["results"].as_array().unwrap();
    assert_eq!(results.len(), 22);
    assert_eq!(results[0]["out_of_distribution"], true);
    assert_eq!(results[1]["image"], "defect/000.png");
    assert_eq!(results[21]["out_of_distribution"], false);
    // One that is answered and one that is left out: done, but not all.
    let one = run(folder.path(), "check store held-out/000.png bad.png --model MODEL --json");
    let one = one.expect_code(3).json();
    assert_eq!((&one["status"], &one["results"][0]["error"]), (&"partial".into(), &Value::Null));
    let none = run(folder.path(), "check store bad.png --model MODEL").expect_code(2);
    assert!(none.err.contains("bad.png cannot be read: "), "{}", none.err);
}

#[test]
fn as_many_neighbors_as_asked_for_nearest_first() {
    let folder = calibrated();
    for (flag, expected) in
        [("", 3), ("--neighbors 0", 0), ("--neighbors 7", 7), ("--neighbors 1000", 20)]
    {
        let query = format!("check store parts/defect/004.png --model MODEL --json {flag}");
        let found = run(folder.path(), &query).json();
        let neighbors = found["results"][0]["neighbors"].as_array().unwrap();
        assert_eq!(neighbors.len(), expected);
        let distances: Vec<_> = neighbors.iter().map(|n| n["distance"].as_f64().unwrap()).collect();
        assert!(distances.is_sorted());
        if let Some(nearest) = neighbors.first() {
            assert_eq!(nearest["id"], "defect/004.png");
            assert_eq!(nearest["label"], "defect");
            assert_eq!(nearest["distance"], 0.0);
        }
    }
}

#[test]
fn another_model_is_refused_and_both_are_named() {
    let folder = calibrated();
    fs::copy(model("tiny_softmax.onnx"), folder.path().join("other.onnx")).unwrap();
    let said = run(folder.path(), "check store stripes.png --model other.onnx --json");
    let said = said.expect_code(2).json();
    assert_eq!(said["error"]["code"], "model_mismatch");
    let message = said["error"]["message"].as_str().unwrap();
    assert_eq!(message.matches("SHA-256").count(), 2, "{message}");
}

/// A model of the same name and dimension, as the same network in another precision would be.
#[test]
fn a_model_of_the_same_name_from_another_file_is_refused_and_both_files_are_told_apart() {
    let folder = calibrated();
    let built_with = fs::read(tiny_model()).unwrap();
    // The graph's `doc_string`: field 6 of the model, a text of four bytes.
    let other = [built_with.as_slice(), b"\x32\x04int8"].concat();
    fs::write(folder.path().join("int8.onnx"), &other).unwrap();
    let ask = |command: &str| {
        let said = run(folder.path(), &format!("{command} --model int8.onnx --json"));
        said.expect_code(2).json()["error"].clone()
    };
    save_npy(&ndarray::Array2::ones((1, 16)), &folder.path().join("q.npy"));
    for error in [ask("check store stripes.png"), ask("check store q.npy")] {
        assert_eq!(error["code"], "model_mismatch");
        let message = error["message"].as_str().unwrap();
        assert_eq!(message.matches("`sdd-tiny` 0.1.0").count(), 2, "{message}");
        for bytes in [&built_with, &other] {
            let sha256 = format!("{:x}", Sha256::digest(bytes));
            assert!(message.contains(&sha256), "{message}");
        }
        assert!(message.contains("drift-index build --model"), "{message}");
    }
    // The same file under another name is the same model.
    fs::write(folder.path().join("renamed.onnx"), &built_with).unwrap();
    run(folder.path(), "check store held-out/000.png --model renamed.onnx").expect_code(0);
}

#[test]
fn without_a_calibration_there_is_no_verdict() {
    let folder = folder();
    parts(folder.path(), &["a"], 3);
    run(folder.path(), "build --model MODEL parts --out store").expect_code(0);
    save(&stripes(0), &folder.path().join("stripes.png"));
    let said = run(folder.path(), "check store stripes.png --model MODEL --json");
    let said = said.expect_code(4).json();
    assert_eq!(said["status"], "insufficient_data");
    assert_eq!(said["threshold"], Value::Null);
    assert_eq!(said["results"][0]["p_value"], Value::Null);
    assert_eq!(said["results"][0]["out_of_distribution"], Value::Null);
    assert!(said["results"][0]["score"].as_f64().unwrap() > 0.0);
}

#[test]
fn a_class_without_reference_images_is_said_for_that_image() {
    let folder = folder();
    parts(folder.path(), &["defect"], 3);
    let build = "build --model MODEL parts --out store --score knn-same-class";
    run(folder.path(), build).expect_code(0);
    for number in 0..30 {
        save(&surface(9000 + number), &folder.path().join(format!("q/{number}.png")));
    }
    let none =
        run(folder.path(), "check store q --each --model MODEL --json").expect_code(2).json();
    assert_eq!(none["error"]["code"], "class_without_reference", "none of them has an answer");
    // What the model takes for a defect.
    save(&RgbImage::from_pixel(48, 64, Rgb([255; 3])), &folder.path().join("q/white.png"));
    let said = run(folder.path(), "check store q --each --model MODEL --json").json();
    let results = said["results"].as_array().unwrap();
    assert_eq!((results.len(), &results[30]["error"]), (31, &Value::Null));
    let mut without_reference = 0;
    for result in results {
        match result["error"]["code"].as_str() {
            None => assert_eq!(result["class"], "defect"),
            Some(code) => {
                assert_eq!(code, "class_without_reference");
                without_reference += 1;
            }
        }
    }
    assert!(without_reference > 0, "no surface was of the other class");
}

#[test]
fn results_and_nothing_else_go_to_standard_output() {
    let folder = calibrated();
    let said = run(folder.path(), "check store nowhere.png --model nowhere.onnx");
    let said = said.expect_code(2);
    assert_eq!(said.out, "");
    assert!(said.err.starts_with("error: "), "{}", said.err);
    let said = run(folder.path(), "check nowhere stripes.png --model MODEL --json").expect_code(2);
    assert_eq!(said.json()["error"]["code"], "reference_store");
}

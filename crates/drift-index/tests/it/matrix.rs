//! `drift-index` with embeddings in place of images.

use std::fs;
use std::process::Command;

use ndarray::{Array2, array};
use serde_json::{Value, json};

use crate::support::{Random, folder, parts, run, save_npy};

fn three() -> Array2<f32> {
    array![[0.0, 0.0], [3.0, 4.0], [6.0, 8.0]]
}

#[test]
fn rows_get_their_labels_and_ids() {
    let folder = folder();
    let path = folder.path();
    save_npy(&three(), &path.join("x.npy"));
    fs::write(path.join("labels.txt"), "a\r\n\r\nb\r\n").unwrap();
    fs::write(path.join("ids.txt"), "first\nsecond\nthird").unwrap();
    let build = "build x.npy --classes labels.txt --ids ids.txt --normalize none --out store";
    run(path, build).expect_code(0);
    save_npy(&array![[3.0, 5.0], [0.0, 1.0]], &path.join("q.npy"));
    let said = run(path, "check store q.npy --each --json --neighbors 2").expect_code(4).json();
    assert_eq!(said["results"][0]["row"], 0);
    assert_eq!(
        said["results"][0]["neighbors"],
        json!([
            {"id": "second", "label": null, "distance": 1.0},
            {"id": "third", "label": "b", "distance": 18.0_f64.sqrt()},
        ])
    );
    assert_eq!(said["results"][1]["neighbors"][0]["id"], "first");
    assert_eq!(said["results"][1]["class"], Value::Null);
}

#[test]
fn a_calibration_gives_verdicts() {
    let folder = folder();
    let path = folder.path();
    let mut random = Random::new(3);
    save_npy(&random.normal_matrix(100, 8), &path.join("x.npy"));
    save_npy(&random.normal_matrix(199, 8), &path.join("held_out.npy"));
    save_npy(&(random.normal_matrix(20, 8) + 100.0), &path.join("q.npy"));
    let build = "build x.npy --calibrate held_out.npy --normalize none \
                 --score mean-l1 --out store --json";
    let built = run(path, build).expect_code(0).json();
    assert_eq!(built["calibration"]["images"], 199);
    assert_eq!(built["calibration"]["source"], json!({"kind": "embeddings"}));
    assert_eq!(built["model"], Value::Null);
    assert_eq!(built["score"], json!({"method": "mean-l1", "k": null}));
    let said = run(path, "check store q.npy --each --json").expect_code(1).json();
    let results = said["results"].as_array().unwrap();
    assert!(results.iter().all(|result| result["p_value"] == 1.0 / 200.0));
    run(path, "show store --verify").expect_code(0);
}

#[test]
fn a_class_wise_score_takes_the_class_from_a_file() {
    let folder = folder();
    let path = folder.path();
    save_npy(&three(), &path.join("x.npy"));
    fs::write(path.join("labels.txt"), "a\na\nb\n").unwrap();
    let build = "build x.npy --classes labels.txt --normalize none -k 1 \
                 --score knn-same-class --out store";
    run(path, build).expect_code(0);
    save_npy(&array![[0.0, 0.0]], &path.join("q.npy"));
    let query = |flags: &str| run(path, &format!("check store q.npy --json {flags}"));
    for class in ["b", "c"] {
        fs::write(path.join(format!("{class}.txt")), class).unwrap();
    }
    assert_eq!(query("--classes b.txt").expect_code(4).json()["results"][0]["score"], 10.0);
    let error = |flags| query(flags).expect_code(2).json()["error"]["code"].clone();
    assert_eq!(error("--classes c.txt"), "class_without_reference");
    assert_eq!(error(""), "class_required");
}

#[test]
fn held_out_rows_of_a_class_without_reference_are_listed() {
    let folder = folder();
    let path = folder.path();
    let mut random = Random::new(3);
    save_npy(&random.normal_matrix(10, 4), &path.join("x.npy"));
    save_npy(&random.normal_matrix(21, 4), &path.join("held_out.npy"));
    fs::write(path.join("labels.txt"), "a\n".repeat(10)).unwrap();
    fs::write(path.join("classes.txt"), "a\n".repeat(20) + "b\n").unwrap();
    let build = "build x.npy --classes labels.txt --calibrate held_out.npy \
                 --calibrate-classes classes.txt --score knn-same-class --out store --json";
    let built = run(path, build).expect_code(3).json();
    assert_eq!(built["calibration"]["images"], 20);
    assert_eq!(built["skipped"][0]["image"], "20");
}

#[test]
fn the_model_can_be_named_without_its_file() {
    let folder = folder();
    let path = folder.path();
    save_npy(&three(), &path.join("x.npy"));
    let sha256 = "AB".repeat(32);
    let build = format!(
        "build x.npy --out store --json --model-sha256 {sha256} --model-name vgg --model-version 2"
    );
    let built = run(path, &build).expect_code(0).json();
    let expected = json!({"name": "vgg", "version": "2", "sha256": "ab".repeat(32)});
    assert_eq!(built["model"], expected);
    let said = run(path, "check store x.npy --model MODEL --json").expect_code(2);
    assert_eq!(said.json()["error"]["code"], "model_mismatch");
}

#[test]
fn a_model_of_another_dimension_did_not_make_the_matrix() {
    let folder = folder();
    save_npy(&three(), &folder.path().join("x.npy"));
    let said = run(folder.path(), "build x.npy --out store --model MODEL");
    let said = said.expect_code(2);
    assert!(said.err.contains("16 values") && said.err.contains("2 columns"), "{}", said.err);
}

/// A pipe that nobody writes to would be waited for, for ever.
#[test]
fn a_pipe_in_place_of_a_file_is_an_error() {
    let folder = folder();
    let path = folder.path();
    save_npy(&three(), &path.join("x.npy"));
    parts(path, &["a"], 2);
    assert!(
        Command::new("mkfifo")
            .args([path.join("pipe"), path.join("pipe.npy")])
            .status()
            .unwrap()
            .success()
    );
    let split = "parts --model MODEL --calibrate-share 0.5 --group-csv pipe:item";
    for arguments in [
        "pipe.npy",
        "x.npy --classes pipe",
        "x.npy --ids pipe",
        "x.npy --calibrate x.npy --calibrate-classes pipe",
        split,
    ] {
        let said = run(path, &format!("build --out store {arguments}")).expect_code(2);
        assert!(said.err.contains("not a file"), "{arguments}: {}", said.err);
    }
}

#[test]
fn what_does_not_fit_together_is_an_error() {
    let folder = folder();
    let path = folder.path();
    save_npy(&three(), &path.join("x.npy"));
    save_npy(&array![[1.0_f32], [2.0]], &path.join("narrow.npy"));
    save_npy(&array![[1.0_f32, 2.0], [3.0, f32::NAN]], &path.join("nan.npy"));
    fs::write(path.join("two.txt"), "a\nb\n").unwrap();
    fs::write(path.join("twice.txt"), "a\nb\na\n").unwrap();
    fs::write(path.join("latin1.txt"), b"\xe9\n\xe9\n\xe9\n").unwrap();
    fs::write(path.join("text.npy"), "no matrix").unwrap();
    for (arguments, expected) in [
        ("x.npy --classes two.txt", "2 lines"),
        ("x.npy --ids twice.txt", "second time"),
        ("x.npy --classes latin1.txt", "UTF-8"),
        ("nan.npy", "row 1"),
        ("text.npy", "not a .npy file"),
        ("x.npy x.npy", "named alone"),
        ("x.npy --calibrate-share 0.2 --group-regex x", "a share is taken of images"),
        ("x.npy --group-regex x", "the rows of a matrix have none"),
        ("nowhere.npy", "nowhere.npy"),
        ("x.npy --calibrate narrow.npy", "1 columns"),
        ("x.npy --calibrate x.npy", "at least 19"),
    ] {
        let said = run(path, &format!("build --out store {arguments}")).expect_code(2);
        assert!(said.err.contains(expected), "{arguments}: {}", said.err);
        assert!(!path.join("store/manifest.json").exists());
    }
    run(path, "build x.npy --out store").expect_code(0);
    let said = run(path, "check store narrow.npy --each --json").expect_code(2).json();
    assert_eq!(said["error"]["code"], "wrong_dimension");
}

#[test]
fn an_empty_line_is_no_id() {
    let folder = folder();
    let path = folder.path();
    save_npy(&three(), &path.join("x.npy"));
    fs::write(path.join("ids.txt"), "first\n\nthird\n").unwrap();
    for arguments in ["build x.npy --out other", "update store --add x.npy"] {
        run(path, "build x.npy --out store").expect_code(0);
        let said = run(path, &format!("{arguments} --ids ids.txt")).expect_code(2);
        assert!(said.err.contains("line 2 of ids.txt is empty"), "{}", said.err);
    }
}

//! `drift-index build` of images, with the tiny model and drawn images.

use std::fs;
use std::path::Path;

use sdd_drift::ScoreMethod;
use serde_json::{Value, json};

use crate::support::{folder, model, parts, run, save, stripes, surface};

fn build(folder: &Path, more: &str) -> crate::support::Said {
    run(folder, &format!("build --model MODEL parts --out store --json {more}"))
}

#[test]
fn folders_become_classes_and_paths_ids() {
    let folder = folder();
    parts(folder.path(), &["defect", "non_defect"], 3);
    save(&surface(1), &folder.path().join("parts/loose.png"));
    save(&surface(2), &folder.path().join("parts/defect/deeper/x.bmp"));
    fs::write(folder.path().join("parts/notes.txt"), "no image").unwrap();
    fs::write(folder.path().join("parts/.hidden.png"), "no image").unwrap();
    let built = build(folder.path(), "").expect_code(0).json();
    assert_eq!(built["status"], "ok");
    assert_eq!((&built["images"], &built["dimension"]), (&json!(8), &json!(16)));
    assert_eq!(built["model"]["name"], "sdd-tiny");
    assert_eq!(built["score"], json!({"method": "knn", "k": 5}));
    assert_eq!(built["normalization"], "l2");
    assert_eq!(built["calibration"], Value::Null);
    assert_eq!(built["ignored"], json!({"hidden": 1, "other_files": 1, "loops": 0}));
    let mut labels = built["labels"].as_array().unwrap().clone();
    labels.sort_by_key(|entry| entry["count"].as_u64());
    assert_eq!(
        labels,
        [
            json!({"label": null, "count": 1}),
            json!({"label": "non_defect", "count": 3}),
            json!({"label": "defect", "count": 4}),
        ]
    );
    let found = run(
        folder.path(),
        "check store parts/defect/deeper/x.bmp parts/loose.png --model MODEL --neighbors 1 --each --json",
    );
    // Without a calibration nothing can be said but how near they are.
    let results = found.expect_code(4).json()["results"].clone();
    assert_eq!(results[0]["neighbors"][0]["id"], "defect/deeper/x.bmp");
    assert_eq!(results[1]["neighbors"][0]["label"], Value::Null);
}

#[test]
fn the_store_does_not_depend_on_the_number_of_threads() {
    let folder = folder();
    parts(folder.path(), &["a", "b"], 12);
    for threads in [1, 3, 8] {
        let arguments = format!(
            "build --model MODEL parts --out store{threads} --threads {threads} \
             --calibrate-share 0.5 --group-regex ^[ab] --alpha 0.2"
        );
        run(folder.path(), &arguments).expect_code(0);
    }
    let files = |threads: usize| {
        let mut files: Vec<_> = fs::read_dir(folder.path().join(format!("store{threads}")))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| !path.ends_with("manifest.json"))
            .map(|path| (path.file_name().unwrap().to_owned(), fs::read(path).unwrap()))
            .collect();
        files.sort();
        files
    };
    assert!(files(1).len() >= 4);
    assert_eq!(files(1), files(3));
    assert_eq!(files(1), files(8));
}

#[test]
fn of_identical_images_the_first_counts() {
    let folder = folder();
    parts(folder.path(), &["a"], 4);
    let at = |name: &str| folder.path().join("parts").join(name);
    fs::copy(at("a/000.png"), at("a/900.png")).unwrap();
    fs::create_dir(at("b")).unwrap();
    fs::copy(at("a/001.png"), at("b/001.png")).unwrap();
    let built = build(folder.path(), "--threads 4").expect_code(0).json();
    assert_eq!(built["images"], 4);
    assert_eq!(
        built["duplicates"],
        json!([
            {"part": "reference", "image": "a/900.png", "same_as": "a/000.png", "other_class": false},
            {"part": "reference", "image": "b/001.png", "same_as": "a/001.png", "other_class": true},
        ])
    );
}

#[test]
fn unreadable_images_are_listed_and_the_exit_code_says_so() {
    let folder = folder();
    parts(folder.path(), &["a"], 3);
    let at = |name: &str| folder.path().join("parts").join(name);
    fs::write(at("a/text.png"), "this is no image").unwrap();
    fs::write(at("a/text-again.png"), "this is no image").unwrap();
    fs::write(at("a/empty.jpg"), "").unwrap();
    let whole = fs::read(at("a/000.png")).unwrap();
    fs::write(at("a/cut.png"), &whole[..whole.len() / 2]).unwrap();
    let said = build(folder.path(), "").expect_code(3).json();
    assert_eq!((&said["status"], &said["images"]), (&json!("partial"), &json!(3)));
    let skipped: Vec<_> = said["skipped"].as_array().unwrap().iter().map(|s| &s["image"]).collect();
    assert_eq!(skipped, ["a/cut.png", "a/empty.jpg", "a/text-again.png", "a/text.png"]);
    assert!(said["skipped"].as_array().unwrap().iter().all(|s| s["reason"] != ""));
    run(folder.path(), "show store --verify").expect_code(0);

    let limited = build(folder.path(), "--max-pixels 3071").expect_code(2).json();
    assert!(limited["error"]["message"].as_str().unwrap().contains("none of the"));
}

#[test]
fn no_images_are_an_error_and_leave_no_store() {
    let folder = folder();
    fs::create_dir_all(folder.path().join("parts/empty")).unwrap();
    let said = build(folder.path(), "").expect_code(2).json();
    assert_eq!(said["status"], "error");
    assert!(said["error"]["message"].as_str().unwrap().contains("no images below parts"));
    assert!(!folder.path().join("store").exists());
}

#[test]
fn calibration_images_come_from_a_folder_of_their_own() {
    let folder = folder();
    parts(folder.path(), &["a"], 20);
    for number in 0..21 {
        let path = folder.path().join(format!("held-out/{number:03}.png"));
        save(&surface(5000 + number), &path);
    }
    let copy = folder.path().join("held-out/copy.png");
    fs::copy(folder.path().join("parts/a/007.png"), &copy).unwrap();
    let built = build(folder.path(), "--calibrate held-out").expect_code(0).json();
    let calibration = &built["calibration"];
    assert_eq!((&calibration["images"], &calibration["groups"]), (&json!(21), &Value::Null));
    assert_eq!(calibration["source"], json!({"kind": "directory"}));
    assert_eq!(calibration["alpha"], 0.05);
    let duplicate = &built["duplicates"][0];
    assert_eq!(
        (&duplicate["part"], &duplicate["image"]),
        (&json!("calibration"), &json!("copy.png"))
    );
    assert_eq!(duplicate["same_as"], "a/007.png");

    // The threshold is the largest of 21 scores: 1 of 22 is below 5 %, 2 of 22 are not.
    let held_out: Vec<String> = (0..21).map(|n| format!("held-out/{n:03}.png")).collect();
    let query = format!("check store {} --model MODEL --each --json", held_out.join(" "));
    let found = run(folder.path(), &query).expect_code(0).json();
    let scores = found["results"].as_array().unwrap().iter().map(|r| r["score"].as_f64().unwrap());
    assert_eq!(scores.fold(0.0, f64::max), calibration["threshold"].as_f64().unwrap());

    save(&stripes(0), &folder.path().join("other.png"));
    let found = run(folder.path(), "check store other.png --model MODEL --json");
    let found = found.expect_code(1).json()["results"][0].clone();
    assert_eq!(found["out_of_distribution"], true);
    assert_eq!(found["p_value"], 1.0 / 22.0);
}

#[test]
fn a_calibration_too_small_for_alpha_is_refused_before_the_work() {
    let folder = folder();
    parts(folder.path(), &["a"], 5);
    for number in 0..18 {
        save(&surface(5000 + number), &folder.path().join(format!("held-out/{number}.png")));
    }
    let said = build(folder.path(), "--calibrate held-out").expect_code(2);
    assert!(said.err.contains("18 images") && said.err.contains("from 19 on"), "{}", said.err);
    build(folder.path(), "--calibrate held-out --alpha 0.1").expect_code(0);
    // Of 19 files, one turns out to be a copy.
    fs::copy(folder.path().join("held-out/0.png"), folder.path().join("held-out/x.png")).unwrap();
    let said = build(folder.path(), "--calibrate held-out").expect_code(2).json();
    let message = said["error"]["message"].as_str().unwrap();
    assert_eq!(said["error"]["code"], "calibration_too_small");
    assert!(message.contains("18 images left") && message.contains("1 left out"), "{message}");
}

/// 40 images of 10 items, four each, listed in a CSV.
fn items(folder: &Path) {
    parts(folder, &["a", "b"], 20);
    let row = |class: &str, n: usize| format!("{class}/{n:03}.png,{class},{}\n", n % 10);
    let rows = ["a", "b"].iter().flat_map(|class| (0..20).map(move |n| row(class, n)));
    let csv = format!("image,label,item\n{}", rows.collect::<String>());
    fs::write(folder.join("items.csv"), csv).unwrap();
}

#[test]
fn a_share_of_the_items_is_held_out() {
    let folder = folder();
    items(folder.path());
    let split = "--calibrate-share 0.3 --group-csv items.csv:item --alpha 0.1";
    let built = build(folder.path(), split).expect_code(0).json();
    assert_eq!(built["images"], 28);
    assert_eq!(built["calibration"]["images"], 12);
    assert_eq!(built["calibration"]["groups"], 3);
    assert_eq!(
        built["calibration"]["source"],
        json!({"kind": "split", "group_by": {"csv_column": "item"}, "share": 0.3, "seed": 0})
    );
    // No item is on both sides: what is held out is not among the reference's ids.
    let all: Vec<String> = ["a", "b"]
        .iter()
        .flat_map(|class| (0..20).map(move |n| format!("parts/{class}/{n:03}.png")))
        .collect();
    let query = format!("check store {} --model MODEL --neighbors 1 --each --json", all.join(" "));
    let found = run(folder.path(), &query).json();
    let is_reference = |n: usize| {
        let result = &found["results"][n];
        let same = result["neighbors"][0]["id"] == all[n].strip_prefix("parts/").unwrap();
        same && result["neighbors"][0]["distance"] == 0.0
    };
    for item in 0..10 {
        let sides: Vec<bool> =
            [item, item + 10, item + 20, item + 30].map(is_reference).into_iter().collect();
        assert!(sides.iter().all(|side| *side == sides[0]), "item {item}: {sides:?}");
    }
}

#[test]
fn images_without_a_group_are_an_error() {
    let folder = folder();
    items(folder.path());
    save(&surface(1), &folder.path().join("parts/a/extra.png"));
    let split = "--calibrate-share 0.3 --group-csv items.csv:item";
    let said = build(folder.path(), split).expect_code(2);
    assert!(said.err.contains("1 of 41 images have no group"), "{}", said.err);
    assert!(said.err.contains("a/extra.png"), "{}", said.err);
    let said = build(folder.path(), "--calibrate-share 0.3 --group-regex parts").expect_code(2);
    assert!(said.err.contains("41 of 41 images have no group"), "{}", said.err);
    let said = build(folder.path(), "--calibrate-share 0.3 --group-regex png").expect_code(2);
    assert!(said.err.contains("1 group"), "{}", said.err);
}

#[test]
fn every_score_goes_from_build_to_check() {
    let folder = folder();
    parts(folder.path(), &["defect", "non_defect"], 40);
    let split = "--calibrate-share 0.5 --group-regex /(\\d+) --alpha 0.1";
    for method in ScoreMethod::ALL {
        let score = method.name();
        for normalize in ["l2", "none"] {
            let flags = format!("{split} --score {score} -k 2 --normalize {normalize}");
            let built = build(folder.path(), &flags).expect_code(0).json();
            assert_eq!(built["score"]["method"], score);
            let query = "check store parts/defect/000.png --model MODEL --json";
            let said = run(folder.path(), query);
            assert!([0, 1].contains(&said.code), "{}", said.err);
            let found = said.json();
            assert_eq!(found["score"]["method"], score);
            assert_eq!(found["threshold"], built["calibration"]["threshold"]);
            let value = found["results"][0]["score"].as_f64().unwrap();
            let may_be_negative = method == ScoreMethod::Mahalanobis;
            assert!(value >= 0.0 || may_be_negative, "{score}: {value}");
            run(folder.path(), "show store --verify").expect_code(0);
        }
    }
}

#[test]
fn a_class_wise_score_needs_folders_named_like_the_classes() {
    let folder = folder();
    parts(folder.path(), &["other"], 3);
    let said = build(folder.path(), "--score knn-same-class").expect_code(2);
    assert!(said.err.contains("defect, non_defect"), "{}", said.err);
    parts(folder.path(), &["defect"], 3);
    let said = build(folder.path(), "--score knn-same-class").expect_code(0);
    assert!(said.err.contains("no folder of non_defect"), "{}", said.err);
}

#[test]
fn a_folder_that_is_no_store_is_left_alone() {
    let folder = folder();
    parts(folder.path(), &["a"], 2);
    fs::create_dir(folder.path().join("store")).unwrap();
    fs::write(folder.path().join("store/thesis.txt"), "years of work").unwrap();
    let said = build(folder.path(), "").expect_code(2);
    assert!(said.err.contains("no reference store"), "{}", said.err);
    assert!(folder.path().join("store/thesis.txt").exists());
    let said = run(folder.path(), "build --model MODEL parts --out parts/a/000.png").expect_code(2);
    assert!(said.err.contains("not a folder"), "{}", said.err);
}

#[test]
fn a_store_is_replaced_by_the_next_build() {
    let folder = folder();
    parts(folder.path(), &["a"], 2);
    build(folder.path(), "").expect_code(0);
    parts(folder.path(), &["b"], 3);
    build(folder.path(), "").expect_code(0);
    let info = run(folder.path(), "show store --json").expect_code(0).json();
    assert_eq!((&info["images"], &info["generation"]), (&json!(5), &json!(2)));
}

#[test]
fn a_model_that_cannot_be_used_is_an_error() {
    let folder = folder();
    parts(folder.path(), &["a"], 2);
    let said = run(folder.path(), "build --model nowhere.onnx parts --out store --json");
    let said = said.expect_code(2).json();
    assert_eq!(said["error"]["code"], "model");
    fs::copy(model("tiny_no_metadata.onnx"), folder.path().join("bare.onnx")).unwrap();
    let said = run(folder.path(), "build --model bare.onnx parts --out store");
    let said = said.expect_code(2);
    assert!(said.err.contains("metadata"), "{}", said.err);
    assert!(!folder.path().join("store").exists());
}

#[test]
fn wrong_usage_is_an_error() {
    let folder = folder();
    parts(folder.path(), &["a"], 2);
    for arguments in [
        "",
        "build",
        "build --out store",
        "build parts --model MODEL",
        "build parts --model MODEL --out store --model-sha256 abc",
        "build parts --model MODEL --out store --calibrate-share 0.2",
        "build parts --model MODEL --out store --group-regex x --group-folder 1",
        "build parts --model MODEL --out store --group-folder 0",
        "build parts --model MODEL --out store --group-csv items.csv",
        "build parts --model MODEL --out store --seed 3",
        "build parts --model MODEL --out store --group-regex ( --calibrate-share 0.2",
        "build parts --model MODEL --out store --calibrate-share 0 --group-regex x",
        "build parts --model MODEL --out store --calibrate-share 1 --group-regex x",
        "build parts --model MODEL --out store --alpha 1",
        "build parts --model MODEL --out store --alpha nan",
        "build parts --model MODEL --out store -k 0",
        "build parts --model MODEL --out store --score knm",
        "build parts --model MODEL --out store --normalize l1",
        "build parts --model MODEL --out store --device tpu",
        "build parts --model MODEL --out store --threads 0",
        "build parts --model MODEL --out store --calibrate-classes x",
        "build parts --model MODEL --out store --calibrate",
        "build parts --model MODEL --out store --calibrate parts --calibrate-share 0.2",
        "build x.npy --out store --calibrate-share 0.2",
        "build x.npy --out store --model-name x",
        "build x.npy --out store --model MODEL --model-name x",
        "build parts --model MODEL --out store --calibrate parts --seed 3",
        "build x.npy --out store --model-sha256 abc",
        "check store",
        "check store --classes a",
        "check store a.png --model MODEL --embeddings x.npy",
        "update store",
        "update store --dry-run",
        "update store --extend",
        "update store --classes a",
        "show",
        "show store --history --verify",
        "rollback",
        "capture",
        "frobnicate",
    ] {
        let said = run(folder.path(), arguments);
        assert_eq!(said.code, 2, "{arguments}: {}", said.out);
        let is_usage = said.err.contains("Usage: ") || said.err.contains("try '--help'");
        assert!(is_usage, "{arguments}: {}", said.err);
    }
    assert!(!folder.path().join("store").exists());
}

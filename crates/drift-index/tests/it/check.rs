//! `drift-index check`: a batch of images, or of embeddings, against the held-out ones.

use std::fs;
use std::path::Path;

use ndarray::{Array2, Axis};
use sdd_drift::CalibrationImages;
use sdd_index::FileStore;
use serde_json::Value;

use crate::support::{
    Random, Said, dark_surface, folder, images_of_parts, model, parts, run, save, save_npy, surface,
};

/// A store of 20 surfaces in two classes with 40 held-out ones, and 40 more of today.
fn with_images() -> tempfile::TempDir {
    let folder = folder();
    parts(folder.path(), &["defect", "non_defect"], 10);
    for number in 0..40 {
        let at = |name: &str| folder.path().join(format!("{name}/{number:03}.png"));
        save(&surface(5000 + number), &at("held-out"));
        save(&surface(7000 + number), &at("today"));
        save(&dark_surface(7000 + number), &at("dark"));
    }
    let build = "build --model MODEL parts --calibrate held-out --out store";
    run(folder.path(), build).expect_code(0);
    folder
}

/// Rows of two classes, 0 below: those of `b` lie elsewhere. With the class of each.
fn rows(random: &mut Random, a: usize, b: usize, shift: f32) -> (Array2<f32>, String) {
    let mut rows = random.normal_matrix(a, 8);
    rows.append(Axis(0), (random.normal_matrix(b, 8) + 2.0).view()).unwrap();
    rows.mapv_inplace(|value| (value + shift).max(0.0));
    (rows, "a\n".repeat(a) + &"b\n".repeat(b))
}

/// A store from matrices, with 60 held-out rows of `a` and 40 of `b`; and `NAME.npy`, `NAME.txt` of these
/// numbers of rows.
fn with_matrices(batches: &[(&str, usize, usize, f32)]) -> tempfile::TempDir {
    let folder = folder();
    let path = folder.path();
    let mut random = Random::new(11);
    let reference = ("reference", 60, 40, 0.0);
    for (name, a, b, shift) in [reference, ("held-out", 60, 40, 0.0)].iter().chain(batches) {
        let (rows, classes) = rows(&mut random, *a, *b, *shift);
        save_npy(&rows, &path.join(format!("{name}.npy")));
        fs::write(path.join(format!("{name}.txt")), classes).unwrap();
    }
    let build = "build reference.npy --classes reference.txt --normalize none \
                 --calibrate held-out.npy --calibrate-classes held-out.txt --out store";
    run(path, build).expect_code(0);
    folder
}

fn check(folder: &Path, arguments: &str) -> Said {
    run(folder, &format!("check store {arguments} --json"))
}

#[test]
fn images_like_the_held_out_ones_are_stable_and_darker_ones_drift() {
    let folder = with_images();
    let stable = check(folder.path(), "today --model MODEL").expect_code(0).json();
    assert_eq!((&stable["status"], &stable["verdict"]), (&"ok".into(), &"stable".into()));
    assert_eq!(stable["images"], 40);
    assert_eq!(stable["held_out_images"], 40);
    assert_eq!(stable["appearance"]["test"], "mmd");
    assert!(stable["appearance"]["p_value"].as_f64().unwrap() > 0.05);

    let drifting = check(folder.path(), "dark --model MODEL --neighbors 1 --strangest 2")
        .expect_code(1)
        .json();
    assert_eq!((&drifting["status"], &drifting["verdict"]), (&"drift".into(), &"drifting".into()));
    assert_eq!(drifting["appearance"]["verdict"], "drifting");
    assert_eq!(drifting["appearance"]["p_value"], 0.001);
    let tests: Vec<_> = names(&drifting["appearance"]["tests"], "test");
    assert_eq!(tests, ["mmd", "ks", "bbsd", "score"]);
    let strangest = drifting["strangest"].as_array().unwrap();
    assert_eq!(strangest.len(), 2);
    assert_eq!(strangest[0]["image"].as_str().unwrap().len(), "000.png".len());
    assert!(strangest[0]["score"].as_f64() >= strangest[1]["score"].as_f64());
    assert_eq!(strangest[0]["neighbors"].as_array().unwrap().len(), 1);
}

fn names(list: &Value, key: &str) -> Vec<String> {
    list.as_array().unwrap().iter().map(|entry| entry[key].as_str().unwrap().to_owned()).collect()
}

#[test]
fn each_test_can_decide() {
    let folder = with_images();
    for test in ["mmd", "ks", "bbsd", "score"] {
        let said = check(folder.path(), &format!("dark --model MODEL --test {test}"));
        let said = said.expect_code(1).json();
        assert_eq!(said["appearance"]["test"], test);
        assert_eq!(said["appearance"]["tests"][0]["test"], test);
        assert_eq!(said["appearance"]["p_value"], said["appearance"]["tests"][0]["p_value"]);
    }
}

#[test]
fn unreadable_and_repeated_images_are_listed_and_left_out() {
    let folder = with_images();
    let at = |name: &str| folder.path().join("today").join(name);
    fs::write(at("bad.png"), "this is no image").unwrap();
    fs::copy(at("000.png"), at("copy.png")).unwrap();
    fs::write(at("readme.txt"), "").unwrap();
    let said = check(folder.path(), "today --model MODEL").expect_code(3).json();
    assert_eq!((&said["status"], &said["verdict"]), (&"partial".into(), &"stable".into()));
    assert_eq!(said["images"], 40);
    assert_eq!(names(&said["skipped"], "image"), ["bad.png"]);
    assert_eq!(names(&said["duplicates"], "same_as"), ["000.png"]);
    assert_eq!(said["ignored"]["other_files"], 1);
    // What was in the reference is told: it lies closer than anything new.
    fs::copy(folder.path().join("parts/defect/003.png"), at("003-again.png")).unwrap();
    let said = check(folder.path(), "today --model MODEL").json();
    assert_eq!(said["in_reference"], 1);
    fs::create_dir(folder.path().join("none")).unwrap();
    fs::write(folder.path().join("none/bad.png"), "this is no image").unwrap();
    let said = check(folder.path(), "none --model MODEL").expect_code(2);
    assert!(said.err.contains("bad.png cannot be read"), "{}", said.err);
}

#[test]
fn few_images_are_no_evidence_and_it_is_said_how_many_are_missing() {
    let folder = with_matrices(&[("few", 7, 6, 9.0), ("rare", 3, 30, 9.0), ("lone", 4, 4, 0.0)]);
    let said = check(folder.path(), "few.npy --classes few.txt").expect_code(4).json();
    assert_eq!(said["status"], "insufficient_data");
    assert_eq!(said["verdict"], "insufficient_data");
    assert_eq!(said["appearance"]["images_needed"], 7);
    assert_eq!(said["appearance"]["p_value"], Value::Null);
    assert_eq!(said["class_mix"]["images_needed"], 7);
    // 33 images, of which a class of three is not compared, and said not to be.
    let said = check(folder.path(), "rare.npy --classes rare.txt").expect_code(1).json();
    let classes = said["appearance"]["classes"].as_array().unwrap();
    assert_eq!((&classes[0]["class"], &classes[0]["tested"]), (&"a".into(), &false.into()));
    assert_eq!(classes[0]["p_value"], Value::Null);
    assert_eq!((&classes[1]["tested"], &classes[1]["stands_out"]), (&true.into(), &true.into()));
}

#[test]
fn a_changed_mix_is_told_from_a_changed_appearance() {
    let batches = [("same", 60, 40, 0.0), ("mix", 10, 60, 0.0), ("shift", 60, 40, 0.8)];
    let folder = with_matrices(&batches);
    let verdicts = |name: &str, code: i32, flags: &str| {
        let arguments = format!("{name}.npy --classes {name}.txt {flags}");
        let said = check(folder.path(), &arguments).expect_code(code).json();
        let verdict = |part: &str| said[part]["verdict"].as_str().unwrap().to_owned();
        [verdict("appearance"), verdict("class_mix")]
    };
    assert_eq!(verdicts("same", 0, ""), ["stable", "stable"]);
    assert_eq!(verdicts("mix", 1, ""), ["stable", "drifting"]);
    assert_eq!(verdicts("mix", 0, "--ignore-class-mix"), ["stable", "insufficient_data"]);
    assert_eq!(verdicts("shift", 1, ""), ["drifting", "stable"]);
    // Where the classes are not known, the two cannot be told apart, and this is said.
    let said = check(folder.path(), "mix.npy").expect_code(1).json();
    assert_eq!(said["appearance"]["within_classes"], false);
    assert_eq!(said["appearance"]["verdict"], "drifting");
    assert_eq!(said["class_mix"]["verdict"], "insufficient_data");
}

#[test]
fn the_seed_decides_on_the_permutations() {
    let folder = with_matrices(&[("same", 60, 40, 0.0)]);
    let p_value = |flags: &str| {
        let said = check(folder.path(), &format!("same.npy --classes same.txt {flags}"));
        said.json()["appearance"]["p_value"].as_f64().unwrap()
    };
    assert_eq!(p_value("--seed 5"), p_value("--seed 5"));
    assert_ne!(p_value("--seed 5"), p_value("--seed 6"));
    assert_eq!(p_value("--permutations 99 --seed 1") * 100.0 % 1.0, 0.0);
}

/// A store as it was built before held-out images were kept: without two of its attachments.
fn forget_held_out_images(folder: &Path) {
    let store = FileStore::open(&folder.join("store")).unwrap();
    let contents = crate::support::contents_of(&store, |name| {
        !name.starts_with("calibration-images") && !name.starts_with("calibration-embeddings")
    });
    FileStore::write(&folder.join("store"), &contents).unwrap();
}

#[test]
fn a_store_with_scores_alone_is_compared_by_scores() {
    let folder = with_matrices(&[("same", 60, 40, 0.0), ("shift", 60, 40, 3.0)]);
    forget_held_out_images(folder.path());
    run(folder.path(), "show store --verify").expect_code(0);
    let said = |name: &str, flags: &str| {
        check(folder.path(), &format!("{name}.npy --classes {name}.txt {flags}"))
    };
    let same = said("same", "").expect_code(0).json();
    assert_eq!(same["appearance"]["test"], "score");
    assert_eq!(names(&same["appearance"]["tests"], "test"), ["score"]);
    assert_eq!(same["class_mix"]["verdict"], "stable");
    said("shift", "").expect_code(1);
    let refused = said("same", "--test mmd").expect_code(2).json();
    assert_eq!(refused["error"]["code"], "test_unavailable");
    assert!(refused["error"]["message"].as_str().unwrap().contains("build the store again"));
}

#[test]
fn the_store_keeps_the_held_out_images_as_the_model_made_them() {
    let folder = with_images();
    let path = folder.path();
    let store = FileStore::open(&path.join("store")).unwrap();
    let kept = CalibrationImages::from_store(&store).unwrap().unwrap();
    let embed = "embed held-out --model MODEL --out e.npy --json";
    let said = run(path, embed).expect_code(0).json();
    for (image, result) in kept.images().iter().zip(said["results"].as_array().unwrap()) {
        assert_eq!(image.id, result["image"].as_str().unwrap());
        assert_eq!(image.predicted_class.as_deref(), result["class"].as_str());
    }
    let attached = path.join("store/calibration-embeddings-000001.npy");
    assert_eq!(fs::read(attached).unwrap(), fs::read(path.join("e.npy")).unwrap());
    assert_eq!(kept.probabilities().unwrap().dim(), (40, 2));
}

#[test]
fn a_damaged_matrix_of_held_out_images_is_found() {
    let folder = with_images();
    let path = folder.path();
    let file = path.join("store/calibration-embeddings-000001.npy");
    let mut bytes = fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&file, bytes).unwrap();
    run(path, "show store --verify").expect_code(2);
    check(path, "today --model MODEL").expect_code(2);
}

#[test]
fn what_cannot_be_checked_is_an_error() {
    let folder = with_matrices(&[("same", 60, 40, 0.0)]);
    let path = folder.path();
    fs::write(path.join("short.txt"), "a\nb\n").unwrap();
    fs::write(path.join("gap.txt"), "a\n".repeat(99) + "\n").unwrap();
    save_npy(&Array2::zeros((30, 5)), &path.join("narrow.npy"));
    save_npy(&Array2::zeros((30, 2)), &path.join("p.npy"));
    fs::create_dir(path.join("empty")).unwrap();
    for (arguments, expected) in [
        ("nowhere.npy", "nowhere.npy"),
        ("nowhere", "nowhere is neither a folder nor a file"),
        ("short.txt same.npy", "named alone"),
        ("empty", "no images"),
        ("empty --classes short.txt", "no column `image`"),
        ("narrow.npy", "dimension 8, found 5"),
        ("same.npy --classes short.txt", "2 lines"),
        ("same.npy --classes gap.txt", "line 100"),
        ("same.npy --group-regex x", "the rows of a matrix have none"),
        ("empty --group-csv nowhere.csv:a", "is not a file"),
        ("same.npy --probabilities p.npy", "100 images and 30 rows of probabilities"),
        ("same.npy --alpha 1.5", "alpha"),
        ("same.npy --permutations 20", "at least 39"),
        ("same.npy --test bbsd", "probabilities"),
        ("same.npy --test chi2", "mmd"),
    ] {
        let said = run(path, &format!("check store {arguments}")).expect_code(2);
        assert!(said.err.contains(expected), "{arguments}: {}", said.err);
        assert_eq!(said.out, "");
    }
    run(path, "build reference.npy --out uncalibrated").expect_code(0);
    // Of one image, too, this is no error and no answer.
    let said = run(path, "check uncalibrated same.npy --json").expect_code(4).json();
    let said = (&said["status"], &said["error"]["code"]);
    assert_eq!(said, (&"insufficient_data".into(), &"no_held_out_images".into()));
    let wrong = run(path, "check store --json --permutations x").expect_code(2);
    assert!(wrong.err.contains("--permutations"), "{}", wrong.err);
    let said = wrong.json();
    assert_eq!((&said["status"], &said["error"]["code"]), (&"error".into(), &"wrong_usage".into()));
    assert!(said["error"]["message"].as_str().unwrap().starts_with("invalid value 'x'"), "{said}");
    assert_eq!(run(path, "check store --permutations x").expect_code(2).out, "");
}

#[test]
fn another_model_is_refused() {
    let folder = with_images();
    fs::copy(model("tiny_softmax.onnx"), folder.path().join("other.onnx")).unwrap();
    let said = check(folder.path(), "today --model other.onnx").expect_code(2).json();
    assert_eq!(said["error"]["code"], "model_mismatch");
}

#[test]
fn images_of_one_part_count_as_one() {
    let folder = folder();
    let path = folder.path();
    parts(path, &["defect", "non_defect"], 10);
    images_of_parts(path, "held-out", 0..8);
    images_of_parts(path, "today", 11..17);
    images_of_parts(path, "one", 11..12);
    let build = "build --model MODEL parts --calibrate held-out --out store";
    run(path, build).expect_code(0);
    let said = |batch: &str, code| {
        let flags = format!(r"{batch} --model MODEL --group-regex part(\d+)_");
        check(path, &flags).expect_code(code).json()
    };
    let today = said("today", 0);
    assert_eq!(today["appearance"]["groups"], serde_json::json!([8, 6]));
    assert_eq!(today["appearance"]["verdict"], "stable");
    assert_eq!(names(&today["appearance"]["tests"], "test"), ["mmd"]);
    // A CSV file says the same.
    let mut csv = String::from("image,part\n");
    for part in (0..8).chain(11..17) {
        let rows = (0..6).map(|number| format!("part{part}_{number}.png,{part}\n"));
        csv.extend(rows);
    }
    fs::write(path.join("parts.csv"), csv).unwrap();
    let by_csv =
        check(path, "today --model MODEL --group-csv parts.csv:part").expect_code(0).json();
    assert_eq!(by_csv["appearance"], today["appearance"]);
    // 9 groups can be divided in 9 ways: no p-value is as small as 5 %.
    let one = said("one", 4);
    assert_eq!(one["appearance"]["verdict"], "insufficient_data");
    let refused = check(path, "today --model MODEL --group-regex lot").expect_code(2);
    assert!(refused.err.contains("have no group"), "{}", refused.err);
}

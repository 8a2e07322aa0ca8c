//! Images that belong together: told once, remembered by the store.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::{Random, folder, images_of_parts, run, save_npy, surface};

const BY_PART: &str = r"--group-regex part(\d+)_";

fn said(folder: &Path, arguments: &str, code: i32) -> Value {
    run(folder, &format!("{arguments} --json")).expect_code(code).json()
}

/// Each of these parts has 6 images `part7_0.png` … in `parts`.
fn with_parts(parts: std::ops::Range<u64>) -> tempfile::TempDir {
    let folder = folder();
    images_of_parts(folder.path(), "parts", parts);
    folder
}

#[test]
fn without_held_out_images_every_part_calibrates() {
    let folder = with_parts(0..24);
    let at = folder.path();
    let built = said(at, &format!("build parts --model MODEL --out store {BY_PART}"), 0);
    let calibration = &built["calibration"];
    assert_eq!((&built["images"], &calibration["images"]), (&json!(144), &json!(144)));
    assert_eq!(
        (&calibration["groups"], &calibration["smallest_p_value"]),
        (&json!(24), &json!(0.04))
    );
    let group_by = json!({"regex": r"part(\d+)_"});
    let source = json!({"kind": "leave_one_group_out", "group_by": group_by});
    assert_eq!((&calibration["source"], &calibration["group_by"]), (&source, &group_by));
    assert_eq!(said(at, "show store --verify", 0)["calibration"], *calibration);
    // The scores are those of the images to a store without their part.
    fs::create_dir(at.join("others")).unwrap();
    for image in fs::read_dir(at.join("parts")).unwrap().flatten() {
        if !image.file_name().to_str().unwrap().starts_with("part7_") {
            fs::copy(image.path(), at.join("others").join(image.file_name())).unwrap();
        }
    }
    run(at, "build others --model MODEL --out without").expect_code(0);
    let query = "check without parts/part7_3.png --model MODEL";
    let expected = said(at, query, 4)["results"][0]["score"].as_f64().unwrap();
    let file = fs::read(at.join("store/calibration-000001.json")).unwrap();
    let kept: Value = serde_json::from_slice(&file).unwrap();
    let entry = kept["scores"].as_array().unwrap().iter();
    let entry = entry.clone().find(|entry| entry["id"] == "part7_3.png").unwrap();
    assert_eq!(entry["group"], "7");
    assert!((entry["score"].as_f64().unwrap() - expected).abs() < 1e-6, "{entry} {expected}");

    // New parts, which nobody has to tell of again.
    images_of_parts(at, "today", 30..36);
    let today = said(at, "check store today --model MODEL", 0);
    assert_eq!(today["appearance"]["groups"], json!([24, 6]));
    assert_eq!(today["appearance"]["test"], "score");
    assert_eq!(today["appearance"]["tests"][0]["method"], "permutations of whole groups");
    assert!((today["out_of_distribution_expected"].as_f64().unwrap() - 1.8).abs() < 1e-12);
    assert!(today["out_of_distribution_groups"].as_u64() <= today["out_of_distribution"].as_u64());
    // What is told now and fits no name is not answered by what the store remembers.
    for (command, images) in [
        ("check store today --group-regex lot", 36),
        ("check store today/part30_0.png --group-regex lot", 1),
        ("update store --group-regex lot", 144),
    ] {
        let refused = run(at, &format!("{command} --model MODEL")).expect_code(2).err;
        let expected = format!("{images} of {images} image");
        assert!(refused.contains(&expected) && refused.contains("no match of `lot`"), "{refused}");
    }
    let one = said(at, "check store today/part30_0.png --model MODEL --neighbors 0", 0);
    assert!(one["results"][0]["p_value"].as_f64().unwrap() > 0.05);
    // Names in which the store finds no parts.
    crate::support::parts(at, &["a", "b"], 15);
    fs::rename(at.join("parts/a"), at.join("unnamed")).unwrap();
    let unnamed = run(at, "check store unnamed --model MODEL").expect_code(4);
    assert!(unnamed.err.contains("15 of 15 images have no group"), "{}", unnamed.err);
    assert!(unnamed.out.contains("count by groups"), "{}", unnamed.out);
}

#[test]
fn too_few_parts_are_a_store_without_verdicts_that_takes_more() {
    let folder = with_parts(0..8);
    let at = folder.path();
    let build = run(at, &format!("build parts --model MODEL --out store {BY_PART}")).expect_code(0);
    assert!(build.err.contains("of 8 groups, and it takes 19"), "{}", build.err);
    assert!(build.out.contains("no verdict, which takes 19 groups"), "{}", build.out);
    let one = said(at, "check store parts/part1_0.png --model MODEL", 4)["results"][0].clone();
    assert_eq!((&one["p_value"], &one["out_of_distribution"]), (&Value::Null, &Value::Null));
    let reason = json!({
        "reason": "not_enough_calibration_groups", "groups": 8, "required": 19,
        "message": "not enough groups of calibration images: there are 8, and it takes 19",
    });
    assert_eq!(one["unavailable"], reason);

    // Further parts make the very store that all of them would have.
    images_of_parts(at, "more", 8..24);
    let more = said(at, "update store --add more --model MODEL", 0);
    assert_eq!((&more["calibration"]["groups"], &more["added"]), (&json!(24), &json!(96)));
    images_of_parts(at, "parts", 8..24);
    run(at, &format!("build parts --model MODEL --out all {BY_PART}")).expect_code(0);
    said(at, "show store --diff all", 0);
    // And away with one again.
    let less = said(at, "update store --remove part3_*", 0);
    assert_eq!(
        (&less["calibration"]["groups"], &less["calibration"]["images"]),
        (&json!(23), &json!(138))
    );
    let strict = said(at, "update store --alpha 0.01", 0);
    assert_eq!(strict["calibration"]["threshold"], Value::Null, "23 parts are too few for 1 %");

    fs::create_dir(at.join("unnamed")).unwrap();
    surface(77_777).save(at.join("unnamed/x.png")).unwrap();
    let refused = run(at, "update store --add unnamed --model MODEL").expect_code(2);
    assert!(refused.err.contains("1 of 139 images have no group"), "{}", refused.err);
    assert!(refused.err.contains("x.png"), "{}", refused.err);
    let refused = run(at, "update store --calibrate more --extend --model MODEL").expect_code(2);
    assert!(refused.err.contains("its own images calibrate"), "{}", refused.err);
}

#[test]
fn merged_images_calibrate_as_they_are_and_not_as_what_they_replace() {
    let folder = with_parts(0..20);
    let at = folder.path();
    run(at, &format!("build parts --model MODEL --out store {BY_PART}")).expect_code(0);
    images_of_parts(at, "others", 40..41);
    for n in 0..6 {
        let of = |part| at.join(format!("others/part{part}_{n}.png"));
        fs::rename(of(40), of(3)).unwrap();
    }
    run(at, "build others --model MODEL --out others-store").expect_code(0);
    let merged = said(at, "update store --merge others-store --replace", 0);
    assert_eq!((&merged["replaced"], &merged["calibration"]["groups"]), (&json!(6), &json!(20)));
    let file = fs::read(at.join("store/calibration-000002.json")).unwrap();
    let kept: Value = serde_json::from_slice(&file).unwrap();
    let entries = kept["scores"].as_array().unwrap().iter();
    let (new, old): (Vec<_>, Vec<_>) = entries.partition(|entry| entry["group"] == "3");
    assert_eq!((new.len(), old.len()), (6, 114));
    // Of their pictures the other store knows nothing.
    assert!(new.iter().all(|entry| entry["properties"].is_null()), "{new:?}");
    assert!(old.iter().all(|entry| entry["properties"].is_object()), "{old:?}");

    fs::create_dir(at.join("unnamed")).unwrap();
    surface(77_777).save(at.join("unnamed/x.png")).unwrap();
    run(at, "build unnamed --model MODEL --out unnamed-store").expect_code(0);
    let refused = run(at, "update store --merge unnamed-store").expect_code(2).err;
    assert!(refused.contains("1 of 121 images have no group"), "{refused}");
    assert!(refused.contains("x.png"), "{refused}");
}

#[test]
fn held_out_images_count_by_parts_too() {
    let folder = with_parts(0..10);
    let at = folder.path();
    images_of_parts(at, "held-out", 20..28);
    images_of_parts(at, "today", 40..46);
    let build = format!("build parts --model MODEL --calibrate held-out --out store {BY_PART}");
    let built = said(at, &build, 0);
    assert_eq!(
        (&built["calibration"]["images"], &built["calibration"]["groups"]),
        (&json!(48), &json!(8))
    );
    assert_eq!(built["calibration"]["source"], json!({"kind": "directory"}));
    let today = said(at, "check store today --model MODEL", 0);
    assert_eq!(today["appearance"]["groups"], json!([8, 6]));
    assert_eq!(today["appearance"]["test"], "mmd");
    // The parts of other held-out images are found in the same way, and kept.
    images_of_parts(at, "further", 50..62);
    let extended = said(at, "update store --calibrate further --extend --model MODEL", 0);
    assert_eq!(extended["calibration"]["groups"], 20);
    assert!(extended["calibration"]["threshold"].is_f64());
    // A part on both sides is told.
    images_of_parts(at, "both", 9..12);
    let both = run(at, &format!("build parts --model MODEL --calibrate both --out x {BY_PART}"));
    assert!(both.err.contains("1 group is both in the reference"), "{}", both.err);
}

#[test]
fn a_table_of_parts_is_named_again_with_new_images() {
    let folder = with_parts(0..20);
    let at = folder.path();
    let row = |part: u64| (0..6).map(move |n| format!("part{part}_{n}.png,{part}\n"));
    let csv = |parts: std::ops::Range<u64>| {
        "image,part\n".to_owned() + &parts.flat_map(row).collect::<String>()
    };
    fs::write(at.join("parts.csv"), csv(0..20)).unwrap();
    let built = said(at, "build parts --model MODEL --out store --group-csv parts.csv:part", 0);
    assert_eq!(built["calibration"]["groups"], 20);
    images_of_parts(at, "more", 20..22);
    let refused = run(at, "update store --add more --model MODEL").expect_code(2);
    assert!(refused.err.contains("12 of 132 images have no group"), "{}", refused.err);
    assert!(refused.err.contains("--group-csv"), "{}", refused.err);
    fs::write(at.join("more.csv"), csv(20..22)).unwrap();
    fs::write(at.join("cut.csv"), csv(20..22).replace("part20_3.png", "\"part20_3.png")).unwrap();
    let cut = "update store --add more --model MODEL --group-csv cut.csv:part";
    let refused = run(at, cut).expect_code(2).err;
    assert!(refused.contains("line 5 of cut.csv opens a quote that is not closed"), "{refused}");
    let added = said(at, "update store --add more --model MODEL --group-csv more.csv:part", 0);
    assert_eq!(added["calibration"]["groups"], 22);
    let checked = said(at, "check store more --model MODEL --group-csv more.csv:part", 4);
    assert_eq!(checked["appearance"]["groups"], json!([22, 2]));
}

#[test]
fn parts_are_folders_and_rows_of_a_matrix() {
    let folder = folder();
    let at = folder.path();
    for part in 0..20 {
        for number in 0..2 {
            let image = surface(100 * part + number);
            let class = ["good", "bad"][usize::from(number == 1 && part % 3 == 0)];
            crate::support::save(&image, &at.join(format!("dir/{class}/p{part}/{number}.png")));
        }
    }
    let build = "build dir --model MODEL --out store --group-folder 1 --score knn-same-class -k 3";
    let built = run(at, &format!("{build} --json"));
    // What the random model takes an image for may be a class that no other image is of.
    let built = if built.code == 3 { built.json() } else { built.expect_code(2).json() };
    assert!(built["calibration"]["groups"].is_u64() || built["error"].is_object(), "{built}");
    let by_folder = said(at, "build dir --model MODEL --out store --group-folder 1", 0);
    assert_eq!(by_folder["calibration"]["groups"], 20);

    save_npy(&Random::new(4).normal_matrix(60, 6), &at.join("m.npy"));
    let ids = (0..60).map(|row| format!("tray{}/{row}\n", row / 3)).collect::<Vec<_>>().concat();
    fs::write(at.join("ids.txt"), ids).unwrap();
    let by_ids = said(at, "build m.npy --ids ids.txt --out m --group-folder 1 --score mean-l1", 0);
    assert_eq!(by_ids["calibration"]["groups"], 20);
    let checked = said(at, "check m m.npy --ids ids.txt", 0);
    assert_eq!((&checked["verdict"], &checked["in_reference"]), (&json!("stable"), &json!(60)));
    let unnamed = said(at, "check m m.npy", 4);
    assert_eq!(unnamed["verdict"], "insufficient_data");
}

#[test]
fn what_cannot_count_by_parts_is_refused_before_the_work() {
    let folder = with_parts(0..3);
    let at = folder.path();
    for (flags, code, expected) in [
        ("--score mahalanobis", "no_group_left_out", "hold images out"),
        ("--p-value simes", "p_value_of_groups", "marginal"),
    ] {
        let said =
            run(at, &format!("build parts --model MODEL --out store {BY_PART} {flags} --json"));
        let error = said.expect_code(2).json()["error"].clone();
        assert_eq!(error["code"], code);
        assert!(error["message"].as_str().unwrap().contains(expected), "{error}");
    }
    let one = said(at, "build parts --model MODEL --out store --group-regex part", 2);
    assert_eq!(one["error"]["code"], "one_group");
    let none = run(at, "build parts --model MODEL --out store --group-regex lot").expect_code(2);
    assert!(none.err.contains("18 of 18 images have no group"), "{}", none.err);
    assert!(!at.join("store").exists());
}

#[test]
fn parts_that_nobody_told_are_guessed_at() {
    let folder = with_parts(0..8);
    let at = folder.path();
    let build = run(at, "build parts --model MODEL --out store").expect_code(0);
    let expected = "48 images are of 8 groups by --group-regex '([^/]*)[_-][^/_-]*$'";
    assert!(build.err.contains(expected), "{}", build.err);
    let told = run(at, &format!("build parts --model MODEL --out store {BY_PART}")).expect_code(0);
    assert!(!told.err.contains("seem to show"), "{}", told.err);
}

#[test]
fn what_has_no_group_is_compared_with_and_does_not_calibrate() {
    let folder = with_parts(0..20);
    let at = folder.path();
    for seed in 0..8 {
        surface(900 + seed).save(at.join(format!("parts/drawn_{seed}.png"))).unwrap();
    }
    let built = run(at, r"build parts --model MODEL --out store --group-regex part\d+ --json");
    let built = built.expect_code(0);
    assert!(built.err.contains("8 of 128 images have no group"), "{}", built.err);
    let built = built.json();
    assert_eq!((&built["images"], &built["calibration"]["images"]), (&json!(128), &json!(120)));
    assert_eq!(built["calibration"]["groups"], 20);
    // An update does not take them for a mistake.
    let less = said(at, "update store --remove part3_*", 0);
    assert_eq!((&less["images"], &less["calibration"]["images"]), (&json!(122), &json!(114)));
}

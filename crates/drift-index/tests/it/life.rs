//! The life of a reference: updates, history, rollback, export.

use std::fs;
use std::path::Path;
use std::process::Command;

use insta::assert_snapshot;
use ndarray::{Array2, ArrayView2, Axis, concatenate, s};

use sdd_index::{FileStore, Filter};
use serde_json::{Value, json};

use crate::support::{Random, dark_surface, folder, parts, run, save, save_npy, stripes, surface};
use crate::text::redacted;

/// 20 parts in two classes and 24 held-out ones, as `store`.
fn build(folder: &Path) {
    parts(folder, &["defect", "non_defect"], 10);
    for number in 0..24 {
        save(&surface(5000 + number), &folder.join(format!("held-out/{number:03}.png")));
        save(
            &dark_surface(7000 + number),
            &folder.join(format!("dark/non_defect/dark-{number:03}.png")),
        );
        save(&dark_surface(8000 + number), &folder.join(format!("dark-held-out/{number:03}.png")));
    }
    run(folder, "build --model MODEL parts --calibrate held-out --out store").expect_code(0);
}

fn said(folder: &Path, arguments: &str, code: i32) -> Value {
    run(folder, &format!("{arguments} --json")).expect_code(code).json()
}

#[track_caller]
fn refused(folder: &Path, arguments: &str, expected: &str) {
    let before = fs::read(folder.join("store/manifest.json")).unwrap();
    let said = run(folder, arguments).expect_code(2);
    assert!(said.err.contains(expected), "{arguments}: {}", said.err);
    assert_eq!(fs::read(folder.join("store/manifest.json")).unwrap(), before, "{arguments}");
}

/// Ids with the bits of what is stored of them, sorted.
fn rows(store: &Path) -> Vec<(String, Vec<u32>, String)> {
    let store = FileStore::open(store).unwrap();
    let bits = store.embeddings(Filter::All);
    let bits = bits.outer_iter().map(|row| row.iter().map(|x| x.to_bits()).collect());
    let ids = store.records(Filter::All).into_iter().map(|record| record.id);
    let norms = store.norms().iter().map(f64::to_string);
    let mut rows: Vec<_> = ids.zip(bits).zip(norms).map(|((i, b), n)| (i, b, n)).collect();
    rows.sort();
    rows
}

#[test]
fn a_reference_goes_through_its_life() {
    let folder = folder();
    let at = folder.path();
    build(at);
    let before = rows(&at.join("store"));
    let alarms = |folder: &str| {
        let check = run(at, &format!("check store {folder} --model MODEL --json"));
        check.json()["out_of_distribution"].as_u64().unwrap()
    };
    assert!(alarms("dark-held-out") > 12, "darker light is strange");

    let dry = said(at, "update store --add dark --model MODEL --dry-run", 0);
    assert_eq!((&dry["generation"], &dry["added"]), (&Value::Null, &json!(24)));
    let added = said(at, "update store --add dark --model MODEL --note lamps", 0);
    assert_eq!((&added["generation"], &added["added"]), (&json!(2), &json!(24)));
    assert_eq!(added["calibration"]["images"], 24, "the held-out images are scored anew");
    let after = rows(&at.join("store"));
    assert_eq!(after.len(), before.len() + 24);
    assert!(before.iter().all(|row| after.contains(row)), "rows that stay are the same to the bit");

    let calibrate = "update store --calibrate dark-held-out --extend --model MODEL";
    let calibrated = said(at, calibrate, 0);
    assert_eq!(calibrated["calibration"]["images"], 48);
    assert!(alarms("dark-held-out") <= 2, "it is no more");
    assert!(!at.join("store/index-000003.faiss").exists(), "the index is not copied");

    let removed = said(at, "update store --remove non_defect/dark-*", 0);
    assert_eq!((&removed["generation"], &removed["removed"]), (&json!(4), &json!(24)));
    let back = said(at, "rollback store@1", 0);
    assert_eq!((&back["generation"], &back["from"]), (&json!(5), &json!(1)));
    assert_eq!(rows(&at.join("store")), before);
    let same = said(at, "show store@1 --diff store", 0);
    assert_eq!((&same["status"], &same["properties"]), (&json!("ok"), &json!([])));
    let different = said(at, "show store@1 --diff store@2", 1);
    assert_eq!(different["only_in_b"].as_array().unwrap().len(), 24);
    let verified = said(at, "show store --verify", 0);
    assert_eq!(verified["earlier_generations"], json!([1, 2, 3, 4]));

    redacted(|| {
        assert_snapshot!("show_history", run(at, "show store --history").expect_code(0).out);
        assert_snapshot!("show_diff", run(at, "show store@1 --diff store@3").expect_code(1).out);
        let add = "update store --add dark --model MODEL --keep-generations 2";
        assert_snapshot!("update_add", run(at, add).expect_code(0).out);
        assert_snapshot!("rollback", run(at, "rollback store@5").expect_code(0).out);
    });
    let kept = said(at, "show store --history", 0);
    assert_eq!(kept["generations"].as_array().unwrap().len(), 3, "one more than the last add kept");
    refused(at, "rollback store@1", "keeps no generation 1");
    refused(at, "rollback store@7", "already");
}

#[test]
fn several_changes_in_one_call_are_one_generation() {
    let folder = folder();
    let at = folder.path();
    build(at);
    for copy in ["steps", "swapped"] {
        let from = at.join("store");
        fs::create_dir(at.join(copy)).unwrap();
        for file in fs::read_dir(from).unwrap().flatten() {
            fs::copy(file.path(), at.join(copy).join(file.file_name())).unwrap();
        }
    }
    let all = "update store --remove defect/000.png --add dark --calibrate dark-held-out --alpha 0.1 --model MODEL";
    let updated = said(at, &format!("{all} --note lamps"), 0);
    assert_eq!((&updated["command"], &updated["generation"]), (&json!("update"), &json!(2)));
    assert_eq!((&updated["removed"], &updated["added"]), (&json!(1), &json!(24)));
    let calibration = &updated["calibration"];
    assert_eq!((&calibration["images"], &calibration["alpha"]), (&json!(24), &json!(0.1)));
    let history = said(at, "show store --history", 0)["generations"].clone();
    assert_eq!(history.as_array().unwrap().len(), 2);
    assert_eq!((&history[1]["note"], &history[1]["removed"]), (&json!("lamps"), &json!(1)));
    // As if one after the other.
    said(at, "update steps --remove defect/000.png", 0);
    said(at, "update steps --add dark --model MODEL", 0);
    said(at, "update steps --calibrate dark-held-out --alpha 0.1 --model MODEL", 0);
    said(at, "show store --diff steps", 0);

    // Images that are held out no more may be added in the same call.
    let swap = "update swapped --add held-out --model MODEL";
    let refused_alone = run(at, swap).expect_code(2).err;
    assert!(refused_alone.contains("24 images are held out"), "{refused_alone}");
    let swapped = said(at, &format!("{swap} --calibrate dark-held-out"), 0);
    assert_eq!((&swapped["images"], &swapped["calibration"]["images"]), (&json!(44), &json!(24)));
    assert_eq!(said(at, "show swapped --verify", 0)["on_both_sides"], 0);

    // Every command that reads a store reads a generation of it.
    assert_eq!(said(at, "show store@1", 0)["calibration"]["alpha"], 0.05);
    assert_eq!(said(at, "show store@1 --verify", 0)["images"], 20);
    let checked = run(at, "check store@1 dark-held-out --model MODEL --json").json();
    assert_eq!(checked["store"], "store@1");
    assert!(checked["out_of_distribution"].as_u64().unwrap() > 12);
    assert_eq!(said(at, "export store@1 --out one.npy", 0)["rows"], 20);
    refused(at, "update store@1 --alpha 0.1", "of the whole store");
    refused(at, "show store@1 --history", "of the whole store");
    // The one before, and the one before that.
    let back = said(at, "rollback store", 0);
    assert_eq!((&back["generation"], &back["from"]), (&json!(3), &json!(1)));
    let again = said(at, "rollback store --dry-run", 0);
    assert_eq!((&again["generation"], &again["from"]), (&Value::Null, &json!(2)));
}

#[test]
fn what_is_there_already_is_not_added_again() {
    let folder = folder();
    let at = folder.path();
    build(at);
    refused(at, "update store --add parts --model MODEL", "in the store already");
    refused(at, "update store --add held-out --model MODEL", "held out for the calibration");
    // The same id, another image.
    save(&stripes(1), &at.join("other/defect/000.png"));
    save(&stripes(2), &at.join("other/defect/new.png"));
    refused(at, "update store --add other --model MODEL", "--replace");
    let added = said(at, "update store --add other --model MODEL --replace", 0);
    assert_eq!((&added["added"], &added["replaced"]), (&json!(1), &json!(1)));
    assert_eq!(added["images"], 21);
    // The same image in another class.
    fs::create_dir_all(at.join("relabeled/non_defect")).unwrap();
    fs::copy(at.join("parts/defect/001.png"), at.join("relabeled/non_defect/x.png")).unwrap();
    save(&stripes(3), &at.join("relabeled/non_defect/y.png"));
    let added = said(at, "update store --add relabeled --model MODEL", 0);
    assert_eq!(added["duplicates"][0]["same_as"], "defect/001.png");
    assert_eq!(added["duplicates"][0]["other_class"], true);
    // An image that cannot be read is named.
    fs::write(at.join("relabeled/non_defect/z.png"), "no image").unwrap();
    save(&stripes(4), &at.join("relabeled/non_defect/w.png"));
    let added = said(at, "update store --add relabeled --model MODEL", 3);
    assert_eq!(added["skipped"][0]["image"], "non_defect/z.png");
}

#[test]
fn a_removal_names_what_is_there_and_leaves_something() {
    let folder = folder();
    let at = folder.path();
    build(at);
    refused(at, "update store", "required");
    refused(at, "update store --remove nobody.png", "no image of the store is called nobody.png");
    refused(at, "update store --remove-class crack", "of class crack");
    refused(at, "update store --remove x/*", "matches x/*");
    refused(at, "update store --remove **", "all 20 images");
    fs::write(at.join("ids.txt"), "defect/000.png\ndefect/001.png\n").unwrap();
    let dry = said(at, "update store --remove-ids ids.txt --dry-run", 0);
    assert_eq!(
        (&dry["removed"], &dry["images"], &dry["dry_run"]),
        (&json!(2), &json!(18), &json!(true))
    );
    let removed = said(at, "update store --remove-ids ids.txt --remove-class non_defect", 0);
    assert_eq!((&removed["removed"], &removed["images"]), (&json!(12), &json!(8)));
}

#[test]
fn the_kept_held_out_images_are_scored_by_another_rule() {
    let folder = folder();
    let at = folder.path();
    build(at);
    let calibrated = said(at, "update store --score mean-l1 --alpha 0.1", 0);
    assert_eq!(
        (&calibrated["score"]["method"], &calibrated["calibration"]["alpha"]),
        (&json!("mean-l1"), &json!(0.1))
    );
    // As if it had been built so.
    let build =
        "build --model MODEL parts --calibrate held-out --out other --score mean-l1 --alpha 0.1";
    run(at, build).expect_code(0);
    said(at, "show store --diff other", 0);
    // Nothing else is asked of them: the same again.
    said(at, "update store --calibrate", 0);
    said(at, "show store@2 --diff store", 0);
    refused(at, "update store --alpha 0.01", "too small");
    refused(at, "update store --calibrate --extend", "--extend takes");
    // Images of the reference are no held-out images.
    for number in 0..30 {
        let image = if number < 10 {
            format!("parts/defect/{number:03}.png")
        } else {
            format!("dark/non_defect/dark-{:03}.png", number - 10)
        };
        fs::create_dir_all(at.join("mixed")).unwrap();
        fs::copy(at.join(image), at.join(format!("mixed/{number}.png"))).unwrap();
    }
    let calibrated = said(at, "update store --calibrate mixed --model MODEL", 0);
    assert_eq!(calibrated["calibration"]["images"], 20);
    assert_eq!(calibrated["duplicates"].as_array().unwrap().len(), 10);
}

/// Matrices instead of images: `a.npy` with ids, and held-out ones.
fn matrices(at: &Path) {
    let mut random = Random::new(3);
    for (name, rows) in [("a", 30), ("b", 20), ("held", 40), ("other", 25)] {
        save_npy(&random.normal_matrix(rows, 6), &at.join(format!("{name}.npy")));
        let ids: String =
            (0..rows).map(|row| format!("{name}{row}")).collect::<Vec<_>>().join("\n");
        fs::write(at.join(format!("{name}.txt")), ids + "\n").unwrap();
    }
    let build = |name: &str, held: &str| {
        let build =
            format!("build {name}.npy --ids {name}.txt --calibrate {held}.npy --out {name}-store");
        run(at, &build).expect_code(0);
    };
    build("a", "held");
    build("b", "other");
    fs::rename(at.join("a-store"), at.join("store")).unwrap();
}

#[test]
fn stores_are_merged_with_their_held_out_images() {
    let folder = folder();
    let at = folder.path();
    matrices(at);
    let merged = said(at, "update store --merge b-store", 0);
    assert_eq!((&merged["added"], &merged["images"]), (&json!(20), &json!(50)));
    assert_eq!(merged["calibration"]["images"], 65);
    // Neither an image nor a held-out one twice, and no generation for nothing.
    refused(at, "update store --merge b-store@1", "nothing to merge");
    // Another image under an id that is there, and one that is held out elsewhere.
    run(at, "build other.npy --ids other.txt --out other-store").expect_code(0);
    refused(at, "update store --merge other-store", "both sides");
    fs::copy(at.join("b.txt"), at.join("ids.txt")).unwrap();
    save_npy(&Random::new(9).normal_matrix(20, 6), &at.join("c.npy"));
    run(at, "build c.npy --ids ids.txt --out c-store").expect_code(0);
    refused(at, "update store --merge c-store", "20 ids are in the store that another image has");
    let merged = said(at, "update store --merge c-store --replace", 0);
    assert_eq!((&merged["replaced"], &merged["images"]), (&json!(20), &json!(50)));
    let sha256 = "ab".repeat(32);
    run(at, &format!("build c.npy --out d-store --model-sha256 {sha256}")).expect_code(0);
    let said = said(at, "update store --merge d-store", 2);
    assert_eq!(said["error"]["code"], "model_mismatch");
}

#[test]
fn a_calibration_without_its_images_is_not_kept_by_accident() {
    let folder = folder();
    let at = folder.path();
    matrices(at);
    // As another program may write a store: with the scores alone.
    let store = FileStore::open(&at.join("store")).unwrap();
    let keep = ["score.json", "calibration.json"];
    let attachments = keep.map(|name| (name.to_owned(), store.attachment(name).unwrap().to_vec()));
    let old = store.with_attachments(attachments.into()).unwrap();
    old.save(&at.join("store"), &sdd_index::WriteOptions::default()).unwrap();
    let add = "update store --add b.npy --ids b.txt";
    refused(at, add, "hold out other images");
    refused(at, "update store --alpha 0.1", "keeps no held-out images");
    let calibrated = said(at, &format!("{add} --calibrate held.npy"), 0);
    assert_eq!(calibrated["images"], 50);
    assert_eq!(calibrated["calibration"]["images"], 40);
    assert_eq!(calibrated["calibration"]["alpha"], 0.05);
}

#[test]
fn embeddings_are_exported() {
    let folder = folder();
    let at = folder.path();
    matrices(at);
    let exported = said(at, "export store --out out.npy", 0);
    assert_eq!(exported["files"], json!(["out.npy", "out.csv"]));
    assert_eq!((&exported["rows"], &exported["dimension"]), (&json!(30), &json!(6)));
    let ids = fs::read_to_string(at.join("out.csv")).unwrap();
    assert!(ids.starts_with("id,label,norm\na0,,"), "{ids}");
    // What was exported builds the same store, but for the last place of a norm.
    run(at, "build out.npy --ids a.txt --out again").expect_code(0);
    said(at, "export store --out out-all.csv --what calibration", 0);
    let table = fs::read_to_string(at.join("out-all.csv")).unwrap();
    assert!(table.starts_with("id,label,predicted_class,norm,e0,e1,e2,e3,e4,e5\n"), "{table}");
    assert_eq!(table.lines().count(), 41);
    refused(at, "export store --out out.xlsx", "neither .npy nor .csv");
    refused(at, "export c.npy --out out.npy", "cannot open c.npy");
}

#[test]
fn a_writer_that_is_at_work_is_said() {
    let folder = folder();
    let at = folder.path();
    matrices(at);
    let lock = fs::File::open(at.join("store/.lock")).unwrap();
    lock.lock().unwrap();
    refused(at, "update store --alpha 0.1", "another process");
    refused(at, "update store --remove a1", "another process");
    said(at, "update store --remove a1 --dry-run", 0);
    said(at, "show store --history", 0);
    drop(lock);
    said(at, "update store --remove a1", 0);
}

#[test]
fn a_damaged_earlier_generation_is_found_and_named() {
    let folder = folder();
    let at = folder.path();
    matrices(at);
    said(at, "update store --remove a1", 0);
    let mut bytes = fs::read(at.join("store/index-000001.faiss")).unwrap();
    bytes[100] ^= 1;
    fs::write(at.join("store/index-000001.faiss"), bytes).unwrap();
    // What is served is sound, and said to be.
    let text = run(at, "show store --verify").expect_code(3).out;
    assert!(text.contains("  sound "), "{text}");
    let dead = "damaged     generation 1 is not served and cannot be brought back";
    assert!(text.contains(dead), "{text}");
    assert!(text.contains("what is served is sound"), "{text}");
    let verified = said(at, "show store --verify", 3);
    assert_eq!((&verified["status"], &verified["generation"]), (&json!("partial"), &json!(2)));
    assert_eq!(verified["earlier_generations"], json!([]));
    assert_eq!(verified["damaged_generations"][0]["generation"], 1);
    said(at, "show store@2 --verify", 0);
    let alone = run(at, "show store@1 --verify").expect_code(2);
    assert!(alone.err.contains("store is not sound"), "{}", alone.err);
    let history = said(at, "show store --history", 0);
    assert!(history["generations"][0]["problem"].as_str().unwrap().contains("damaged"));
    assert_eq!(history["generations"][1]["problem"], Value::Null);
    refused(at, "rollback store@1", "cannot be brought back");
    said(at, "update store --add b.npy --ids b.txt", 0);
}

#[test]
fn a_build_keeps_what_it_replaces() {
    let folder = folder();
    let at = folder.path();
    matrices(at);
    run(at, "build b.npy --out store --note again").expect_code(0);
    let history = said(at, "show store --history", 0)["generations"].clone();
    assert_eq!((&history[0]["command"], &history[0]["note"]), (&json!("build"), &Value::Null));
    assert_eq!((&history[1]["command"], &history[1]["note"]), (&json!("build"), &json!("again")));
    said(at, "rollback store@1", 0);
    said(at, "show store --diff store@1", 0);
}

fn stack(parts: &[ArrayView2<'_, f32>]) -> Array2<f32> {
    concatenate(Axis(0), parts).unwrap()
}

#[test]
fn an_image_is_on_one_side_whatever_command_puts_it_there() {
    let folder = folder();
    let at = folder.path();
    let mut random = Random::new(11);
    let (a, held) = (random.normal_matrix(30, 6), random.normal_matrix(40, 6));
    // The last ten of the reference are the first ten; of the held-out ones ten are in the reference and five twice.
    let twice = stack(&[a.slice(s![..30, ..]), a.slice(s![..10, ..])]);
    let mixed = stack(&[held.view(), a.slice(s![5..15, ..]), held.slice(s![..5, ..])]);
    for (name, rows) in [("a", &a), ("twice", &twice), ("held", &held), ("mixed", &mixed)] {
        save_npy(rows, &at.join(format!("{name}.npy")));
    }
    run(at, "build a.npy --calibrate held.npy --out plain").expect_code(0);
    let build = "build twice.npy --calibrate mixed.npy --out store";
    let built = said(at, build, 0);
    assert_eq!((&built["images"], &built["calibration"]["images"]), (&json!(30), &json!(40)));
    let duplicates = built["duplicates"].as_array().unwrap();
    let of = |part: &str| duplicates.iter().filter(|one| one["part"] == part).count();
    assert_eq!((of("reference"), of("calibration")), (10, 15));
    assert_eq!(
        duplicates[0],
        json!({"part": "reference", "image": "30", "same_as": "0", "other_class": false})
    );
    // The same store, by any way to it.
    said(at, "show plain --diff store", 0);
    assert_eq!(said(at, "show store --verify", 0)["on_both_sides"], 0);
    save_npy(&a.slice(s![..12, ..]).to_owned(), &at.join("part.npy"));
    run(at, "build part.npy --calibrate held.npy --out added").expect_code(0);
    let ids: Vec<String> = (12..30).chain(0..10).map(|row| row.to_string()).collect();
    fs::write(at.join("ids.txt"), ids.join("\n").replace("\n0\n", "\nother\n")).unwrap();
    save_npy(&twice.slice(s![12.., ..]).to_owned(), &at.join("rest.npy"));
    let added = said(at, "update added --add rest.npy --ids ids.txt", 0);
    assert_eq!((&added["added"], &added["images"]), (&json!(18), &json!(30)));
    said(at, "show plain --diff added", 0);
    let calibrated = said(at, "update added --calibrate mixed.npy", 0);
    assert_eq!(calibrated["calibration"]["images"], 40);
    said(at, "show plain --diff added", 0);
    // Nothing but images of the reference is no calibration.
    for command in ["build a.npy --calibrate a.npy --out none", "update store --calibrate a.npy"] {
        let refused = run(at, command).expect_code(2);
        assert!(
            refused.err.contains("0 images left for the calibration, 30 left out"),
            "{}",
            refused.err
        );
    }
    assert!(!at.join("none").exists());
    // Twice in what is added, and nowhere before.
    let new = random.normal_matrix(3, 6);
    save_npy(&stack(&[new.view(), new.view()]), &at.join("new.npy"));
    fs::write(at.join("ids.txt"), "n0\nn1\nn2\nn3\nn4\nn5\n").unwrap();
    let added = said(at, "update store --add new.npy --ids ids.txt", 0);
    assert_eq!((&added["added"], &added["duplicates"][0]["same_as"]), (&json!(3), &json!("n0")));
}

#[test]
fn a_picture_that_was_saved_anew_is_the_same_picture() {
    let folder = folder();
    let at = folder.path();
    build(at);
    for number in 0..3 {
        let from = at.join(format!("parts/defect/00{number}.png"));
        let picture = image::open(from).unwrap();
        for to in [
            format!("held-out/again-{number}.bmp"),
            format!("parts/non_defect/again-{number}.tiff"),
        ] {
            picture.save(at.join(to)).unwrap();
        }
    }
    let built = said(at, "build --model MODEL parts --calibrate held-out --out other", 0);
    assert_eq!(built["duplicates"].as_array().unwrap().len(), 6);
    assert_eq!(built["duplicates"][0]["other_class"], true, "{built}");
    said(at, "show store --diff other", 0);
}

#[test]
fn held_out_images_say_of_how_many_sources_they_are() {
    let folder = folder();
    let at = folder.path();
    build(at);
    let split = "build --model MODEL parts --calibrate-share 0.5 --group-regex [0-9]+ --alpha 0.2";
    run(at, &format!("{split} --out split")).expect_code(0);
    let source = |said: Value| said["calibration"]["source"].clone();
    let one = source(said(at, "show split", 0));
    assert_eq!(one["kind"], "split");
    let extended = source(said(at, "update split --calibrate held-out --extend --model MODEL", 0));
    let expected = json!({"kind": "joined", "parts": [one, {"kind": "directory"}]});
    assert_eq!(extended, expected);
    let text = run(at, "show split").expect_code(0).out;
    assert!(text.contains("seed 0 and from a folder of their own"), "{text}");
    // Another folder is told already.
    let again = said(at, "update split --calibrate dark-held-out --extend --model MODEL", 0);
    assert_eq!(source(again), expected);
}

#[test]
fn a_store_without_its_manifest_is_mended_by_what_the_message_says() {
    let folder = folder();
    let at = folder.path();
    matrices(at);
    run(at, "update store --remove a1 --note mistake").expect_code(0);
    run(at, "update store --remove a2").expect_code(0);
    let manifest = at.join("store/manifest.json");
    let mend = |damage: &dyn Fn()| {
        damage();
        for command in
            ["show store", "show store --verify", "check store b.npy", "update store --remove a3"]
        {
            let refused = run(at, command).expect_code(2).err;
            assert!(refused.contains("`drift-index rollback store@2`"), "{command}: {refused}");
        }
        let listed = run(at, "show store --history").expect_code(0);
        assert!(
            listed.out.contains("mistake")
                && listed.err.contains("none of these is the current one")
        );
        assert_eq!(said(at, "rollback store@2", 0)["images"], 29);
        said(at, "show store --verify", 0);
    };
    let sound = fs::read(&manifest).unwrap();
    mend(&|| fs::write(&manifest, "").unwrap());
    fs::write(&manifest, sound).unwrap();
    mend(&|| fs::remove_file(&manifest).unwrap());
    // A damaged index: the store of before is not damaged.
    let current = FileStore::open(&at.join("store")).unwrap().manifest().clone();
    run(at, "update store --remove a4").expect_code(0);
    let index = FileStore::open(&at.join("store")).unwrap().manifest().index.file.clone();
    fs::write(at.join("store").join(index), "cut").unwrap();
    let words = format!("`drift-index rollback store@{}`", current.generation);
    let refused = run(at, "show store --verify").expect_code(2).err;
    assert!(refused.contains(&words), "{refused}");
    said(at, &format!("rollback store@{}", current.generation), 0);
    run(at, "check store b.npy").expect_code(0);
    let verified = said(at, "show store --verify", 3);
    assert_eq!(verified["generation"], current.generation + 2);
    assert_eq!(verified["damaged_generations"][0]["generation"], current.generation + 1);
    // A folder in the manifest's place: a file cannot be given its name.
    fs::rename(&manifest, at.join("aside")).unwrap();
    fs::create_dir(&manifest).unwrap();
    let refused = run(at, "show store --verify").expect_code(2).err;
    assert!(refused.contains("move that folder away") && refused.contains(&words), "{refused}");
    fs::remove_dir(&manifest).unwrap();
    said(at, &format!("rollback store@{}", current.generation), 0);
}

#[test]
fn a_limit_of_file_sizes_is_an_error_and_no_end() {
    let folder = folder();
    let at = folder.path();
    save_npy(&Random::new(1).normal_matrix(2000, 64), &at.join("e.npy"));
    save_npy(&Random::new(2).normal_matrix(10, 64), &at.join("few.npy"));
    run(at, "build few.npy --out store").expect_code(0);
    let limited = |arguments: &str| {
        let script = format!("ulimit -f 128; exec \"$0\" {arguments}");
        let program = env!("CARGO_BIN_EXE_drift-index");
        let said = Command::new("sh").args(["-c", &script, program]).current_dir(at).output();
        crate::support::Said::from(said.unwrap())
    };
    for arguments in ["build e.npy --out store", "build e.npy --out new"] {
        let refused = limited(arguments).expect_code(2);
        assert!(refused.err.contains("File too large"), "{}", refused.err);
    }
    assert_eq!(said(at, "show store --verify", 0)["images"], 10);
    assert_eq!(fs::read_dir(at.join("new")).unwrap().count(), 1, "nothing but the lock");
}

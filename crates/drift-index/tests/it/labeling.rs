//! Captured images, labeled by a person and put into a data set.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use insta::assert_snapshot;
use sdd_index::{FileStore, Filter};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::{Said, command, dark_surface, folder, parts, run, save};
use crate::text::redacted;

/// `count` dark images as the server keeps them; every other one is out of distribution. Their paths.
fn capture(at: &Path, count: u64) -> Vec<String> {
    let (mut paths, mut lines) = (Vec::new(), String::new());
    for number in 0..count {
        let drawn = at.join("drawn.png");
        save(&dark_surface(900 + number), &drawn);
        let bytes = fs::read(&drawn).unwrap();
        let sha256 = format!("{:x}", Sha256::digest(&bytes));
        let path = format!("images/{}/{sha256}.png", &sha256[..2]);
        fs::create_dir_all(at.join("capture/images").join(&sha256[..2])).unwrap();
        fs::write(at.join("capture").join(&path), &bytes).unwrap();
        let record = json!({
            "format_version": 1,
            "time": format!("2026-11-2{}T10:00:{number:02}.5Z", 4 + number % 2),
            "request_id": "r",
            "image": {"path": path, "sha256": sha256, "bytes": bytes.len()},
            "class": "non_defect",
            "confidence": 0.75,
            "probabilities": {"defect": 0.25, "non_defect": 0.75},
            "drift": {"method": "knn", "score": 0.5, "p_value": 0.04, "threshold": 0.4,
                "out_of_distribution": number % 2 == 0, "unavailable": null, "neighbors": []},
            "model": {"name": "m", "version": "1", "sha256": "ab".repeat(32)},
            "reasons": if number % 2 == 0 { vec!["sample", "out_of_distribution"] } else { vec!["sample"] },
        });
        lines.push_str(&record.to_string());
        lines.push('\n');
        paths.push(path);
    }
    // The server is writing the next line.
    fs::write(at.join("capture/predictions-2026-11-24.jsonl"), lines + "{\"format_ver").unwrap();
    paths
}

fn label(at: &Path, list: &str, labels: &[&str]) {
    let text = fs::read_to_string(at.join(list)).unwrap();
    let mut labels = labels.iter();
    let labeled: Vec<String> = text
        .lines()
        .map(|line| match line.split_once(",,") {
            Some((image, rest)) => format!("{image},{},{rest}", labels.next().unwrap_or(&"")),
            None => line.to_owned(),
        })
        .collect();
    fs::write(at.join(list), labeled.join("\n")).unwrap();
}

#[test]
fn captured_images_are_listed_labeled_and_added() {
    let folder = folder();
    let at = folder.path();
    let paths = capture(at, 6);
    parts(at, &["defect", "non_defect"], 6);
    run(at, "build --model MODEL parts --out store").expect_code(0);
    redacted(|| {
        assert_snapshot!("captured", run(at, "capture list capture").expect_code(0).out);
    });
    fs::remove_file(at.join("capture").join(&paths[5])).unwrap();
    let all = run(at, "capture list capture --json").expect_code(0).json();
    assert_eq!((all["images"].as_array().unwrap().len(), &all["gone"]), (5, &json!(1)));
    let count = |filter: &str| {
        let listed =
            run(at, &format!("capture list capture {filter} --json")).expect_code(0).json();
        listed["images"].as_array().unwrap().len()
    };
    assert_eq!(count("--out-of-distribution"), 3);
    assert_eq!(count("--reason sample"), 5);
    assert_eq!((count("--since 2026-11-25"), count("--until 2026-11-24")), (2, 3));

    assert_eq!(
        (count("--since 2026-11-24T10:00:02Z"), count("--until 2026-11-24T10:00:00")),
        (4, 1)
    );

    run(at, "capture list capture --out-of-distribution --out labels.csv").expect_code(0);
    let empty = run(at, "capture label capture --classes labels.csv --out dataset").expect_code(2);
    assert!(empty.err.contains("labels no image"), "{}", empty.err);
    label(at, "labels.csv", &["non_defect", "", "defect"]);
    let over = run(at, "capture list capture --out labels.csv").expect_code(2);
    assert!(over.err.contains("cannot write labels.csv: it is there already"), "{}", over.err);
    let reason = run(at, "capture list capture --reason x").expect_code(2);
    assert!(reason.err.contains("low_confidence"), "{}", reason.err);

    fs::create_dir(at.join("dataset")).unwrap();
    fs::write(at.join("dataset/items.csv"), "image,label,item\nx.png,defect,1").unwrap();
    let into = "capture label capture --classes labels.csv --out dataset --json";
    let dry = run(at, &format!("{into} --dry-run")).expect_code(0).json();
    assert_eq!(dry["copied"].as_array().unwrap().len(), 2);
    assert_eq!(fs::read_dir(at.join("dataset")).unwrap().count(), 1);
    let labeled = run(at, into).expect_code(0).json();
    assert_eq!((labeled["copied"].as_array().unwrap().len(), &labeled["items"]), (2, &json!(2)));
    let again = run(at, into).expect_code(0).json();
    assert_eq!(
        (&again["copied"], &again["already_there"], &again["items"]),
        (&json!([]), &json!(2), &json!(0))
    );
    let list = at.join("dataset/items.csv");
    let items = fs::read_to_string(&list).unwrap();
    assert_eq!(items.lines().count(), 4, "{items}");
    // As a program that was killed may leave it, after a spreadsheet had it: run again, it is completed.
    fs::write(&list, format!("\u{feff}{}", &items[..items.len() - 40])).unwrap();
    let mended = run(at, into).expect_code(0).json();
    assert_eq!((&mended["copied"], &mended["items"]), (&json!([]), &json!(1)));
    assert!(items.contains(mended["unfinished"].as_str().unwrap()));
    assert_eq!(fs::read_to_string(&list).unwrap(), format!("\u{feff}{items}"));

    let added = run(at, "update store --add capture --classes labels.csv --model MODEL --json");
    assert_eq!(added.expect_code(0).json()["added"], 2);
    let store = FileStore::open(&at.join("store")).unwrap();
    let records = store.records(Filter::All);
    let new: Vec<_> = records.iter().filter(|record| paths.contains(&record.id)).collect();
    assert_eq!(new.len(), 2);
    // The data set holds the same images, which are then in the store.
    let twice = run(at, "update store --add dataset --model MODEL").expect_code(2);
    assert!(twice.err.contains("all 2 images are in the store already"), "{}", twice.err);
}

#[test]
fn a_list_that_cannot_be_right_is_refused() {
    let folder = folder();
    let at = folder.path();
    let paths = capture(at, 2);
    let try_list = |content: &str, expected: &str| {
        fs::write(at.join("labels.csv"), content).unwrap();
        let said =
            run(at, "capture label capture --classes labels.csv --out dataset").expect_code(2);
        assert!(said.err.contains(expected), "{content}: {}", said.err);
        assert!(!at.join("dataset").exists());
    };
    let path = &paths[0];
    try_list("path,label\n", "no column `image`; it has path, label");
    try_list("image,class\n", "no column `label`");
    try_list(&format!("image,label\n{path},a\n{path},b\n"), "both a and b");
    try_list(&format!("image,label\n{path},../a\n"), "no name of a class");
    try_list(&format!("image,label\n{path},.a\n"), "no name of a class");
    try_list("image,label\n../../etc/passwd,a\n", "no path of a captured image");
    let quote = format!("image,label\n{path},\"a\n{},b\n", paths[1]);
    try_list(&quote, "line 2 of labels.csv opens a quote that is not closed");
    let gone = format!("images/00/{}.png", "00".repeat(32));
    try_list(&format!("image,label\n{gone},a\n"), "cannot read");
    fs::write(at.join("capture").join(&paths[1]), "cut").unwrap();
    try_list(&format!("image,label\n{},a\n", paths[1]), "not what was captured");
    // Called something else the second time.
    fs::write(at.join("labels.csv"), format!("image,label\n{path},a\n")).unwrap();
    run(at, "capture label capture --classes labels.csv --out dataset").expect_code(0);
    fs::write(at.join("labels.csv"), format!("image,label\n{path},b\n")).unwrap();
    let said = run(at, "capture label capture --classes labels.csv --out dataset --json")
        .expect_code(2)
        .json();
    assert!(said["error"]["message"].as_str().unwrap().contains("already"), "{said}");
    assert_eq!(said["error"]["code"], Value::from("invalid_input"));
    let said = run(at, "capture list dataset").expect_code(2);
    assert!(said.err.contains("no predictions"), "{}", said.err);
    let said = run(at, "capture list capture --since yesterday").expect_code(2);
    assert!(said.err.contains("expected a day"), "{}", said.err);
}

/// A capture folder of files that differ, and a list that labels each of them.
fn captured_files(at: &Path, count: usize, label: &str) {
    let mut list = vec!["image,label".to_owned()];
    for number in 0..count {
        let bytes = format!("file {number}");
        let sha256 = format!("{:x}", Sha256::digest(&bytes));
        let folder = at.join("capture/images").join(&sha256[..2]);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(format!("{sha256}.png")), bytes).unwrap();
        list.push(format!("images/{}/{sha256}.png,{label}", &sha256[..2]));
    }
    fs::write(at.join("labels.csv"), list.join("\n") + "\n").unwrap();
}

#[test]
fn what_is_interrupted_has_written_nothing() {
    let folder = folder();
    let at = folder.path();
    captured_files(at, 3000, "good");
    fs::create_dir(at.join("dataset")).unwrap();
    fs::write(at.join("dataset/items.csv"), "image,label,item\n").unwrap();
    // What one that was killed has left.
    fs::create_dir_all(at.join("dataset/.drift-index-label-killed/1")).unwrap();
    let arguments = ["capture", "label", "capture", "--classes", "labels.csv", "--out", "dataset"];
    let child = command(at).args(arguments).stderr(Stdio::piped()).spawn().unwrap();
    // Until it copies.
    let is_copying = || {
        let mut entries = fs::read_dir(at.join("dataset")).unwrap().flatten();
        entries.any(|entry| entry.path().is_dir() && entry.path().join("0").exists())
    };
    let start = Instant::now();
    while !is_copying() {
        assert!(start.elapsed() < Duration::from_mins(1), "it copies nothing");
    }
    let kill = format!("kill -INT {}", child.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    let said = Said::from(child.wait_with_output().unwrap()).expect_code(130);
    assert!(said.err.contains("nothing was written"), "{}", said.err);
    assert_eq!(fs::read_dir(at.join("dataset")).unwrap().count(), 1);
    assert_eq!(fs::read(at.join("dataset/items.csv")).unwrap(), b"image,label,item\n");
    let labeled = run(at, "capture label capture --classes labels.csv --out dataset --json")
        .expect_code(0)
        .json();
    assert_eq!(
        (labeled["copied"].as_array().unwrap().len(), &labeled["items"]),
        (3000, &json!(3000))
    );
}

/// In a data set that is not there yet.
#[test]
fn what_a_killed_one_left_is_removed_and_what_another_works_in_is_not() {
    let folder = folder();
    let at = folder.path();
    captured_files(at, 3000, "good");
    let dataset = at.join("dataset");
    let left = || {
        let entries = fs::read_dir(&dataset).into_iter().flatten().flatten();
        let names = entries.map(|entry| entry.file_name().into_string().unwrap());
        names.filter(|name| name.starts_with(".drift-index-label-")).collect::<Vec<_>>()
    };
    let label = "capture label capture --classes labels.csv --out dataset";
    let mut child = command(at).args(label.split(' ')).spawn().unwrap();
    let start = Instant::now();
    while !left().iter().any(|name| dataset.join(name).join("0").exists()) {
        assert!(start.elapsed() < Duration::from_mins(1), "it copies nothing");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // Nothing but that is there.
    assert_eq!((left().len(), fs::read_dir(&dataset).unwrap().count()), (1, 1));
    let lock = fs::File::open(&dataset).unwrap();
    lock.lock().unwrap();
    let refused = run(at, label).expect_code(2);
    assert!(refused.err.contains("another process"), "{}", refused.err);
    assert_eq!(left().len(), 1, "another works there");
    drop(lock);
    run(at, label).expect_code(0);
    assert!(left().is_empty(), "{:?}", left());
    assert_eq!(fs::read_dir(dataset.join("good")).unwrap().count(), 3000);
}

#[test]
fn a_class_that_is_new_is_shown_and_one_writer_at_a_time_works() {
    let folder = folder();
    let at = folder.path();
    let into = "capture label capture --classes labels.csv --out dataset --json";
    captured_files(at, 3, "defect");
    let classes = |number: usize, class: &str, new: bool| json!([{"class": class, "images": number, "new": new}]);
    assert_eq!(run(at, into).expect_code(0).json()["classes"], classes(3, "defect", false));
    fs::remove_dir_all(at.join("dataset/defect")).unwrap();
    fs::create_dir_all(at.join("dataset/non_defect")).unwrap();
    captured_files(at, 2, "non_defcet");
    let held = fs::File::open(at.join("dataset")).unwrap();
    held.lock().unwrap();
    let refused = run(at, into).expect_code(2);
    assert!(refused.out.contains("another process"), "{}", refused.out);
    drop(held);
    assert_eq!(run(at, into).expect_code(0).json()["classes"], classes(2, "non_defcet", true));
    let text =
        run(at, "capture label capture --classes labels.csv --out other/data").expect_code(0).out;
    assert!(text.contains("2 non_defcet\n"), "{text}");
    let list = fs::read_to_string(at.join("labels.csv")).unwrap().replace(',', ";");
    fs::write(at.join("labels.csv"), list).unwrap();
    let refused = run(at, into).expect_code(2);
    assert!(refused.out.contains("separated by semicolons"), "{}", refused.out);
}

//! `show --verify`, and what else opens a store, on damaged and forged ones.

use std::fs;
use std::path::{Path, PathBuf};

use sdd_drift::calibration::{CALIBRATION_ATTACHMENT, CalibrationEntry, CalibrationSource};
use sdd_drift::score::SCORE_ATTACHMENT;
use sdd_drift::{Calibration, Score};
use sdd_index::Normalization;
use serde_json::{Value, json};

use crate::support::{Random, folder, run, save_npy, store};

fn calibration() -> Value {
    let entry = |score: u32| CalibrationEntry {
        score: f64::from(score),
        label: Some("a".into()),
        ..CalibrationEntry::default()
    };
    let entries = (1..=19).map(entry).collect();
    let source = CalibrationSource::Directory;
    let calibration = Calibration::new(Score::default(), 0.05, entries, None, source).unwrap();
    serde_json::from_slice(&calibration.to_json()).unwrap()
}

/// A store in `folder/store` with this calibration, forged or not: the checksums fit.
fn write(folder: &Path, calibration: &[u8]) {
    let rows = Random::new(1).normal_matrix(12, 4);
    let attachments = [
        (SCORE_ATTACHMENT, Score::default().to_json()),
        (CALIBRATION_ATTACHMENT, calibration.to_vec()),
    ];
    store(&folder.join("store"), rows, Normalization::L2, &["a"; 12], &attachments);
}

/// Every command that opens the store says why it cannot, and ends by itself.
#[track_caller]
fn assert_refused(folder: &Path, what: &str) {
    save_npy(&Random::new(2).normal_matrix(1, 4), &folder.join("q.npy"));
    for arguments in ["show store --verify", "show store", "check store q.npy"] {
        let said = run(folder, arguments);
        assert_eq!(said.code, 2, "{what}, {arguments}: {}{}", said.out, said.err);
        assert!(said.err.starts_with("error: "), "{what}, {arguments}: {}", said.err);
        assert!(!said.err.contains("panicked"), "{what}, {arguments}: {}", said.err);
    }
    let said = run(folder, "show store --verify --json").expect_code(2).json();
    assert_eq!(said["status"], "error");
    assert_ne!(said["error"]["message"], "");
}

#[test]
fn a_sound_store_passes() {
    let folder = folder();
    write(folder.path(), &serde_json::to_vec(&calibration()).unwrap());
    let said = run(folder.path(), "show store --verify --json").expect_code(0).json();
    assert_eq!((&said["status"], &said["images"]), (&json!("ok"), &json!(12)));
    assert!(said["min_norm"].as_f64().unwrap() > 0.0);
    assert_eq!(said["zero_rows"], 0);
}

#[test]
fn a_forged_calibration_is_refused() {
    let forgeries: [(&str, Value); 13] = [
        ("/threshold", json!(1e9)),
        ("/alpha", json!(0.9)),
        ("/alpha", json!(1.5)),
        ("/alpha", json!("0.05")),
        ("/images", json!(20)),
        ("/images", json!(-1)),
        ("/groups", json!(4000)),
        ("/method", json!("mean-l1")),
        ("/method", json!("none")),
        ("/k", json!(7)),
        ("/format_version", json!(2)),
        ("/scores/0/score", json!(100.0)),
        ("/scores", json!([])),
    ];
    for (pointer, value) in forgeries {
        let folder = folder();
        let mut forged = calibration();
        *forged.pointer_mut(pointer).unwrap() = value.clone();
        write(folder.path(), &serde_json::to_vec(&forged).unwrap());
        assert_refused(folder.path(), &format!("{pointer} = {value}"));
    }
    for bytes in ["", "null", "[[[[", "{\"format_version\":1}", "\u{0}"] {
        let folder = folder();
        write(folder.path(), bytes.as_bytes());
        assert_refused(folder.path(), bytes);
    }
    let folder = folder();
    write(folder.path(), "[".repeat(100_000).as_bytes());
    assert_refused(folder.path(), "deep nesting");
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder.join("store"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| !path.ends_with(".lock"))
        .collect();
    files.sort();
    files
}

#[test]
fn every_file_is_missed_and_every_cut_and_flip_found() {
    let folder = folder();
    write(folder.path(), &serde_json::to_vec(&calibration()).unwrap());
    assert_eq!(files(folder.path()).len(), 5);
    for file in files(folder.path()) {
        let whole = fs::read(&file).unwrap();
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        fs::remove_file(&file).unwrap();
        assert_refused(folder.path(), &format!("{name} removed"));
        for length in [0, 1, whole.len() / 2, whole.len() - 1] {
            fs::write(&file, &whole[..length]).unwrap();
            let said = run(folder.path(), "show store --verify");
            assert_eq!(said.code, 2, "{name} cut to {length}: {}{}", said.out, said.err);
        }
        for step in 0..16 {
            let position = step * (whole.len() - 1) / 15;
            let mut flipped = whole.clone();
            flipped[position] ^= 1 << (step % 8);
            fs::write(&file, &flipped).unwrap();
            let said = run(folder.path(), "show store --verify");
            assert_eq!(said.code, 2, "{name} flipped at {position}: {}{}", said.out, said.err);
        }
        fs::write(&file, &whole).unwrap();
        run(folder.path(), "show store --verify").expect_code(0);
    }
}

#[test]
fn what_is_no_store_is_refused() {
    let folder = folder();
    assert_refused(folder.path(), "nothing");
    fs::create_dir(folder.path().join("store")).unwrap();
    assert_refused(folder.path(), "an empty folder");
    fs::remove_dir(folder.path().join("store")).unwrap();
    fs::write(folder.path().join("store"), "a file").unwrap();
    assert_refused(folder.path(), "a file");
}

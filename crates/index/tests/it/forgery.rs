//! Damaged and forged stores: every one is an error, none a crash, a hang or a huge allocation.

use std::fs;
use std::os::unix::fs::{FileExt, symlink};
use std::path::Path;
use std::process::Command;

use sdd_index::{Error, FileStore, Manifest, Normalization};
use tempfile::TempDir;

use crate::support::{contents, forge_index, forge_records, listing, manifest, seal};

const COUNT: usize = 30;
const DIMENSION: usize = 8;

fn store() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    FileStore::write(folder.path(), &contents(3, COUNT, DIMENSION, Normalization::L2)).unwrap();
    folder
}

#[track_caller]
fn assert_damaged(dir: &Path, expected: &str) {
    let error = FileStore::open(dir).unwrap_err();
    assert!(matches!(error, Error::Damaged { .. }), "{error}");
    assert!(error.to_string().contains(expected), "{error}");
}

/// The FAISS file with `bytes` written over it at `offset`.
fn patched(dir: &Path, patches: &[(usize, &[u8])]) -> Vec<u8> {
    let mut index = fs::read(dir.join(manifest(dir).index.file)).unwrap();
    for (offset, bytes) in patches {
        index[*offset..offset + bytes.len()].copy_from_slice(bytes);
    }
    index
}

/// Changes the header of the FAISS file; all checksums fit.
#[track_caller]
fn assert_header_refused(patches: &[(usize, &[u8])], expected: &str) {
    let folder = store();
    let forged = patched(folder.path(), patches);
    forge_index(folder.path(), &forged);
    assert_damaged(folder.path(), expected);
}

#[test]
fn a_row_count_of_2_to_the_53_and_a_size_field_of_0() {
    let rows = (1_i64 << 53).to_le_bytes();
    assert_header_refused(&[(8, &rows), (37, &0_u64.to_le_bytes())], "expected 30 rows");
    // The same in a file that ends behind its header, with a manifest that agrees.
    let folder = store();
    let forged = patched(folder.path(), &[(8, &rows), (37, &0_u64.to_le_bytes())]);
    forge_index(folder.path(), &forged[..45]);
    let mut manifest = manifest(folder.path());
    manifest.count = 1 << 53;
    seal(folder.path(), manifest);
    assert_damaged(folder.path(), "expected 9007199254740992 whole lines");
}

#[test]
fn a_size_field_of_2_to_the_33() {
    assert_header_refused(&[(37, &(1_u64 << 33).to_le_bytes())], "in its size field");
    assert_header_refused(&[(37, &u64::MAX.to_le_bytes())], "in its size field");
    assert_header_refused(&[(37, &0_u64.to_le_bytes())], "in its size field");
}

#[test]
fn counts_whose_product_wraps_around() {
    // 2^61 rows of 8 values are 2^64 values, 0 in 64 bits.
    let rows = (1_i64 << 61).to_le_bytes();
    assert_header_refused(&[(8, &rows), (37, &0_u64.to_le_bytes())], "expected 30 rows");
    assert_header_refused(&[(8, &(-1_i64).to_le_bytes())], "found -1");
    assert_header_refused(&[(4, &(-8_i32).to_le_bytes())], "found -8");
    assert_header_refused(&[(4, &i32::MAX.to_le_bytes())], "expected dimension 8");
}

#[test]
fn other_kinds_of_index() {
    assert_header_refused(&[(0, b"IxFI")], "IxFI");
    assert_header_refused(&[(0, b"IHNf")], "IndexFlatL2");
    assert_header_refused(&[(33, &0_i32.to_le_bytes())], "metric type");
    assert_header_refused(&[(33, &23_i32.to_le_bytes())], "metric type");
    assert_header_refused(&[(32, &[0])], "trained");
    assert_header_refused(&[(16, &[1])], "at byte 16");
    assert_header_refused(&[(24, &[1])], "at byte 24");
}

#[test]
fn rows_that_are_no_numbers_or_not_of_length_one() {
    let offset = 45 + (7 * DIMENSION + 2) * 4;
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        assert_header_refused(&[(offset, &bad.to_le_bytes())], "at row 7, column 2");
    }
    assert_header_refused(&[(offset, &1e30_f32.to_le_bytes())], "at row 7");
    let folder = store();
    let forged = patched(folder.path(), &[(offset, &2_f32.to_le_bytes())]);
    forge_index(folder.path(), &forged);
    let error = FileStore::open(folder.path()).unwrap_err();
    assert!(error.to_string().contains("expected length 1 at row 7"), "{error}");
}

#[test]
fn every_length_of_the_faiss_file_that_is_not_its_own() {
    let folder = store();
    let whole = patched(folder.path(), &[]);
    let row = DIMENSION * 4;
    let cuts = (0..=46).chain([
        45 + row - 1,
        45 + row,
        45 + row + 1,
        whole.len() / 2,
        whole.len() - row,
        whole.len() - 4,
        whole.len() - 1,
    ]);
    for len in cuts {
        // As an accident leaves it, and as a forger does, with checksums that fit.
        fs::write(folder.path().join("index-000001.faiss"), &whole[..len]).unwrap();
        assert_damaged(folder.path(), "expected");
        forge_index(folder.path(), &whole[..len]);
        assert_damaged(folder.path(), "expected");
        forge_index(folder.path(), &whole);
    }
    let mut longer = whole.clone();
    for _ in 0..row {
        longer.push(0);
        forge_index(folder.path(), &longer);
        assert_damaged(folder.path(), "expected 45 + 30 x 8 x 4 bytes");
    }
}

/// A file of the store, opened to be damaged in place: writing it anew each time would take minutes.
fn files_to_damage(dir: &Path) -> impl Iterator<Item = (String, fs::File, Vec<u8>)> {
    let names = listing(dir).into_iter().filter(|name| name != ".lock");
    names.map(|name| {
        let path = dir.join(&name);
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        (name, file, fs::read(&path).unwrap())
    })
}

#[test]
fn every_cut_of_every_file() {
    let folder = store();
    for (name, file, whole) in files_to_damage(folder.path()) {
        file.write_all_at(b"\n", whole.len() as u64).unwrap();
        assert!(FileStore::open(folder.path()).is_err(), "{name} with a byte more");
        for len in (0..whole.len()).rev() {
            file.set_len(len as u64).unwrap();
            assert!(FileStore::open(folder.path()).is_err(), "{name} cut to {len} bytes");
        }
        file.write_all_at(&whole, 0).unwrap();
        file.set_len(whole.len() as u64).unwrap();
        assert!(FileStore::open(folder.path()).is_ok());
    }
}

#[test]
fn every_flipped_bit_of_every_file() {
    let folder = store();
    for (name, file, whole) in files_to_damage(folder.path()) {
        for (position, byte) in whole.iter().enumerate() {
            for bit in 0..8 {
                file.write_all_at(&[byte ^ (1 << bit)], position as u64).unwrap();
                let opened = FileStore::open(folder.path());
                assert!(opened.is_err(), "{name}, byte {position}, bit {bit}");
            }
            file.write_all_at(&[*byte], position as u64).unwrap();
        }
        assert!(FileStore::open(folder.path()).is_ok());
    }
}

#[test]
fn records_that_break_a_rule() {
    let folder = store();
    let path = folder.path().join("records-000001.jsonl");
    let text = fs::read_to_string(path).unwrap();
    let first = text.lines().next().unwrap();
    for (from, to, expected) in [
        (first, "", "line 1"),
        (first, "null", "line 1"),
        (first, "{}", "line 1"),
        (first, text.lines().nth(1).unwrap(), "a second time"),
        ("\"label\":\"pitted\"", "\"label\":\"\"", "expected a label"),
        ("\"label\":\"pitted\"", "\"label\":\"a\\nb\"", "control characters"),
        ("\"norm\":", "\"norm\":-", "expected a norm"),
        ("\"norm\":", "\"norm\":1e400,\"x\":", "line 1"),
        ("\"norm\":", "\"norm\":999999999999999999999", "expected a norm"),
        ("\"norm\":", "\"nrom\":", "unknown field"),
        ("\"label\":\"pitted\"", "\"label\":\"scratches\"", "scattered"),
        ("{\"id\":", "{\"id\":7,\"x\":", "line 1"),
        ("3/image-0.bmp", &"x".repeat(5000), "at most 4096 bytes"),
        ("3/image-0.bmp", &"x".repeat(513), "at most 512 bytes"),
    ] {
        forge_records(folder.path(), text.replacen(from, to, 1).as_bytes());
        assert_damaged(folder.path(), expected);
    }
    forge_records(folder.path(), format!("{text}{first}\n").as_bytes());
    assert_damaged(folder.path(), "expected 30 whole lines, found 31");
    forge_records(folder.path(), &[0xFF].repeat(text.len()));
    assert_damaged(folder.path(), "whole lines");
    // More bytes than 30 lines can have.
    forge_records(folder.path(), &b"x".repeat(30 * 4096 + 1));
    assert_damaged(folder.path(), "expected at most");
    // A count that the FAISS file contradicts.
    let shorter = text.lines().skip(1).flat_map(|line| [line, "\n"]).collect::<String>();
    forge_records(folder.path(), shorter.as_bytes());
    let mut forged = manifest(folder.path());
    forged.count = COUNT - 1;
    seal(folder.path(), forged);
    assert_damaged(folder.path(), "expected 29 rows in its header, found 30");
}

#[test]
fn manifests_that_break_a_rule() {
    let folder = store();
    let good = manifest(folder.path());
    let forge = |change: &dyn Fn(&mut Manifest), expected: &str| {
        let mut forged = good.clone();
        change(&mut forged);
        seal(folder.path(), forged);
        assert_damaged(folder.path(), expected);
    };
    for file in ["../index-000001.faiss", "/etc/passwd", "", ".", "index-000002.faiss", "a\0b"] {
        forge(&|m| file.clone_into(&mut m.index.file), "expected a file \"index-000001.faiss\"");
        forge(
            &|m| file.clone_into(&mut m.records.file),
            "expected a file \"records-000001.jsonl\"",
        );
        forge(
            &|m| file.clone_into(&mut m.attachments.get_mut("calibration.json").unwrap().file),
            "expected a file \"calibration-000001.json\"",
        );
    }
    forge(
        &|m| {
            let entry = m.attachments["empty.bin"].clone();
            m.attachments.insert("../../x".to_owned(), entry);
        },
        "expected an attachment name",
    );
    forge(&|m| m.dimension = 0, "expected a dimension of 1");
    forge(&|m| m.dimension = usize::MAX, "expected a dimension of 1");
    forge(&|m| m.dimension = 16, "expected dimension 16 in its header, found 8");
    forge(&|m| m.count = 0, "at least one row");
    forge(&|m| m.count = usize::MAX, "whole lines");
    forge(&|m| m.generation = 0, "expected a file");
    forge(&|m| m.normalization = Normalization::None, "expected no norm");
    forge(&|m| m.index.bytes = u64::MAX, "expected 18446744073709551615 bytes, found");
    forge(&|m| m.index.sha256 = "00".repeat(32), "expected SHA-256");
    forge(&|m| m.index.sha256 = "ABC".to_owned(), "64 lower-case");
    forge(&|m| m.model.as_mut().unwrap().name = "\u{1b}[31m".to_owned(), "control characters");
    forge(
        &|m| {
            let entry = m.attachments["empty.bin"].clone();
            for i in 0..64 {
                let name = format!("a{i}");
                let file = format!("a{i}-000001");
                m.attachments.insert(name, sdd_index::FileEntry { file, ..entry.clone() });
            }
        },
        "at most 64 attachments",
    );
    seal(folder.path(), good);
    assert!(FileStore::open(folder.path()).is_ok());
}

#[test]
fn texts_that_are_no_manifest() {
    let folder = store();
    let path = folder.path().join("manifest.json");
    let good = fs::read_to_string(&path).unwrap();
    let nested = "[".repeat(100_000);
    let twice = good.replace("\"count\": 30,", "\"count\": 30,\n  \"count\": 30,");
    let unknown = good.replace("\"count\": 30,", "\"count\": 30,\n  \"kount\": 30,");
    let spaced = good.replace("\"count\": 30", "\"count\":  30");
    let name = "{\"format\": \"other\", \"format_version\": 2}";
    for text in [
        "",
        "{}",
        "[]",
        "null",
        "{\"name\": \"a web app\"}",
        name,
        &nested,
        &twice,
        &unknown,
        &spaced,
    ] {
        fs::write(&path, text).unwrap();
        assert_damaged(folder.path(), "manifest.json is damaged");
    }
    for version in [0, 1, 3] {
        let other = format!("\"format_version\": {version}");
        fs::write(&path, good.replace("\"format_version\": 2", &other)).unwrap();
        let error = FileStore::open(folder.path()).unwrap_err();
        let is_told = matches!(error, Error::UnsupportedVersion { found, supported: 2, .. } if found == version);
        assert!(is_told && error.to_string().ends_with("build it again"), "{error}");
    }
    // As long as a disk: not read into memory.
    let file = fs::File::create(&path).unwrap();
    file.set_len(1 << 40).unwrap();
    assert_damaged(folder.path(), "expected at most 1048576 bytes");
}

#[test]
fn a_sparse_file_as_long_as_its_manifest_says_is_not_read_into_memory() {
    let folder = store();
    let mut forged = manifest(folder.path());
    let entry = forged.attachments.get_mut("empty.bin").unwrap();
    entry.bytes = 1 << 40;
    fs::File::create(folder.path().join(&entry.file)).unwrap().set_len(1 << 40).unwrap();
    seal(folder.path(), forged);
    assert_damaged(folder.path(), "expected at most 268435456 bytes");
}

#[test]
fn links_pipes_folders_and_missing_files() {
    for name in
        ["index-000001.faiss", "records-000001.jsonl", "calibration-000001.json", "manifest.json"]
    {
        let folder = store();
        let path = folder.path().join(name);
        let elsewhere = folder.path().join("elsewhere");
        fs::rename(&path, &elsewhere).unwrap();
        if name == "manifest.json" {
            assert!(matches!(FileStore::open(folder.path()), Err(Error::NotAStore { .. })));
        } else {
            assert_damaged(folder.path(), "it is missing");
        }
        // A link leads to what is then looked at: a file is read, anything else is none.
        symlink(&elsewhere, &path).unwrap();
        FileStore::open(folder.path()).unwrap();
        for target in [folder.path(), Path::new("/dev/zero")] {
            fs::remove_file(&path).unwrap();
            symlink(target, &path).unwrap();
            assert_damaged(folder.path(), "expected a regular file");
        }
        fs::remove_file(&path).unwrap();
        symlink(&path, &path).unwrap();
        assert!(matches!(FileStore::open(folder.path()), Err(Error::Io { .. })));
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert_damaged(folder.path(), "expected a regular file");
        fs::remove_dir(&path).unwrap();
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        assert_damaged(folder.path(), "expected a regular file");
    }
    let nowhere = Path::new("no such folder");
    assert!(matches!(FileStore::open(nowhere), Err(Error::NotAStore { .. })));
}

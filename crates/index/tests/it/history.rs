//! Earlier generations: what is kept, what is shared, what is removed, and edits that leave rows as they are.

use std::fs;
use std::path::Path;

use ndarray::{Array2, array};
use sdd_index::{
    Change, Error, FileStore, Filter, Manifest, Normalization, Record, Replaces, RowEdit,
    WriteOptions,
};

use crate::support::{self, listing};

fn change(command: &str, from: u64) -> Change {
    let command = command.to_owned();
    Change {
        command,
        from: Some(from),
        added: 1,
        removed: 2,
        replaced: 3,
        note: Some("why".into()),
    }
}

fn keeping(keep: usize) -> WriteOptions<'static> {
    WriteOptions { keep_generations: keep.try_into().unwrap(), ..WriteOptions::default() }
}

fn write(dir: &Path, seed: u64, keep: usize) -> Manifest {
    let contents = support::contents(seed, 30, 8, Normalization::L2);
    FileStore::in_memory(&contents).unwrap().save(dir, &keeping(keep)).unwrap()
}

fn seeds(dir: &Path) -> Vec<(u64, String)> {
    let kept = FileStore::history(dir).unwrap();
    assert_eq!(kept.iter().filter(|kept| kept.is_current).count(), 1);
    assert!(kept.last().unwrap().is_current);
    kept.iter()
        .map(|kept| {
            assert_eq!(kept.missing, [""; 0]);
            let generation = kept.manifest.generation;
            let store = FileStore::open_generation(dir, generation).unwrap();
            assert_eq!(store.manifest(), &kept.manifest);
            let text = store.attachment("calibration.json").unwrap();
            (generation, String::from_utf8(text.to_vec()).unwrap())
        })
        .collect()
}

#[test]
fn earlier_generations_are_kept_and_the_oldest_go() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    for seed in 1..=5 {
        write(dir, seed, 3);
    }
    let text = |seed: u64| (seed, format!("{{\"seed\":{seed}}}"));
    assert_eq!(seeds(dir), [text(3), text(4), text(5)]);
    assert_eq!(listing(dir).len(), 3 * 4 + 3 + 1, "{:?}", listing(dir));
    let error = FileStore::open_generation(dir, 2).unwrap_err();
    assert_eq!(error.to_string().split(": ").last(), Some("it has 3, 4, 5"), "{error}");
    write(dir, 6, 1);
    assert_eq!(seeds(dir), [text(6)]);
    assert_eq!(listing(dir).len(), 6, "{:?}", listing(dir));
}

#[test]
fn what_does_not_change_is_shared() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    write(dir, 1, 9);
    let store = FileStore::open(dir).unwrap();
    let mut attachments: std::collections::BTreeMap<_, _> = ["calibration.json", "empty.bin"]
        .map(|name| (name.to_owned(), store.attachment(name).unwrap().to_vec()))
        .into();
    attachments.insert("calibration.json".into(), b"other".to_vec());
    let base = store.manifest().clone();
    let options = WriteOptions {
        change: Some(change("calibrate", 1)),
        replaces: Replaces::Generation(&base),
        ..keeping(9)
    };
    let next = store.with_attachments(attachments).unwrap();
    let manifest = next.save(dir, &options).unwrap();
    assert_eq!(manifest.generation, 2);
    assert_eq!((&manifest.index, &manifest.records), (&base.index, &base.records));
    assert_eq!(manifest.attachments["empty.bin"], base.attachments["empty.bin"]);
    assert_eq!(manifest.attachments["calibration.json"].file, "calibration-000002.json");
    assert_eq!(manifest.change, change("calibrate", 1));
    assert_eq!(FileStore::open(dir).unwrap().manifest(), &manifest);

    // What was made from generation 1 cannot replace generation 2.
    let error = next.save(dir, &options).unwrap_err();
    assert!(matches!(error, Error::Superseded { expected: 1, found: 2, .. }), "{error}");

    // Back to generation 1: nothing but a manifest is written, and what both share stays when one goes.
    let before = listing(dir).len();
    let old = FileStore::open_generation(dir, 1).unwrap();
    let options = WriteOptions { change: Some(change("rollback", 1)), ..keeping(9) };
    let manifest = old.save(dir, &options).unwrap();
    assert_eq!((manifest.generation, manifest.files().count()), (3, 4));
    assert!(manifest.files().eq(base.files()));
    assert_eq!(listing(dir).len(), before + 1);
    let options = WriteOptions { change: Some(change("rollback", 3)), ..keeping(1) };
    FileStore::open(dir).unwrap().save(dir, &options).unwrap();
    let expected = [
        ".lock",
        "calibration-000001.json",
        "empty-000001.bin",
        "index-000001.faiss",
        "manifest.json",
        "records-000001.jsonl",
    ];
    assert_eq!(listing(dir), expected);
    FileStore::open(dir).unwrap();
}

#[test]
fn files_of_others_that_look_like_a_generation_stay() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    write(dir, 1, 2);
    let foreign = ["manifest-000001.json", "manifest-000007.json", "manifest-000008.json"];
    fs::write(dir.join(foreign[1]), "{\"name\": \"a web app\"}").unwrap();
    // Sound, but of another generation than its name says.
    fs::copy(dir.join("manifest.json"), dir.join(foreign[2])).unwrap();
    write(dir, 2, 2);
    write(dir, 3, 2);
    assert_eq!(seeds(dir).len(), 2);
    assert!(foreign[1..].iter().all(|name| dir.join(name).exists()));
    // One that stands where a manifest would go is an error, not a casualty; without a history it is in nobody's way.
    fs::write(dir.join("manifest-000003.json"), "mine").unwrap();
    let contents = support::contents(4, 30, 8, Normalization::L2);
    let store = FileStore::in_memory(&contents).unwrap();
    let error = store.save(dir, &keeping(2)).unwrap_err();
    assert!(matches!(error, Error::Io { action: "create", .. }), "{error}");
    assert_eq!(support::manifest(dir).generation, 3);
    store.save(dir, &keeping(1)).unwrap();
    assert_eq!(fs::read(dir.join("manifest-000003.json")).unwrap(), b"mine");
}

#[test]
fn a_generation_whose_files_are_gone_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    write(dir, 1, 3);
    write(dir, 2, 3);
    fs::remove_file(dir.join("index-000001.faiss")).unwrap();
    fs::write(dir.join("empty-000001.bin"), "not empty").unwrap();
    let history = FileStore::history(dir).unwrap();
    assert_eq!(history[0].missing, ["index-000001.faiss", "empty-000001.bin"]);
    assert_eq!(history[1].missing, [""; 0]);
    assert!(matches!(FileStore::open_generation(dir, 1), Err(Error::Damaged { .. })));
    // It goes as any other.
    write(dir, 3, 1);
    assert_eq!(listing(dir).len(), 6);
}

/// Id, label, bits of the stored row, norm.
fn rows(dir: &Path) -> Vec<(Record, Vec<u8>, String)> {
    let store = FileStore::open(dir).unwrap();
    let manifest = store.manifest();
    let index = fs::read(dir.join(&manifest.index.file)).unwrap();
    let norms: Vec<String> = fs::read_to_string(dir.join(&manifest.records.file))
        .unwrap()
        .lines()
        .map(|line| line.split("\"norm\":").nth(1).unwrap().to_owned())
        .collect();
    let width = 4 * store.dimension();
    let bits = index[45..].chunks(width).map(<[u8]>::to_vec);
    store
        .records(Filter::All)
        .into_iter()
        .zip(bits)
        .zip(norms)
        .map(|((r, b), n)| (r, b, n))
        .collect()
}

#[test]
fn an_edit_leaves_the_other_rows_as_they_are_to_the_bit() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    write(dir, 1, 9);
    let before = rows(dir);
    let store = FileStore::open(dir).unwrap();
    let record =
        |id: &str, label: Option<&str>| Record { id: id.into(), label: label.map(str::to_owned) };
    let new = Array2::from_shape_fn((2, 8), |(row, column)| 1.5 + (row * column) as f32);
    let records = [record("new", None), record("1/image-4.bmp", Some("pitted"))];
    let edit = RowEdit::new(&store)
        .remove(["1/image-3.bmp".to_owned(), "1/image-4.bmp".to_owned(), "nobody".to_owned()])
        .add(&new, &records)
        .unwrap();
    let edited = edit.apply().unwrap();
    // It is no generation yet, and has no checksum of another.
    assert_eq!((edited.manifest().generation, edited.manifest().checksum.as_str()), (0, ""));
    // In memory it answers as it does once it is on disk.
    let query = array![[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]];
    let in_memory = edited.search(query.view(), 5, Filter::All).unwrap();
    edited.save(dir, &WriteOptions { change: Some(change("add", 1)), ..keeping(9) }).unwrap();
    let on_disk = FileStore::open(dir).unwrap().search(query.view(), 5, Filter::All).unwrap();
    assert_eq!(in_memory, on_disk);
    assert_eq!(on_disk.len(), 1);

    let after = rows(dir);
    assert_eq!(after.len(), before.len());
    let kept: Vec<_> = after.iter().filter(|row| before.contains(row)).collect();
    assert_eq!(kept.len(), before.len() - 2);
    let replaced = after.iter().find(|(record, ..)| record.id == "1/image-4.bmp").unwrap();
    assert_eq!(replaced.0.label.as_deref(), Some("pitted"));
    // A new row is what it would be in a store of its own.
    let other = folder.path().join("other");
    let mut contents = support::contents(1, 2, 8, Normalization::L2);
    (contents.embeddings, contents.records) = (new, records.to_vec());
    FileStore::write(&other, &contents).unwrap();
    assert!(rows(&other).iter().all(|row| after.contains(row)));

    // All of another store's rows but one.
    let edit =
        RowEdit::new(&store).add_rows_of(&FileStore::open(&other).unwrap(), |id| id == "new");
    let merged = edit.unwrap().apply().unwrap();
    assert_eq!(merged.len(), before.len() + 1);
}

#[test]
fn an_edit_that_makes_no_store_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    write(dir, 1, 1);
    let store = FileStore::open(dir).unwrap();
    let ids: Vec<String> = store.records(Filter::All).into_iter().map(|record| record.id).collect();
    let error = RowEdit::new(&store).remove(ids.clone()).apply().unwrap_err();
    assert!(error.to_string().contains("at least one"), "{error}");
    let twice = [Record { id: ids[0].clone(), label: None }];
    let error =
        RowEdit::new(&store).add(&Array2::ones((1, 8)), &twice).unwrap().apply().unwrap_err();
    assert!(error.to_string().contains("a second time"), "{error}");
    let wide = RowEdit::new(&store).add(&Array2::ones((1, 9)), &twice).unwrap_err();
    assert!(matches!(wide, Error::DimensionMismatch { expected: 8, found: 9, .. }), "{wide}");
    let nan = RowEdit::new(&store).add(&Array2::from_elem((1, 8), f32::NAN), &twice).unwrap_err();
    assert!(matches!(nan, Error::NotFinite { .. }), "{nan}");
    let mut raw = support::contents(1, 2, 8, Normalization::None);
    raw.model = None;
    let raw = FileStore::in_memory(&raw).unwrap();
    let mixed = RowEdit::new(&store).add_rows_of(&raw, |_| true).unwrap_err();
    assert!(mixed.to_string().contains("normalization"), "{mixed}");
    let long = Change { note: Some("x".repeat(2000)), ..change("add", 1) };
    let options = WriteOptions { change: Some(long), ..WriteOptions::default() };
    assert!(store.save(dir, &options).unwrap_err().to_string().contains("note"));
}

/// The store with another calibration, which shares all other files.
fn calibrated_anew(dir: &Path) -> FileStore {
    let store = FileStore::open(dir).unwrap();
    let empty = store.attachment("empty.bin").unwrap().to_vec();
    let attachments =
        [("calibration.json".to_owned(), b"other".to_vec()), ("empty.bin".to_owned(), empty)];
    let store = store.with_attachments(attachments.into()).unwrap();
    assert_eq!((store.manifest().generation, store.manifest().checksum.as_str()), (0, ""));
    store
}

#[test]
fn a_store_is_not_saved_over_shared_files_that_are_gone_or_others() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    write(dir, 1, 9);
    let options = WriteOptions { change: Some(change("calibrate", 1)), ..keeping(9) };
    let index = dir.join("index-000001.faiss");
    let sound = fs::read(&index).unwrap();
    let mut altered = sound.clone();
    altered[100] ^= 1;
    for content in [None, Some(&sound[1..]), Some(&altered[..])] {
        fs::write(&index, &sound).unwrap();
        let next = calibrated_anew(dir);
        let _ = fs::remove_file(&index);
        if let Some(content) = content {
            fs::write(&index, content).unwrap();
        }
        let (before, manifest) = (listing(dir), support::manifest(dir));
        let error = next.save(dir, &options).unwrap_err();
        assert!(matches!(error, Error::Damaged { .. }), "{error}");
        assert!(error.to_string().contains("index-000001.faiss"), "{error}");
        assert_eq!((listing(dir), support::manifest(dir)), (before, manifest));
    }
    fs::write(&index, &sound).unwrap();
    calibrated_anew(dir).save(dir, &options).unwrap();
    FileStore::open(dir).unwrap();
}

#[test]
fn a_lost_manifest_is_no_lost_store() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    for seed in 1..=3 {
        write(dir, seed, 9);
    }
    let path = dir.join("manifest.json");
    let sound = fs::read(&path).unwrap();
    let mend = |generation| {
        let options = WriteOptions {
            replaces: Replaces::LostManifest,
            change: Some(change("rollback", generation)),
            ..keeping(9)
        };
        FileStore::open_generation(dir, generation).unwrap().save(dir, &options)
    };
    // Nothing is lost: nobody's store is written over in this way.
    assert!(matches!(mend(1).unwrap_err(), Error::Superseded { found: 3, .. }));
    let damages: [Option<&[u8]>; 4] =
        [None, Some(b""), Some(b"{\"name\": \"a web app\"}"), Some(&sound[..50])];
    for damage in damages {
        fs::write(&path, &sound).unwrap();
        match damage {
            Some(damage) => fs::write(&path, damage).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        let words = "generation 2 is kept beside it";
        let error = FileStore::open(dir).unwrap_err();
        let (way_back, opened) = (error.way_back().unwrap(), error.to_string());
        assert_eq!((way_back.store.as_path(), way_back.generation), (dir, 2));
        assert!(opened.contains(words), "{opened}");
        let written = FileStore::write(dir, &support::contents(4, 30, 8, Normalization::L2));
        let written = written.unwrap_err().to_string();
        assert!(written.contains("refused") && written.contains(words), "{written}");
        let history = FileStore::history(dir).unwrap();
        let kept: Vec<_> = history.iter().map(|g| (g.manifest.generation, g.is_current)).collect();
        assert_eq!(kept, [(1, false), (2, false)]);
    }
    // A file cannot take a folder's name: this is said, and what is in the folder stays.
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    let error = FileStore::open(dir).unwrap_err();
    assert!(error.way_back().unwrap().folder_in_the_way);
    assert!(error.to_string().contains("move that folder away; then generation 2"), "{error}");
    assert!(mend(2).is_err() && path.is_dir());
    fs::remove_dir(&path).unwrap();
    // Its files still stand under the number that is lost.
    assert_eq!(mend(2).unwrap().generation, 4);
    let text = FileStore::open(dir).unwrap().attachment("calibration.json").unwrap().to_vec();
    assert_eq!(text, b"{\"seed\":2}");
    assert!(dir.join("index-000003.faiss").exists());
    // Without others there is nothing to go back to.
    write(dir, 5, 1);
    fs::remove_file(&path).unwrap();
    assert!(matches!(FileStore::open(dir), Err(Error::NotAStore { .. })));
    assert!(matches!(FileStore::history(dir), Err(Error::NotAStore { .. })));
}

#[test]
fn damage_names_the_generation_that_does_not_have_it() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    write(dir, 1, 9);
    calibrated_anew(dir).save(dir, &keeping(9)).unwrap();
    write(dir, 2, 9);
    let damage = |name: &str| {
        let mut bytes = fs::read(dir.join(name)).unwrap();
        bytes[60] ^= 1;
        fs::write(dir.join(name), bytes).unwrap();
        FileStore::open(dir).unwrap_err().to_string()
    };
    let said = damage("index-000003.faiss");
    assert!(said.contains("generation 2 is kept beside it and can be brought back"), "{said}");
    // Both others have it in common.
    let old = FileStore::open_generation(dir, 2).unwrap();
    let options = WriteOptions { change: Some(change("rollback", 2)), ..keeping(9) };
    old.save(dir, &options).unwrap();
    fs::remove_file(dir.join("records-000003.jsonl")).unwrap();
    let said = damage("index-000001.faiss");
    assert!(said.contains("backup") && !said.contains("is kept"), "{said}");
}

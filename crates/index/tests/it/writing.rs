//! Writing: refusals, crashes, full disks, several writers, readers in between.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, UNIX_EPOCH};

use sdd_index::{
    Change, Error, FileStore, Filter, Normalization, Record, StoreContents, WriteOptions,
};

use crate::support::{self, listing};

const DIR: &str = "SDD_TEST_STORE_DIR";

/// Contents from which one can tell the seed and whether they are whole.
fn contents(seed: u64) -> StoreContents {
    support::contents(seed, 400, 64, Normalization::None)
}

/// Opens the store and checks that it is one of [`contents`]; returns its seed.
#[track_caller]
fn open_whole(dir: &Path) -> u64 {
    let store = FileStore::open(dir).unwrap();
    let attachment = std::str::from_utf8(store.attachment("calibration.json").unwrap()).unwrap();
    let seed = attachment.trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap();
    let expected = contents(seed);
    let mut found: Vec<_> = store.records(Filter::All);
    found.sort_by_key(|r| r.id.clone());
    let mut given = expected.records;
    given.sort_by_key(|r| r.id.clone());
    assert_eq!(found, given);
    assert_eq!(store.embeddings(Filter::All).sum(), sum_by_label(&expected.embeddings));
    seed
}

/// The sum in the order in which the store keeps the rows.
fn sum_by_label(embeddings: &ndarray::Array2<f32>) -> f32 {
    let order: Vec<usize> = (0..3).flat_map(|label| (label..400).step_by(3)).collect();
    embeddings.select(ndarray::Axis(0), &order).sum()
}

fn files_of_generation(generation: u64) -> Vec<String> {
    vec![
        ".lock".to_owned(),
        format!("calibration-{generation:06}.json"),
        format!("empty-{generation:06}.bin"),
        format!("index-{generation:06}.faiss"),
        "manifest.json".to_owned(),
        format!("records-{generation:06}.jsonl"),
    ]
}

#[test]
fn a_store_is_replaced_and_nothing_is_left_over() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("a/new/folder");
    for generation in 1..=3 {
        let manifest = FileStore::write(&dir, &contents(generation)).unwrap();
        assert_eq!(manifest.generation, generation);
        assert_eq!(open_whole(&dir), generation);
        assert_eq!(listing(&dir), files_of_generation(generation));
    }
}

#[test]
fn contents_that_cannot_be_stored_are_refused_before_a_file_is_touched() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("store");
    let refuse = |change: &dyn Fn(&mut StoreContents), expected: &str| {
        let mut contents = support::contents(1, 4, 2, Normalization::L2);
        change(&mut contents);
        let error = FileStore::write(&dir, &contents).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert!(!dir.exists());
    };
    refuse(&|c| c.records.truncate(3), "expected one record for each of 4 embeddings, found 3");
    refuse(&|c| c.records[2].id = c.records[1].id.clone(), "a second time");
    refuse(&|c| c.records[2].id.clear(), "record 2: expected a");
    refuse(&|c| c.embeddings[[3, 1]] = f32::NAN, "row 3, column 1");
    refuse(&|c| c.embeddings[[3, 1]] = 1e30, "expected vectors of Euclidean norm at most");
    refuse(&|c| c.embeddings = ndarray::Array2::zeros((4, 0)), "dimension of 1 to");
    refuse(
        &|c| (c.embeddings, c.records) = (ndarray::Array2::zeros((0, 2)), vec![]),
        "at least one",
    );
    refuse(&|c| c.model.as_mut().unwrap().sha256.clear(), "64 lower-case");
    for name in ["../x", "x/y", "index.faiss", ".lock", "Ä", ""] {
        refuse(&|c| drop(c.attachments.insert(name.to_owned(), vec![])), "attachment name");
    }
    let many = |c: &mut StoreContents| {
        c.attachments.extend((0..64).map(|i| (format!("a{i}"), vec![])));
    };
    refuse(&many, "at most 64 attachments");
}

#[test]
fn a_folder_that_is_no_store_is_left_alone() {
    for (name, text) in [
        ("photo-000123.jpg", "a photo"),
        ("index-000001.faiss", "not ours: no journal lists it"),
        ("manifest.json", "{\"name\": \"a web app\"}"),
        (".lock", "another program's"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(name), text).unwrap();
        let error = FileStore::write(folder.path(), &contents(1)).unwrap_err();
        assert!(matches!(error, Error::Occupied { .. }), "{name}: {error}");
        assert_eq!(fs::read_to_string(folder.path().join(name)).unwrap(), text);
        let others: Vec<_> = listing(folder.path()).into_iter().filter(|n| n != name).collect();
        assert!(others.is_empty() || others == [".lock"], "{others:?}");
    }
    // An empty .lock speaks for a writer that was killed before it made a file: the photo is not its.
    let folder = tempfile::tempdir().unwrap();
    for name in [".lock", "photo-000123.jpg"] {
        fs::write(folder.path().join(name), "").unwrap();
    }
    let error = FileStore::write(folder.path(), &contents(1)).unwrap_err();
    assert!(error.to_string().contains("photo-000123.jpg"), "{error}");
    assert_eq!(listing(folder.path()), [".lock", "photo-000123.jpg"]);
    // A damaged store is not overwritten either: it may be all that is left of something.
    let folder = tempfile::tempdir().unwrap();
    FileStore::write(folder.path(), &contents(1)).unwrap();
    let path = folder.path().join("manifest.json");
    fs::write(&path, fs::read_to_string(&path).unwrap().replace("400", "401")).unwrap();
    let error = FileStore::write(folder.path(), &contents(2)).unwrap_err();
    assert!(matches!(error, Error::Occupied { .. }), "{error}");
}

#[test]
fn files_of_the_user_in_a_store_stay() {
    let folder = tempfile::tempdir().unwrap();
    FileStore::write(folder.path(), &contents(1)).unwrap();
    let foreign = ["index-000099.faiss", "notes.txt", "photo-000123.jpg", "records-000000.jsonl"];
    for name in foreign {
        fs::write(folder.path().join(name), "mine").unwrap();
    }
    FileStore::write(folder.path(), &contents(2)).unwrap();
    let mut expected = files_of_generation(2);
    expected.extend(foreign.map(str::to_owned));
    expected.sort();
    assert_eq!(listing(folder.path()), expected);
    // One that stands where the next file would go is gone past.
    fs::write(folder.path().join("records-000003.jsonl"), "mine").unwrap();
    let manifest = FileStore::write(folder.path(), &contents(3)).unwrap();
    assert_eq!((manifest.generation, open_whole(folder.path())), (4, 3));
    assert_eq!(fs::read(folder.path().join("records-000003.jsonl")).unwrap(), b"mine");
}

#[test]
fn a_second_writer_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    FileStore::write(folder.path(), &contents(1)).unwrap();
    let first = fs::File::open(folder.path().join(".lock")).unwrap();
    first.lock().unwrap();
    let error = FileStore::write(folder.path(), &contents(2)).unwrap_err();
    assert!(matches!(error, Error::Locked { .. }), "{error}");
    assert_eq!(open_whole(folder.path()), 1);
    drop(first);
    FileStore::write(folder.path(), &contents(2)).unwrap();
}

/// The line of the journal for a file that is there.
fn listed(path: &Path) -> String {
    let found = fs::symlink_metadata(path).unwrap();
    let created = found.created().unwrap().duration_since(UNIX_EPOCH).unwrap();
    let name = path.file_name().unwrap().to_str().unwrap();
    format!("{name} {}-{}\n", found.ino(), created.as_nanos())
}

#[test]
fn another_file_under_a_name_that_a_killed_writer_listed_stays() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    FileStore::write(dir, &contents(1)).unwrap();
    let names = ["index-000002.faiss", "records-000002.jsonl"];
    for name in names {
        fs::write(dir.join(name), "half of").unwrap();
    }
    let line = listed(&dir.join(names[0]));
    let journal = "sdd-reference-store writer lock; files it may leave behind:";
    // The second was listed before it was there, and is not known to be the writer's.
    fs::write(dir.join(".lock"), format!("{journal}\n{}\n{line}", names[1])).unwrap();
    fs::write(dir.join("mine"), "mine").unwrap();
    fs::rename(dir.join("mine"), dir.join(names[0])).unwrap();
    let manifest = FileStore::write(dir, &contents(2)).unwrap();
    assert_eq!((manifest.generation, open_whole(dir)), (3, 2));
    assert_eq!(fs::read(dir.join(names[0])).unwrap(), b"mine");
    assert_eq!(fs::read(dir.join(names[1])).unwrap(), b"half of");
}

#[test]
fn what_a_killed_writer_left_is_removed_by_the_next() {
    // Killed in its very first write, and killed while it replaced a store.
    for generation in [0, 1] {
        let folder = tempfile::tempdir().unwrap();
        let dir = &folder.path().join("store");
        fs::create_dir(dir).unwrap();
        let outside = folder.path().join("x-000001");
        fs::write(&outside, "not ours, though a forged journal names it").unwrap();
        if generation == 1 {
            FileStore::write(dir, &contents(1)).unwrap();
        }
        let next = generation + 1;
        let left = [format!("index-{next:06}.faiss"), format!("other-{next:06}.json")];
        let journal = "sdd-reference-store writer lock; files it may leave behind:\n";
        let cut = "cut-000001.js";
        for name in &left {
            fs::write(dir.join(name), "half of").unwrap();
        }
        // The third was made, and nothing was written into it or about it.
        let made = format!("records-{next:06}.jsonl");
        fs::write(dir.join(&made), "").unwrap();
        let lines = left.each_ref().map(|name| listed(&dir.join(name))).concat();
        let names = format!("{}\n{}\n{made}\n", left[0], left[1]);
        fs::write(dir.join(".lock"), format!("{journal}{names}{lines}../x-000001\n{cut}")).unwrap();
        fs::write(dir.join("manifest.json.tmp"), "{").unwrap();
        if generation == 1 {
            assert_eq!(open_whole(dir), 1);
        }
        FileStore::write(dir, &contents(2)).unwrap();
        assert_eq!(open_whole(dir), 2);
        assert_eq!(listing(dir), files_of_generation(next));
        assert!(outside.exists());
    }
}

#[test]
fn a_store_that_is_replaced_all_the_time_can_always_be_opened() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    FileStore::write(dir, &contents(1)).unwrap();
    let done = AtomicBool::new(false);
    let opened = std::thread::scope(|scope| {
        let readers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let mut seeds = Vec::new();
                    while !done.load(Ordering::Relaxed) {
                        seeds.push(open_whole(dir));
                    }
                    seeds
                })
            })
            .collect();
        let start = Instant::now();
        let mut written = Ok(());
        for seed in 2.. {
            written = FileStore::write(dir, &contents(seed)).map(drop);
            if written.is_err() || (seed >= 10 && start.elapsed() > Duration::from_secs(2)) {
                break;
            }
        }
        // Before anything can panic, or the readers would go on for ever.
        done.store(true, Ordering::Relaxed);
        written.unwrap();
        readers.into_iter().map(|reader| reader.join().unwrap()).collect::<Vec<_>>()
    });
    for seeds in opened {
        assert!(seeds.is_sorted(), "a reader went back in time");
        assert!(!seeds.is_empty());
    }
}

/// Runs one of the helper processes below on the store in `dir`.
fn helper(name: &str, dir: &Path, before: &str) -> Child {
    let test = std::env::current_exe().unwrap();
    Command::new("sh")
        .arg("-c")
        .arg(format!("{before} exec \"$0\" --ignored --exact writing::{name}"))
        .arg(test)
        .env(DIR, dir)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn helper_dir() -> PathBuf {
    std::env::var_os(DIR).expect("set by the test that runs this").into()
}

#[test]
#[ignore = "a helper process of a_writer_may_be_killed_at_any_moment"]
fn helper_writes_until_killed() {
    // Not for ever: nobody kills it where the test itself was killed.
    let start = Instant::now();
    for seed in 2.. {
        write_keeping(&helper_dir(), seed, 3);
        assert!(start.elapsed() < Duration::from_mins(2), "nobody killed it");
    }
}

/// Writes the contents of this seed, and the same rows once more.
fn write_keeping(dir: &Path, seed: u64, keep: usize) {
    let options =
        WriteOptions { keep_generations: keep.try_into().unwrap(), ..WriteOptions::default() };
    let store = FileStore::in_memory(&contents(seed)).unwrap();
    store.save(dir, &options).unwrap();
    // The same rows, another generation: the files are shared.
    let change = Change {
        command: "test".into(),
        from: None,
        added: 0,
        removed: 0,
        replaced: 0,
        note: None,
    };
    let options = WriteOptions { change: Some(change), ..options };
    FileStore::open(dir).unwrap().save(dir, &options).unwrap();
}

#[test]
fn a_writer_may_be_killed_at_any_moment() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    FileStore::write(dir, &contents(1)).unwrap();
    for round in 0..40_u32 {
        let generation = FileStore::open(dir).unwrap().manifest().generation;
        let mut child = helper("helper_writes_until_killed", dir, "");
        // First let it get to work, then strike at another moment each time.
        let start = Instant::now();
        while FileStore::open(dir).unwrap().manifest().generation == generation {
            assert!(start.elapsed() < Duration::from_mins(1), "the helper does not write");
        }
        std::thread::sleep(Duration::from_micros(u64::from(round) * 373));
        child.kill().unwrap();
        child.wait().unwrap();
        open_whole(dir);
        for kept in FileStore::history(dir).unwrap() {
            FileStore::open_generation(dir, kept.manifest.generation).unwrap();
        }
    }
    let manifest = FileStore::write(dir, &contents(7)).unwrap();
    assert_eq!(open_whole(dir), 7);
    assert_eq!(listing(dir), files_of_generation(manifest.generation));
}

#[test]
#[ignore = "a helper process of a_full_disk_leaves_the_old_store"]
fn helper_runs_out_of_space() {
    let error = FileStore::write(&helper_dir(), &contents(2)).unwrap_err();
    assert!(matches!(error, Error::Io { action: "write", .. }), "{error}");
}

#[test]
fn a_full_disk_leaves_the_old_store() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    FileStore::write(dir, &contents(1)).unwrap();
    // No file may grow past 4 KiB: the write fails, as on a full disk.
    let status =
        helper("helper_runs_out_of_space", dir, "trap '' XFSZ; ulimit -f 8;").wait().unwrap();
    assert!(status.success(), "{status}");
    assert_eq!(open_whole(dir), 1);
    assert_eq!(listing(dir), files_of_generation(1));
    // What it had begun is forgotten: a file that somebody puts there afterwards is theirs.
    let mine = dir.join("index-000002.faiss");
    fs::write(&mine, "").unwrap();
    FileStore::write(dir, &contents(1)).unwrap();
    assert_eq!(fs::read(&mine).unwrap(), b"");
    fs::remove_file(&mine).unwrap();
    // The same, but the process is killed by the signal.
    let status = helper("helper_runs_out_of_space", dir, "ulimit -f 8;").wait().unwrap();
    assert!(status.signal().is_some() || !status.success(), "{status}");
    assert_eq!(open_whole(dir), 1);
    let manifest = FileStore::write(dir, &contents(2)).unwrap();
    assert_eq!(listing(dir), files_of_generation(manifest.generation));
}

#[test]
fn a_folder_that_may_not_be_written_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("store");
    FileStore::write(&dir, &contents(1)).unwrap();
    fs::remove_file(dir.join(".lock")).unwrap();
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o555)).unwrap();
    // The superuser may write there all the same, and is sent to a file system that takes no files.
    let superuser = fs::write(dir.join(".lock"), "").is_ok();
    let unwritable = if superuser { Path::new("/proc/sdd-store") } else { &dir };
    let error = FileStore::write(unwritable, &contents(2)).unwrap_err();
    assert!(matches!(error, Error::Io { .. }), "{error}");
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(open_whole(&dir), 1);
}

#[test]
fn labels_that_are_scattered_are_brought_together() {
    let folder = tempfile::tempdir().unwrap();
    let mut contents = support::contents(1, 6, 2, Normalization::None);
    let labels = [Some("b"), None, Some("a"), Some("b"), None, Some("a")];
    contents.records = labels
        .iter()
        .enumerate()
        .map(|(i, label)| Record { id: i.to_string(), label: label.map(str::to_owned) })
        .collect();
    FileStore::write(folder.path(), &contents).unwrap();
    let store = FileStore::open(folder.path()).unwrap();
    let ids: Vec<_> = store.records(Filter::All).into_iter().map(|r| r.id).collect();
    assert_eq!(ids, ["1", "4", "2", "5", "0", "3"]);
    let expected = contents.embeddings.select(ndarray::Axis(0), &[1, 4, 2, 5, 0, 3]);
    assert_eq!(store.embeddings(Filter::All), expected);
}

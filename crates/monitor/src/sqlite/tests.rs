#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use super::*;
use crate::laws::{monitor, observations, pair};

/// A place for a file.
pub(crate) struct File {
    pub path: PathBuf,
    _folder: tempfile::TempDir,
}

impl File {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { path: folder.path().join("new/monitor.sqlite"), _folder: folder }
    }
}

/// As version 1 made them: with fewer columns, and the state of tests of images.
#[test]
fn a_file_of_the_first_version_is_brought_up_to_this_one() {
    let (file, monitor) = (File::new(), monitor());
    let mut store = SqliteMonitorStore::open(&file.path, 1000).unwrap();
    store.apply(&pair("a"), &monitor, &observations(0..20)).unwrap();
    drop(store);
    let old = Connection::open(&file.path).unwrap();
    old.execute_batch(
        "ALTER TABLE observation DROP COLUMN evidence; ALTER TABLE observation DROP COLUMN stream; \
         ALTER TABLE observation DROP COLUMN group_name; ALTER TABLE observation DROP COLUMN properties; \
         ALTER TABLE pair DROP COLUMN unseen_days; ALTER TABLE pair DROP COLUMN notice; ALTER TABLE pair DROP COLUMN writers; \
         ALTER TABLE pair DROP COLUMN seen_ms; \
         DROP TABLE part; \
         UPDATE pair SET state = json_set(state -> '$.state', '$.format_version', 1); \
         PRAGMA user_version = 1;",
    )
    .unwrap();
    drop(old);
    let mut store = SqliteMonitorStore::open(&file.path, 1000).unwrap();
    let state = store.state(&pair("a"), &monitor).unwrap();
    assert_eq!((state.sequence(), state.settings()), (20, None));
    let state = store.apply(&pair("a"), &monitor, &observations(20..21)).unwrap();
    assert_eq!((state.epoch(), state.settings()), (2, Some(monitor.settings())));
    let series = store.series(&pair("a"), 0, 100).unwrap();
    assert!(series[..20].iter().all(|point| point.evidence.is_none()));
    assert!(series[20].evidence.is_some() && series.len() == 21);
    assert_eq!(store.tidy(&pair("b"), 0, 2).unwrap(), Tidied::default());
}

#[test]
fn files_that_are_not_ours_are_refused_and_left_alone() {
    let code = |path: &Path| SqliteMonitorStore::open(path, 10).unwrap_err().code();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("text");
    std::fs::write(&path, "a file of someone's").unwrap();
    assert_eq!(code(&path), "not_a_monitor_file");
    assert_eq!(std::fs::read(&path).unwrap(), b"a file of someone's");
    assert_eq!(code(folder.path()), "not_a_monitor_file");
    // Below a file there can be no folder.
    assert_eq!(code(&path.join("monitor.sqlite")), "monitor_file");

    let other = folder.path().join("other.sqlite");
    Connection::open(&other).unwrap().execute_batch("CREATE TABLE a (b)").unwrap();
    let before = std::fs::read(&other).unwrap();
    assert_eq!(code(&other), "not_a_monitor_file");
    assert_eq!(std::fs::read(&other).unwrap(), before);

    let newer = folder.path().join("newer.sqlite");
    drop(SqliteMonitorStore::open(&newer, 10).unwrap());
    Connection::open(&newer).unwrap().pragma_update(None, "user_version", 99).unwrap();
    assert_eq!(code(&newer), "monitor_file_too_new");
}

#[test]
fn a_damaged_file_is_refused_and_left_alone() {
    let (file, monitor) = (File::new(), monitor());
    let mut store = SqliteMonitorStore::open(&file.path, 10_000).unwrap();
    store.apply(&pair("a"), &monitor, &observations(0..2000)).unwrap();
    store.connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    drop(store);
    let whole = std::fs::read(&file.path).unwrap();
    assert!(whole.len() > 100_000);
    // Cut short, and with other bytes in the middle of a page's head.
    let mut overwritten = whole.clone();
    for page in (5..whole.len() / 4096).map(|page| page * 4096) {
        overwritten[page..page + 64].fill(0xff);
    }
    for damaged in [whole[..whole.len() / 2].to_vec(), overwritten] {
        std::fs::write(&file.path, &damaged).unwrap();
        let refused = SqliteMonitorStore::open(&file.path, 10).unwrap_err();
        assert_eq!(refused.code(), "monitor_file_damaged", "{refused}");
        assert!(std::fs::read(&file.path).unwrap() == damaged);
    }
    // What a process leaves that was killed before it wrote anything.
    std::fs::write(&file.path, "").unwrap();
    assert!(SqliteMonitorStore::open(&file.path, 10).is_ok());
}

#[test]
fn a_lock_that_stays_is_told_as_one() {
    let (file, monitor) = (File::new(), monitor());
    let mut store = SqliteMonitorStore::open(&file.path, 10).unwrap();
    let other = Connection::open(&file.path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let refused = store.apply(&pair("a"), &monitor, &observations(0..1)).unwrap_err();
    assert_eq!(refused.code(), "monitor_busy");
    other.execute_batch("COMMIT").unwrap();
    assert_eq!(store.apply(&pair("a"), &monitor, &observations(0..1)).unwrap().sequence(), 1);
}

fn images(store: &mut SqliteMonitorStore) -> u64 {
    store.state(&pair("a"), &monitor()).unwrap().sequence()
}

#[test]
fn a_state_that_was_emptied_is_a_damaged_one() {
    let (file, monitor) = (File::new(), monitor());
    let mut store = SqliteMonitorStore::open(&file.path, 1000).unwrap();
    store.apply(&pair("a"), &monitor, &observations(0..5)).unwrap();
    store.connection.execute("UPDATE pair SET state = ''", []).unwrap();
    let code = |error: Error| error.code();
    let refused = store.state(&pair("a"), &monitor).map_err(code);
    assert_eq!(refused, Err("unreadable_monitor_state"));
    let refused = store.apply(&pair("a"), &monitor, &observations(5..6)).map_err(code);
    assert_eq!(refused, Err("unreadable_monitor_state"));
    assert_eq!(store.reset(&pair("a"), &monitor, 78).unwrap().sequence(), 5);
    assert_eq!(store.apply(&pair("a"), &monitor, &observations(5..6)).unwrap().sequence(), 6);
}

#[test]
fn who_has_finished_leaves_nothing_beside_the_file_alone() {
    let (file, monitor) = (File::new(), monitor());
    let mut store = SqliteMonitorStore::open(&file.path, 1000).unwrap();
    let reader = SqliteMonitorStore::open_again(&file.path, 1000).unwrap();
    store.apply(&pair("a"), &monitor, &observations(0..5)).unwrap();
    store.finish();
    assert_eq!(images_in_file_alone(&file.path), 5);
    let log = file.path.with_file_name("monitor.sqlite-wal");
    assert_eq!(std::fs::metadata(&log).unwrap().len(), 0);
    // Others may be at work: they need the log, and it is theirs to empty.
    store.apply(&pair("a"), &monitor, &observations(5..8)).unwrap();
    reader.connection.execute_batch("BEGIN IMMEDIATE").unwrap();
    store.finish();
    reader.connection.execute_batch("COMMIT").unwrap();
    assert_eq!(images(&mut store), 8);
}

/// By another process, so to say, that has nothing of what is only in a log.
fn images_in_file_alone(path: &Path) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.sqlite");
    std::fs::copy(path, &copy).unwrap();
    images(&mut SqliteMonitorStore::open(&copy, 1000).unwrap())
}

#[test]
fn a_file_that_is_moved_removed_or_replaced_is_noticed_and_keeps_what_it_had() {
    let (file, monitor) = (File::new(), monitor());
    let path = &file.path;
    let beside = |name: &str| path.with_file_name(name);
    let open = || SqliteMonitorStore::open_again(path, 1000).unwrap();
    let backup = beside("backup.sqlite");
    SqliteMonitorStore::open(&backup, 1000)
        .unwrap()
        .apply(&pair("a"), &monitor, &observations(0..3))
        .unwrap();
    let (mut writer, mut reader) = (open(), open());
    let mut expected = 0;
    for (round, change) in ["move", "move", "remove", "replace", "log"].into_iter().enumerate() {
        writer.apply(&pair("a"), &monitor, &observations(0..20)).unwrap();
        expected += 20;
        assert_eq!(images(&mut reader), expected, "{change}");
        let moved = beside(&format!("moved{round}.sqlite"));
        match change {
            "move" => std::fs::rename(path, &moved).unwrap(),
            "remove" => std::fs::remove_file(path).unwrap(),
            "replace" => std::fs::rename(&backup, path).unwrap(),
            _ => std::fs::remove_file(beside("monitor.sqlite-wal")).unwrap(),
        }
        // Whoever looks first.
        let mut stores = [&mut writer, &mut reader];
        stores.rotate_left(round % 2);
        for store in stores {
            let error = store.apply(&pair("a"), &monitor, &observations(0..1)).unwrap_err();
            assert_eq!(error.code(), "monitor_file_gone", "{change}");
            let error = store.state(&pair("a"), &monitor).unwrap_err();
            assert_eq!(error.code(), "monitor_file_gone", "{change}");
            *store = open();
        }
        if change == "move" {
            assert_eq!(images_in_file_alone(&moved), expected);
        }
        expected = match change {
            "move" | "remove" => 0,
            "replace" => 3,
            _ => expected,
        };
        assert_eq!((images(&mut writer), images(&mut reader)), (expected, expected), "{change}");
        let whole: String =
            writer.connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(whole, "ok");
    }
    drop((writer, reader));
    assert_eq!(images(&mut open()), expected);
}

/// Several processes have it open; each finds out by itself.
#[test]
fn of_many_who_use_a_file_that_is_moved_none_loses_or_harms_anything() {
    let (file, monitor) = (File::new(), monitor());
    let path = &file.path;
    let moved = path.with_file_name("moved.sqlite");
    drop(SqliteMonitorStore::open(path, 10_000).unwrap());
    let written = std::sync::atomic::AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut store = SqliteMonitorStore::open_again(path, 10_000).unwrap();
                let mut batches = 0;
                while batches < 60 {
                    match store.apply(&pair("a"), &monitor, &observations(0..5)) {
                        Ok(_) => {
                            batches += 1;
                            written.fetch_add(5, std::sync::atomic::Ordering::SeqCst);
                        }
                        Err(Error::FileGone { .. }) => {
                            store = SqliteMonitorStore::open_again(path, 10_000).unwrap();
                        }
                        Err(Error::Busy { .. }) => {}
                        Err(error) => panic!("{error:?}"),
                    }
                }
            });
        }
        while written.load(std::sync::atomic::Ordering::SeqCst) < 200 {
            std::thread::yield_now();
        }
        std::fs::rename(path, &moved).unwrap();
    });
    let of = |path: &Path| images(&mut SqliteMonitorStore::open(path, 10_000).unwrap());
    let (before, after) = (of(&moved), of(path));
    assert!(before >= 200 && after > 0, "{before} {after}");
    assert_eq!(before + after, 4 * 60 * 5);
}

/// The locks that this process holds on a file, as the system lists them.
#[cfg(target_os = "linux")]
fn locks(path: &Path) -> usize {
    use std::os::unix::fs::MetadataExt;
    let inode = format!(":{} ", std::fs::metadata(path).unwrap().ino());
    let all = std::fs::read_to_string("/proc/locks").unwrap();
    let process = format!(" {} ", std::process::id());
    all.lines().filter(|line| line.contains(&process) && line.contains(&inode)).count()
}

/// Without them another program that reads the file takes away its log.
#[test]
#[cfg(target_os = "linux")]
fn a_second_connection_leaves_the_first_ones_locks_in_place() {
    let (file, monitor) = (File::new(), monitor());
    let mut store = SqliteMonitorStore::open(&file.path, 1000).unwrap();
    store.apply(&pair("a"), &monitor, &observations(0..5)).unwrap();
    let held = locks(&file.path);
    assert!(held > 0);
    for _ in 0..2 {
        let mut other = SqliteMonitorStore::open(&file.path, 1000).unwrap();
        assert_eq!(other.state(&pair("a"), &monitor).unwrap().sequence(), 5);
        let reader = crate::Location::File(file.path.clone()).open_to_read().unwrap();
        assert!(locks(&file.path) >= held);
        drop((other, reader));
    }
    assert!(locks(&file.path) >= held, "{} of {held}", locks(&file.path));
}

#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use super::*;
use crate::monitor::laws::{monitor, observations, pair};

/// A place for a file.
pub(in crate::monitor) struct File {
    pub path: PathBuf,
    _folder: tempfile::TempDir,
}

impl File {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { path: folder.path().join("new/monitor.sqlite"), _folder: folder }
    }
}

/// As version 1 made them: without two columns, and without settings in the state.
#[test]
fn a_file_of_the_first_version_is_brought_up_to_this_one() {
    let (file, monitor) = (File::new(), monitor());
    let mut store = SqliteMonitorStore::open(&file.path, 1000).unwrap();
    store.apply(&pair("a"), &monitor, &observations(0..20)).unwrap();
    drop(store);
    let old = Connection::open(&file.path).unwrap();
    old.execute_batch(
        "ALTER TABLE observation DROP COLUMN e_value; ALTER TABLE observation DROP COLUMN cusum; \
         ALTER TABLE pair DROP COLUMN notice; ALTER TABLE pair DROP COLUMN writers; \
         ALTER TABLE pair DROP COLUMN seen_ms; \
         UPDATE pair SET state = json_remove(state, '$.settings'); PRAGMA user_version = 1;",
    )
    .unwrap();
    drop(old);
    let mut store = SqliteMonitorStore::open(&file.path, 1000).unwrap();
    let state = store.state(&pair("a"), &monitor).unwrap();
    assert_eq!((state.sequence(), state.settings()), (20, None));
    let state = store.apply(&pair("a"), &monitor, &observations(20..21)).unwrap();
    assert_eq!((state.epoch(), state.settings()), (1, Some(monitor.settings())));
    let series = store.series(&pair("a"), 1, 100).unwrap();
    assert!(series[..20].iter().all(|point| point.e_value.is_none()));
    assert!(series[20].e_value.is_some() && series.len() == 21);
    // All that it knows was seen now.
    assert_eq!(store.tidy(&pair("b"), 0, 1_700_000_000_000).unwrap(), Tidied::default());
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

#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use super::*;
use crate::monitor::{Baseline, CalibratedRate, MonitorSettings, ObservedNeighbor};

fn monitor() -> Monitor {
    let baseline = Baseline::new(0.05, vec![CalibratedRate { images: 360, above: 17 }]);
    Monitor::new(MonitorSettings { window: 50, ..MonitorSettings::default() }, Some(baseline))
        .unwrap()
}

fn pair(reference: &str) -> PairId {
    PairId { model_sha256: "m".into(), reference_sha256: reference.into() }
}

fn observation(i: u32) -> Observation {
    Observation {
        time_ms: i64::from(i),
        request_id: format!("r{i}"),
        predicted_class: if i.is_multiple_of(4) { "defect" } else { "good" }.into(),
        confidence: 0.75,
        score: f64::from(i) / 7.0,
        p_value: Some(1.0 / f64::from(i + 1)),
        out_of_distribution: Some(i.is_multiple_of(5)),
        neighbors: vec![ObservedNeighbor { id: "ä\"b.png".into(), label: None, distance: 0.1 }],
        image_sha256: i.is_multiple_of(2).then(|| "ab".into()),
    }
}

fn observations(range: std::ops::Range<u32>) -> Vec<Observation> {
    range.map(observation).collect()
}

struct File {
    path: PathBuf,
    _folder: tempfile::TempDir,
}

fn file() -> File {
    let folder = tempfile::tempdir().unwrap();
    File { path: folder.path().join("new/monitor.sqlite"), _folder: folder }
}

#[test]
fn states_and_observations_are_there_after_opening_again() {
    let (file, monitor) = (file(), monitor());
    let mut expected = monitor.start(0);
    for observation in observations(0..90) {
        expected.observe(&monitor, &observation).unwrap();
    }
    {
        let mut store = SqliteMonitorStore::open(&file.path, 1000).unwrap();
        assert_eq!(store.state(&pair("a"), &monitor).unwrap(), monitor.start(0));
        store.apply(&pair("a"), &monitor, &observations(0..40)).unwrap();
        store.apply(&pair("b"), &monitor, &observations(0..3)).unwrap();
    }
    let mut store = SqliteMonitorStore::open(&file.path, 1000).unwrap();
    let state = store.apply(&pair("a"), &monitor, &observations(40..90)).unwrap();
    assert_eq!(state, expected);
    assert_eq!(store.state(&pair("a"), &monitor).unwrap(), expected);
    assert_eq!(store.state(&pair("b"), &monitor).unwrap().sequence(), 3);

    let page = |store: &mut SqliteMonitorStore, before| {
        let page = store.observations(&pair("a"), Page { before, limit: 50 }).unwrap();
        page.into_iter().map(|row| (row.sequence, row.observation)).collect::<Vec<_>>()
    };
    let mut all = page(&mut store, None);
    let last = all.last().unwrap().0;
    all.extend(page(&mut store, Some(last)));
    let expected: Vec<_> = (0..90).rev().map(|i| (u64::from(i) + 1, observation(i))).collect();
    assert_eq!(all, expected);
    let some = store.by_sequence(&pair("a"), &[7, 999, 2]).unwrap();
    assert_eq!(some.iter().map(|row| row.sequence).collect::<Vec<_>>(), [7, 2]);
}

#[test]
fn two_processes_see_one_stream() {
    let (file, monitor) = (file(), monitor());
    let threads: Vec<_> = (0..2)
        .map(|_| {
            let (path, monitor) = (file.path.clone(), monitor.clone());
            std::thread::spawn(move || {
                let mut store = SqliteMonitorStore::open(&path, 1000).unwrap();
                for _ in 0..50 {
                    store.apply(&pair("a"), &monitor, &observations(0..2)).unwrap();
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    let mut store = SqliteMonitorStore::open(&file.path, 1000).unwrap();
    assert_eq!(store.state(&pair("a"), &monitor).unwrap().sequence(), 200);
    assert_eq!(
        store.observations(&pair("a"), Page { before: None, limit: 999 }).unwrap().len(),
        200
    );
}

/// Each of them may be the one that makes the tables.
#[test]
fn many_processes_may_begin_at_once() {
    for _ in 0..20 {
        let file = file();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| SqliteMonitorStore::open(&file.path, 1000).unwrap());
            }
        });
    }
}

#[test]
fn the_oldest_observations_go_and_the_windows_stay() {
    let (file, monitor) = (file(), monitor());
    let mut store = SqliteMonitorStore::open(&file.path, 10).unwrap();
    for start in (0..3000).step_by(300) {
        store.apply(&pair("a"), &monitor, &observations(start..start + 300)).unwrap();
    }
    let kept = store.observations(&pair("a"), Page { before: None, limit: 9999 }).unwrap();
    assert!((50..50 + 1000).contains(&kept.len()), "{}", kept.len());
    assert_eq!(kept[0].sequence, 3000);
    let strangest = store.state(&pair("a"), &monitor).unwrap().strangest();
    assert_eq!(store.by_sequence(&pair("a"), &strangest).unwrap().len(), 12);
}

#[test]
fn a_reset_begins_an_epoch_and_keeps_the_rows() {
    let (file, monitor) = (file(), monitor());
    let mut store = SqliteMonitorStore::open(&file.path, 1000).unwrap();
    assert_eq!(store.reset(&pair("a"), &monitor, 5).unwrap().epoch(), 1);
    store.apply(&pair("a"), &monitor, &observations(0..20)).unwrap();
    let state = store.reset(&pair("a"), &monitor, 77).unwrap();
    assert_eq!((state.epoch(), state.sequence()), (2, 20));
    let state = store.apply(&pair("a"), &monitor, &observations(0..1)).unwrap();
    assert_eq!(monitor.report(&state).unwrap().epoch.images, 1);
    let rows = store.observations(&pair("a"), Page { before: None, limit: 2 }).unwrap();
    assert_eq!(
        rows.iter().map(|row| (row.sequence, row.epoch)).collect::<Vec<_>>(),
        [(21, 2), (20, 1)]
    );

    // A state that cannot be read stops the stream, until a reset.
    let forge = "UPDATE pair SET state = replace(state, '\"cusum\":', '\"cusum\":-')";
    assert_eq!(Connection::open(&file.path).unwrap().execute(forge, []).unwrap(), 1);
    let refused = store.apply(&pair("a"), &monitor, &observations(0..1)).unwrap_err();
    assert_eq!(refused.code(), "invalid_monitor_state");
    let state = store.reset(&pair("a"), &monitor, 78).unwrap();
    assert_eq!(state.sequence(), 21);
    assert_eq!(store.apply(&pair("a"), &monitor, &observations(0..1)).unwrap().sequence(), 22);
}

#[test]
fn curves_are_those_of_the_epoch_in_order_and_pairs_are_told() {
    let (file, monitor) = (file(), monitor());
    let mut store = SqliteMonitorStore::open(&file.path, 1000).unwrap();
    assert_eq!(store.pairs().unwrap(), []);
    store.reset(&pair("b"), &monitor, 5).unwrap();
    store.apply(&pair("a"), &monitor, &observations(0..20)).unwrap();
    store.reset(&pair("a"), &monitor, 77).unwrap();
    let unjudged = Observation { out_of_distribution: None, p_value: None, ..observation(60) };
    store.apply(&pair("a"), &monitor, &observations(40..60)).unwrap();
    let state = store.apply(&pair("a"), &monitor, &[unjudged]).unwrap();

    let all = store.series(&pair("a"), 2, 100).unwrap();
    assert_eq!(
        all.iter().map(|point| point.sequence).collect::<Vec<_>>(),
        (21..42).collect::<Vec<_>>()
    );
    assert_eq!(store.series(&pair("a"), 2, 5).unwrap(), all[16..]);
    assert_eq!(store.series(&pair("a"), 1, 100).unwrap().len(), 20);
    assert_eq!(store.series(&pair("c"), 1, 100).unwrap(), []);
    let report = monitor.report(&state).unwrap();
    let (e_process, cusum) = (report.e_process.unwrap(), report.cusum.unwrap());
    assert_eq!((all[19].e_value, all[19].cusum), (Some(e_process.value), Some(cusum.value)));
    assert_eq!((all[20].e_value, all[20].cusum, all[20].p_value), (None, None, None));
    let row = &store.observations(&pair("a"), Page { before: Some(41), limit: 1 }).unwrap()[0];
    assert_eq!((row.e_value, row.cusum), (all[19].e_value, all[19].cusum));

    let summary = |pair, images, last_ms| PairSummary { pair, images, last_ms };
    let expected = [summary(pair("a"), 41, Some(60)), summary(pair("b"), 0, None)];
    assert_eq!(store.pairs().unwrap(), expected);
}

/// As version 1 made them: without two columns, and without settings in the state.
#[test]
fn a_file_of_the_first_version_is_brought_up_to_this_one() {
    let (file, monitor) = (file(), monitor());
    let mut store = SqliteMonitorStore::open(&file.path, 1000).unwrap();
    store.apply(&pair("a"), &monitor, &observations(0..20)).unwrap();
    drop(store);
    let old = Connection::open(&file.path).unwrap();
    old.execute_batch(
        "ALTER TABLE observation DROP COLUMN e_value; ALTER TABLE observation DROP COLUMN cusum; \
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
    Connection::open(&newer).unwrap().pragma_update(None, "user_version", 3).unwrap();
    assert_eq!(code(&newer), "monitor_file_too_new");
}

#[test]
fn a_damaged_file_is_refused_and_left_alone() {
    let (file, monitor) = (file(), monitor());
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
    let (file, monitor) = (file(), monitor());
    let mut store = SqliteMonitorStore::open(&file.path, 10).unwrap();
    let other = Connection::open(&file.path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let refused = store.apply(&pair("a"), &monitor, &observations(0..1)).unwrap_err();
    assert_eq!(refused.code(), "monitor_busy");
    other.execute_batch("COMMIT").unwrap();
    assert_eq!(store.apply(&pair("a"), &monitor, &observations(0..1)).unwrap().sequence(), 1);
}

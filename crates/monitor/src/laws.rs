//! What holds of every store, whatever it is in.

#![allow(clippy::unwrap_used)]

use sdd_drift::Properties;

use super::*;
use crate::sqlite::tests::File;

#[path = "../tests/postgres/mod.rs"]
pub(super) mod cluster;

/// Where a store is.
trait Place: Sync {
    fn location(&self) -> Location;

    /// Changes it behind the store's back.
    fn forge(&self, statement: &str);

    /// How many parts of states it has.
    fn parts(&self) -> u32;

    /// Makes it one of a version that is not known yet.
    fn make_newer(&self);

    fn open(&self, keep: u64) -> Box<dyn MonitorStore> {
        self.location().open(keep).unwrap()
    }
}

impl Place for File {
    fn location(&self) -> Location {
        Location::File(self.path.clone())
    }

    fn forge(&self, statement: &str) {
        rusqlite::Connection::open(&self.path).unwrap().execute_batch(statement).unwrap();
    }

    fn parts(&self) -> u32 {
        let connection = rusqlite::Connection::open(&self.path).unwrap();
        connection.query_row("SELECT count(*) FROM part", [], |row| row.get(0)).unwrap()
    }

    fn make_newer(&self) {
        self.forge("PRAGMA user_version = 99");
    }
}

impl Place for cluster::Database<'_> {
    fn location(&self) -> Location {
        Location::parse(&self.url()).unwrap()
    }

    fn forge(&self, statement: &str) {
        self.sql(&format!("SET search_path = sdd_monitor; {statement}"));
    }

    fn parts(&self) -> u32 {
        self.sql("SELECT count(*) FROM sdd_monitor.part").parse().unwrap()
    }

    fn make_newer(&self) {
        self.forge("UPDATE version SET version = 99");
    }
}

macro_rules! laws {
    ($($law:ident),* $(,)?) => {
        mod of_sqlite { $(#[test] fn $law() { super::$law(&super::File::new()); })* }
        mod of_postgres { $(#[test] fn $law() { super::$law(&super::cluster::shared().database()); })* }
    };
}

laws!(
    states_and_observations_are_there_after_opening_again,
    two_processes_see_one_stream,
    many_processes_may_begin_at_once,
    a_delivery_counts_once,
    the_oldest_observations_go_and_the_windows_stay,
    a_reset_begins_an_epoch_and_keeps_the_rows,
    parts_are_those_of_the_state_and_a_damaged_one_is_noticed,
    the_settings_that_were_declared_last_are_in_force,
    what_was_told_is_kept_with_its_pair,
    pairs_that_nobody_serves_go_and_the_current_one_stays,
    curves_are_those_of_the_epoch_in_order_and_pairs_are_told,
    texts_of_any_kind_come_back,
    a_newer_version_is_refused,
);

pub(super) fn monitor() -> Monitor {
    monitor_of(MonitorSettings { window: 50, ..MonitorSettings::default() })
}

fn monitor_of(settings: MonitorSettings) -> Monitor {
    let image = |i: u32| CalibratedImage {
        group: Some((i / 4).to_string()),
        class: if i.is_multiple_of(16) { "defect" } else { "good" }.into(),
        score: f64::from(i * 37 % 101),
        properties: None,
    };
    Monitor::new(settings, Some(Baseline::new(0.05, (0..160).map(image).collect()))).unwrap()
}

pub(super) fn pair(reference: &str) -> PairId {
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
        image_sha256: i.is_multiple_of(2).then(|| format!("ab{i}")),
        stream: i.is_multiple_of(3).then(|| "left".into()),
        group: (i % 20 > 3).then(|| format!("part {}", i / 4)),
        properties: i
            .is_multiple_of(7)
            .then(|| Properties::of_array([f64::from(i), 0.1, 2.0, 3.0, 0.5])),
    }
}

pub(super) fn observations(range: std::ops::Range<u32>) -> Vec<Observation> {
    range.map(observation).collect()
}

fn all(store: &mut dyn MonitorStore, pair: &PairId) -> Vec<StoredObservation> {
    store.observations(pair, Page { before: None, limit: 99_999 }).unwrap()
}

fn states_and_observations_are_there_after_opening_again(place: &dyn Place) {
    let monitor = monitor();
    let mut expected = monitor.start(0);
    for observation in observations(0..90) {
        expected.observe(&monitor, &observation).unwrap();
    }
    {
        let mut store = place.open(1000);
        assert_eq!(store.state(&pair("a"), &monitor).unwrap(), monitor.start(0));
        store.apply(&pair("a"), &monitor, &observations(0..40)).unwrap();
        store.apply(&pair("b"), &monitor, &observations(0..3)).unwrap();
    }
    let mut store = place.location().open_again(1000).unwrap();
    let state = store.apply(&pair("a"), &monitor, &observations(40..90)).unwrap();
    assert_eq!(state, expected);
    assert_eq!(store.state(&pair("a"), &monitor).unwrap(), expected);
    assert_eq!(store.state(&pair("b"), &monitor).unwrap().sequence(), 3);

    let page = |store: &mut dyn MonitorStore, before| {
        let page = store.observations(&pair("a"), Page { before, limit: 50 }).unwrap();
        page.into_iter().map(|row| (row.sequence, row.observation)).collect::<Vec<_>>()
    };
    let mut all = page(&mut *store, None);
    let last = all.last().unwrap().0;
    all.extend(page(&mut *store, Some(last)));
    let expected: Vec<_> = (0..90).rev().map(|i| (u64::from(i) + 1, observation(i))).collect();
    assert_eq!(all, expected);
    let some = store.by_sequence(&pair("a"), &[7, 999, 2]).unwrap();
    assert_eq!(some.iter().map(|row| row.sequence).collect::<Vec<_>>(), [7, 2]);
}

/// The state after it is the one of a single observer that sees all rows in their order.
fn two_processes_see_one_stream(place: &dyn Place) {
    let monitor = monitor();
    std::thread::scope(|scope| {
        for first in [0, 1000] {
            let monitor = &monitor;
            scope.spawn(move || {
                let mut store = place.open(1000);
                for i in (first..first + 100).step_by(2) {
                    store.apply(&pair("a"), monitor, &observations(i..i + 2)).unwrap();
                }
            });
        }
    });
    let mut store = place.open(1000);
    let mut rows = all(&mut *store, &pair("a"));
    rows.reverse();
    let sequences: Vec<u64> = rows.iter().map(|row| row.sequence).collect();
    assert_eq!(sequences, (1..=200).collect::<Vec<_>>());
    let mut one = monitor.start(rows[0].observation.time_ms);
    for row in &rows {
        let step = one.observe(&monitor, &row.observation).unwrap();
        assert_eq!(step.evidence, row.evidence);
    }
    assert_eq!(store.state(&pair("a"), &monitor).unwrap(), one);
}

/// Each of them may be the one that makes the tables.
fn many_processes_may_begin_at_once(place: &dyn Place) {
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                place.open(1000).apply(&pair("a"), &monitor(), &observations(0..1)).unwrap();
            });
        }
    });
    assert_eq!(all(&mut *place.open(1000), &pair("a")).len(), 6);
}

fn a_delivery_counts_once(place: &dyn Place) {
    let (monitor, mut store) = (monitor(), place.open(1000));
    let mut deliver = |writer, number, range: std::ops::Range<u32>| {
        let delivery = Some(Delivery { writer, number });
        store.deliver(&pair("a"), &monitor, delivery, &observations(range)).unwrap().sequence()
    };
    assert_eq!(deliver("one", 1, 0..5), 5);
    assert_eq!(deliver("one", 1, 0..5), 5);
    assert_eq!(deliver("two", 1, 0..2), 7);
    assert_eq!(deliver("one", 4, 5..8), 10);
    assert_eq!(deliver("two", 1, 0..2), 10);
    // One whose clock is far ahead makes nobody forget the others.
    let late = Observation { time_ms: 200 * 86_400_000, ..observation(0) };
    let delivery = Some(Delivery { writer: "three", number: 1 });
    store.deliver(&pair("a"), &monitor, delivery, std::slice::from_ref(&late)).unwrap();
    let delivery = Some(Delivery { writer: "one", number: 4 });
    store.deliver(&pair("a"), &monitor, delivery, &observations(5..8)).unwrap();
    assert_eq!(all(&mut *store, &pair("a")).len(), 11);
}

fn the_oldest_observations_go_and_the_windows_stay(place: &dyn Place) {
    let (monitor, mut store) = (monitor(), place.open(10));
    for start in (0..3000).step_by(300) {
        store.apply(&pair("a"), &monitor, &observations(start..start + 300)).unwrap();
    }
    let kept = all(&mut *store, &pair("a"));
    assert!((50..=50 + 1000).contains(&kept.len()), "{}", kept.len());
    assert_eq!(kept[0].sequence, 3000);
    let strangest = store.state(&pair("a"), &monitor).unwrap().strangest();
    assert_eq!(store.by_sequence(&pair("a"), &strangest).unwrap().len(), 12);
}

fn a_reset_begins_an_epoch_and_keeps_the_rows(place: &dyn Place) {
    let (monitor, mut store) = (monitor(), place.open(1000));
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

    // A state that cannot be read stops the stream, until a reset; others go on.
    place.forge("UPDATE pair SET state = replace(state, '\"judged\":', '\"judged\":99')");
    let refused = store.apply(&pair("a"), &monitor, &observations(0..1)).unwrap_err();
    assert_eq!(refused.code(), "invalid_monitor_state");
    let refused = store.declare(&pair("a"), &monitor, 78).unwrap_err();
    assert_eq!(refused.code(), "invalid_monitor_state");
    assert_eq!(store.apply(&pair("b"), &monitor, &observations(0..1)).unwrap().sequence(), 1);
    let state = store.reset(&pair("a"), &monitor, 78).unwrap();
    assert_eq!(state.sequence(), 21);
    assert_eq!(store.apply(&pair("a"), &monitor, &observations(0..1)).unwrap().sequence(), 22);
}

fn parts_are_those_of_the_state_and_a_damaged_one_is_noticed(place: &dyn Place) {
    let (monitor, mut store) = (monitor(), place.open(1000));
    for i in 0..40 {
        store.apply(&pair("a"), &monitor, &observations(i..i + 1)).unwrap();
    }
    // That of all groups; what is seen of images with and without the name of a stream, and the tests of either.
    assert_eq!(place.parts(), 5);
    store.apply(&pair("b"), &monitor, &observations(0..1)).unwrap();
    assert_eq!(place.parts(), 5 + 2);
    // Whoever has read it goes on; whoever reads it does not believe it.
    place.forge("UPDATE part SET state = replace(state, ':1', ':2')");
    store.apply(&pair("b"), &monitor, &observations(1..2)).unwrap();
    let mut other = place.open(1000);
    for _ in 0..2 {
        let refused = other.apply(&pair("a"), &monitor, &observations(0..1)).unwrap_err();
        assert_eq!(refused.code(), "invalid_monitor_state");
        assert_eq!(other.state(&pair("a"), &monitor).unwrap_err().code(), "invalid_monitor_state");
    }
    assert_eq!(other.reset(&pair("a"), &monitor, 78).unwrap().sequence(), 40);
    assert_eq!(place.parts(), 1 + 3);
    assert_eq!(store.apply(&pair("a"), &monitor, &observations(0..1)).unwrap().sequence(), 41);
}

fn the_settings_that_were_declared_last_are_in_force(place: &dyn Place) {
    let (old, mut store) = (monitor(), place.open(1000));
    let new = monitor_of(MonitorSettings { tolerance: 0.25, ..MonitorSettings::default() });
    assert_eq!(store.declare(&pair("a"), &old, 5).unwrap().epoch(), 1);
    store.apply(&pair("a"), &old, &observations(0..60)).unwrap();
    // A restart with the same settings is no new epoch.
    assert_eq!(store.declare(&pair("a"), &old, 100).unwrap().epoch(), 1);
    let state = store.declare(&pair("a"), &new, 100).unwrap();
    assert_eq!((state.epoch(), state.sequence(), state.settings()), (2, 60, Some(new.settings())));
    // Whoever came before goes on by the settings of the last.
    let state = store.apply(&pair("a"), &old, &observations(60..90)).unwrap();
    assert_eq!((state.epoch(), state.settings()), (2, Some(new.settings())));
    let in_force = old.in_force(&state).unwrap();
    let report = in_force.report(&state).unwrap();
    assert_eq!((report.epoch.images, report.settings.tolerance), (30, 0.25));
    let state = store.reset(&pair("a"), &old, 101).unwrap();
    assert_eq!((state.epoch(), state.settings()), (3, Some(new.settings())));
    // What changes nothing that is tested begins no epoch.
    let lenient = MonitorSettings { window: 77, ..new.settings().clone() };
    let state = store.declare(&pair("a"), &monitor_of(lenient.clone()), 102).unwrap();
    assert_eq!((state.epoch(), state.settings()), (3, Some(&lenient)));
}

fn what_was_told_is_kept_with_its_pair(place: &dyn Place) {
    let (monitor, mut store) = (monitor(), place.open(1000));
    assert_eq!(store.notice(&pair("a")).unwrap(), Notice::default());
    let mut turn = Turn::Nothing;
    let mut claim = |store: &mut dyn MonitorStore, by: &str| {
        let change = &mut |notice: &mut Notice| {
            turn = notice.claim(Status::Drifting, by, 10, 0, 60);
        };
        store.change_notice(&pair("a"), change).unwrap();
        turn
    };
    assert_eq!(claim(&mut *store, "one"), Turn::Tell(Status::Stable));
    assert_eq!(claim(&mut *place.open(1000), "two"), Turn::Wait(70));
    store.apply(&pair("a"), &monitor, &observations(0..5)).unwrap();
    store.change_notice(&pair("a"), &mut |notice| notice.note(Status::Drifting, 11)).unwrap();
    let mut store = place.open(1000);
    assert_eq!(store.notice(&pair("a")).unwrap().known(), Status::Drifting);
    assert_eq!(store.notice(&pair("b")).unwrap().known(), Status::Stable);
    assert_eq!(store.state(&pair("a"), &monitor).unwrap().sequence(), 5);
    assert_eq!(claim(&mut *store, "one"), Turn::Nothing);
}

fn pairs_that_nobody_serves_go_and_the_current_one_stays(place: &dyn Place) {
    let (monitor, mut store) = (monitor(), place.open(100_000));
    store.apply(&pair("old"), &monitor, &observations(0..6000)).unwrap();
    store.apply(&pair("current"), &monitor, &observations(0..10)).unwrap();
    store.declare(&pair("served"), &monitor, 9_000).unwrap();
    let day = |day: i64| (20_000 + day) * 86_400_000 + 5;
    let tidy = |store: &mut dyn MonitorStore, day| {
        let mut tidied = Vec::new();
        while tidied.len() < 9 {
            let done = store.tidy(&pair("current"), day, 3).unwrap();
            if !done.more {
                break;
            }
            tidied.push(done.removed);
        }
        tidied
    };
    // What another server has served a moment ago stays, for however short a time pairs are kept.
    assert_eq!(store.tidy(&pair("current"), day(0), 1).unwrap(), Tidied::default());
    // However often it is looked on a day, and whatever day a clock says that it is: it is one.
    for now_ms in [day(0), day(0) + 60_000, day(200), day(200) + 60_000, day(100)] {
        assert_eq!(tidy(&mut *store, now_ms), []);
    }
    store.declare(&pair("served"), &monitor, day(1)).unwrap();
    // A clock that goes back, too, after three whole days. Two steps for 6,000 rows, and one for the pair.
    assert_eq!(tidy(&mut *store, day(-400)), [None, None, Some(pair("old"))]);
    assert_eq!(tidy(&mut *store, day(2)), []);
    store.apply(&pair("served"), &monitor, &observations(0..1)).unwrap();
    assert_eq!(tidy(&mut *store, day(3)), []);
    assert_eq!(tidy(&mut *store, day(4)), []);
    let pairs = store.pairs().unwrap();
    let left: Vec<_> = pairs.into_iter().map(|one| one.pair.reference_sha256).collect();
    assert_eq!(left, ["current", "served"]);
    assert_eq!(all(&mut *store, &pair("current")).len(), 10);
    assert!(place.parts() < 10, "{}", place.parts());
    // It begins anew when it comes back.
    assert_eq!(store.apply(&pair("old"), &monitor, &observations(0..1)).unwrap().sequence(), 1);
}

fn curves_are_those_of_the_epoch_in_order_and_pairs_are_told(place: &dyn Place) {
    let (monitor, mut store) = (monitor(), place.open(1000));
    assert_eq!(store.pairs().unwrap(), []);
    store.reset(&pair("b"), &monitor, 5).unwrap();
    store.apply(&pair("a"), &monitor, &observations(0..20)).unwrap();
    store.reset(&pair("a"), &monitor, 77).unwrap();
    let unjudged = Observation { out_of_distribution: None, p_value: None, ..observation(60) };
    store.apply(&pair("a"), &monitor, &observations(40..60)).unwrap();
    let state = store.apply(&pair("a"), &monitor, &[unjudged]).unwrap();

    let all = store.series(&pair("a"), 20, 100).unwrap();
    assert_eq!(
        all.iter().map(|point| point.sequence).collect::<Vec<_>>(),
        (21..42).collect::<Vec<_>>()
    );
    assert_eq!(store.series(&pair("a"), 20, 5).unwrap(), all[16..]);
    assert_eq!(store.series(&pair("a"), 0, 100).unwrap().len(), 41);
    assert_eq!(store.series(&pair("c"), 0, 100).unwrap(), []);
    let report = monitor.report(&state).unwrap();
    assert_eq!((all[20].evidence, all[20].p_value), (Some(report.evidence.unwrap().value), None));
    let row = &store.observations(&pair("a"), Page { before: Some(41), limit: 1 }).unwrap()[0];
    assert_eq!((row.evidence, row.observation.properties), (all[19].evidence, all[19].properties));

    let summary = |pair, images, last_ms| PairSummary { pair, images, last_ms };
    let expected = [summary(pair("a"), 41, Some(60)), summary(pair("b"), 0, None)];
    assert_eq!(store.pairs().unwrap(), expected);
}

fn texts_of_any_kind_come_back(place: &dyn Place) {
    let mut store = place.open(10);
    let odd = Observation {
        request_id: "'; DROP TABLE pair; -- \\ \u{1f600}".into(),
        predicted_class: "a,b{}\"\n".into(),
        score: -1e-300,
        neighbors: vec![ObservedNeighbor {
            id: "\0".into(),
            label: Some("\u{7}".into()),
            distance: 1e300,
        }],
        ..observation(1)
    };
    store.apply(&pair("a"), &monitor(), std::slice::from_ref(&odd)).unwrap();
    assert_eq!(all(&mut *store, &pair("a"))[0].observation, odd);
    // One database cannot keep this letter; the image counts all the same.
    let zero = Observation { predicted_class: "x\0".into(), ..odd };
    assert_eq!(store.apply(&pair("a"), &monitor(), &[zero]).unwrap().sequence(), 2);
}

fn a_newer_version_is_refused(place: &dyn Place) {
    drop(place.open(10));
    place.make_newer();
    let refused = place.location().open(10).map(drop).unwrap_err();
    assert!(refused.code().ends_with("_too_new"), "{refused}");
    assert!(refused.to_string().contains("version 99"), "{refused}");
}

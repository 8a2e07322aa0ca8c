//! Faults of the thread that writes, and of states.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use sdd_drift::Reference;
use sdd_index::{FileStore, Normalization, Record, StoreContents};
use sdd_monitor::Result;
use sdd_monitor::{
    Baseline, CalibratedImage, Delivery, Location, Monitor, MonitorSettings, MonitorState, Notice,
    PairId, PairSummary, SeriesPoint, Tidied,
};

use super::*;

/// A file that panics at some of the batches.
struct Panicking {
    inner: Box<dyn MonitorStore>,
    panics_left: Arc<AtomicUsize>,
}

impl MonitorStore for Panicking {
    fn deliver(
        &mut self,
        pair: &PairId,
        monitor: &Monitor,
        delivery: Option<Delivery<'_>>,
        batch: &[Observation],
    ) -> Result<MonitorState> {
        let state = self.inner.deliver(pair, monitor, delivery, batch);
        let less = |left: usize| left.checked_sub(1);
        let left = self.panics_left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less);
        assert!(left.is_err(), "a fault of the store's, after it has written");
        state
    }

    fn state(&mut self, pair: &PairId, monitor: &Monitor) -> Result<MonitorState> {
        self.inner.state(pair, monitor)
    }

    fn declare(&mut self, pair: &PairId, monitor: &Monitor, now_ms: i64) -> Result<MonitorState> {
        self.inner.declare(pair, monitor, now_ms)
    }

    fn reset(&mut self, pair: &PairId, monitor: &Monitor, now_ms: i64) -> Result<MonitorState> {
        self.inner.reset(pair, monitor, now_ms)
    }

    fn observations(&mut self, pair: &PairId, page: Page) -> Result<Vec<StoredObservation>> {
        self.inner.observations(pair, page)
    }

    fn by_sequence(&mut self, pair: &PairId, sequences: &[u64]) -> Result<Vec<StoredObservation>> {
        self.inner.by_sequence(pair, sequences)
    }

    fn series(&mut self, pair: &PairId, after: u64, limit: usize) -> Result<Vec<SeriesPoint>> {
        self.inner.series(pair, after, limit)
    }

    fn pairs(&mut self) -> Result<Vec<PairSummary>> {
        self.inner.pairs()
    }

    fn notice(&mut self, pair: &PairId) -> Result<Notice> {
        self.inner.notice(pair)
    }

    fn change_notice(&mut self, pair: &PairId, change: &mut dyn FnMut(&mut Notice)) -> Result<()> {
        self.inner.change_notice(pair, change)
    }

    fn tidy(&mut self, current: &PairId, now_ms: i64, keep_days: u64) -> Result<Tidied> {
        self.inner.tidy(current, now_ms, keep_days)
    }
}

struct Setting {
    monitor: Recorder,
    path: PathBuf,
    panics_left: Arc<AtomicUsize>,
    _folder: tempfile::TempDir,
}

fn start() -> Setting {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("monitor.sqlite");
    let location = Location::File(path.clone());
    let panics_left = Arc::new(AtomicUsize::new(0));
    let (place, left) = (location.clone(), Arc::clone(&panics_left));
    let open = Box::new(move || {
        let store = Panicking { inner: place.open(1000)?, panics_left: Arc::clone(&left) };
        Ok(Box::new(store) as Box<dyn MonitorStore>)
    });
    let shared = Arc::new(Shared::default());
    let keep_pairs = Duration::from_hours(24);
    let writer =
        RecordingWriter::new(open, None, "one".into(), Arc::clone(&shared), None, keep_pairs);
    let reader = Reader::start(&location, 1000).unwrap();
    let monitor = Recorder::with(writer, shared, reader).unwrap();
    Setting { monitor, path, panics_left, _folder: folder }
}

fn pair(name: &str) -> Arc<WatchedPair> {
    let image =
        |i: u32| CalibratedImage { score: f64::from(i * 37 % 100), ..CalibratedImage::default() };
    let baseline = Baseline::new(0.05, (0..99).map(image).collect());
    Arc::new(WatchedPair {
        id: PairId { model_sha256: "m".into(), reference_sha256: name.into() },
        monitor: Monitor::new(MonitorSettings::default(), Some(baseline)).unwrap(),
        reference: Arc::new(reference()),
        reference_created_at: "2026-01-01T00:00:00Z".into(),
    })
}

fn reference() -> Reference {
    let contents = StoreContents {
        model: None,
        normalization: Normalization::L2,
        embeddings: ndarray::array![[1.0, 0.0]],
        records: vec![Record { id: "a.png".into(), label: None }],
        attachments: BTreeMap::new(),
    };
    Reference::from_store(FileStore::in_memory(&contents).unwrap()).unwrap()
}

fn images(count: usize) -> Vec<Observation> {
    let image = Observation {
        time_ms: observation::now_ms(),
        predicted_class: "good".into(),
        out_of_distribution: Some(false),
        p_value: Some(0.5),
        ..Observation::default()
    };
    vec![image; count]
}

async fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(30), "{what}: never came");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn stored(setting: &Setting, pair: &WatchedPair) -> usize {
    let mut store = Location::File(setting.path.clone()).open_again(1000).unwrap();
    store.observations(&pair.id, Page { before: None, limit: 999 }).map_or(0, |rows| rows.len())
}

fn damage(path: &Path, pair: &WatchedPair) {
    let database = rusqlite::Connection::open(path).unwrap();
    let forge = "UPDATE pair SET state = '{' WHERE reference_sha256 = ?1";
    assert_eq!(database.execute(forge, [&pair.id.reference_sha256]).unwrap(), 1);
}

#[tokio::test]
async fn a_thread_that_panics_is_told_of_and_goes_on_without_losing_or_doubling_an_image() {
    let setting = start();
    let (monitor, pair) = (&setting.monitor, pair("a"));
    monitor.serve(&pair);
    monitor.record(&pair, images(3)).await;
    eventually("the first", || stored(&setting, &pair) == 3).await;
    setting.panics_left.store(2, Ordering::SeqCst);
    monitor.record(&pair, images(4)).await;
    eventually("a fault", || !monitor.recording().available).await;
    assert!(monitor.recording().reason.unwrap().contains("fault of ours"));
    monitor.record(&pair, images(5)).await;
    eventually("the end of it", || monitor.recording().available).await;
    eventually("all of them", || stored(&setting, &pair) == 12).await;
    assert_eq!(monitor.recording().unrecorded_images, 0);
    assert_eq!(setting.panics_left.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_thread_that_has_ended_is_told_of() {
    let setting = start();
    let (monitor, pair) = (&setting.monitor, pair("a"));
    monitor.serve(&pair);
    monitor.finish(Instant::now() + Duration::from_secs(10)).await;
    monitor.record(&pair, images(4)).await;
    let recording = monitor.recording();
    assert_eq!((recording.available, recording.unrecorded_images), (false, 4));
    assert!(recording.reason.unwrap().contains("has ended"));
}

#[tokio::test]
async fn a_state_that_cannot_be_read_stops_no_other_pair() {
    let setting = start();
    let (monitor, old, new) = (&setting.monitor, pair("old"), pair("new"));
    monitor.serve(&old);
    monitor.record(&old, images(1)).await;
    eventually("the first", || stored(&setting, &old) == 1).await;
    // A reload; some requests still come from the old pair.
    monitor.serve(&new);
    monitor.record(&new, images(2)).await;
    damage(&setting.path, &old);
    for _ in 0..3 {
        monitor.record(&old, images(2)).await;
        monitor.record(&new, images(2)).await;
    }
    eventually("those of the new one", || stored(&setting, &new) == 8).await;
    eventually("what is not recorded", || monitor.recording().unrecorded_images == 6).await;
    assert!(monitor.recording().available);

    // That of the pair that is served waits for a reset.
    damage(&setting.path, &new);
    let third = pair("third");
    monitor.record(&new, images(2)).await;
    eventually("a reason", || !monitor.recording().available).await;
    monitor.record(&third, images(1)).await;
    monitor.record(&new, images(1)).await;
    eventually("others go on", || stored(&setting, &third) == 1).await;
    monitor.reset(&new).await.unwrap();
    eventually("what waited", || stored(&setting, &new) == 11).await;
    eventually("recording again", || monitor.recording().available).await;
    assert_eq!(monitor.recording().unrecorded_images, 6);
}

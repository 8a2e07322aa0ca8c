//! A program of one's own around a model: an image is served, captured and recorded without HTTP.

#![allow(clippy::unwrap_used, reason = "tests may fail loudly")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ndarray::Array2;
use sdd_core::{Classifier, ClassifierOptions, ImageError};
use sdd_index::{FileStore, Normalization, Record, StoreContents};
use sdd_monitor::{Location, MonitorSettings};
use sdd_serving::capture::{Capture, CaptureOptions};
use sdd_serving::engine::{
    Admission, Answer, Engine, EngineError, EngineObserver, EngineOptions, EngineShortage, Input,
    Pair, Stage, Ticket,
};
use sdd_serving::recording::{Recorder, RecordingOptions, observation};
use sdd_serving::{Allowance, Origin};

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/tests/data").join(name)
}

/// Counts passes, and images that were compared.
#[derive(Default)]
struct Counter {
    passes: AtomicUsize,
    compared: AtomicUsize,
}

impl EngineObserver for Counter {
    fn stage(&self, stage: Stage, _: Duration) {
        if stage == Stage::Drift {
            self.compared.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn pass(&self, _: usize) {
        self.passes.fetch_add(1, Ordering::Relaxed);
    }
}

/// A reference of one image, for the tests' model.
fn write_reference(folder: &Path, model: &Path) {
    let classifier = Classifier::open(model, &ClassifierOptions::default()).unwrap();
    let contents = StoreContents {
        model: None,
        normalization: Normalization::L2,
        embeddings: Array2::ones((1, classifier.spec().embedding_dimension)),
        records: vec![Record { id: "only.png".into(), label: None }],
        attachments: BTreeMap::new(),
    };
    FileStore::write(folder, &contents).unwrap();
}

async fn answer(
    engine: &Engine,
    admission: &Admission,
    memory: &Allowance,
    file: &[u8],
) -> Result<Answer, EngineError> {
    let deadline = Instant::now() + Duration::from_mins(1);
    let permit = admission.admit(1, deadline)?.pop().unwrap();
    let bytes = memory.take(file.len()).unwrap().hold(file.to_vec());
    let origin = Origin { stream: Some("left".into()), group: None };
    let ticket = Ticket { permit, deadline, keep_image: true, origin };
    engine.answer(Input::Encoded(bytes), ticket).await
}

#[tokio::test]
async fn an_image_is_served_captured_and_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let model = data("tiny.onnx");
    write_reference(&path("reference"), &model);

    let options = EngineOptions {
        reference: Some(path("reference")),
        workers: 1,
        ..EngineOptions::new(model)
    };
    let mut pair = Pair::load(&options).unwrap();
    pair.watch(&MonitorSettings::default()).unwrap();
    let admission = Arc::new(Admission::new(options.workers, 1));
    let counter = Arc::new(Counter::default());
    let observer: Arc<dyn EngineObserver> = counter.clone();
    let engine = Engine::start(pair, &admission, &observer).unwrap();
    let served = engine.served();
    let capture = Capture::start(&CaptureOptions::new(path("captured"))).unwrap();
    let recorder =
        Recorder::start(RecordingOptions::new(Location::File(path("monitor.sqlite")))).unwrap();
    let watched = served.watched.clone().unwrap();
    recorder.serve(&watched);

    let memory = Allowance::new(1 << 20);
    let image = std::fs::read(data("images/png_rgb.png")).unwrap();
    let answered = answer(&engine, &admission, &memory, &image).await.unwrap();
    assert!(served.spec.labels.iter().any(|label| label == served.class_of(&answered)));
    assert_eq!(answered.drift.as_ref().unwrap().neighbors[0].id.as_ref(), "only.png");
    assert_eq!(answered.origin.stream.as_deref(), Some("left"));
    capture.offer("the first", &answered, served);
    let observed = observation(&answered, "the first", served).unwrap();
    recorder.record(&watched, vec![observed]).await;
    drop(answered);
    assert_eq!((admission.occupied(), counter.passes.load(Ordering::Relaxed)), (0, 1));
    assert_eq!(counter.compared.load(Ordering::Relaxed), 1);

    let refused = answer(&engine, &admission, &memory, b"no image").await;
    assert!(matches!(refused, Err(EngineError::Image(ImageError::NotAnImage))), "{refused:?}");
    let soon = Instant::now() + Duration::from_mins(1);
    let full = admission.admit(3, soon);
    let shortage = EngineShortage::Room;
    assert!(
        matches!(full, Err(EngineError::Overloaded { shortage: found, .. }) if found == shortage)
    );

    let end = Instant::now() + Duration::from_secs(30);
    capture.finish(end).await;
    assert_eq!((capture.counts().predictions, capture.counts().images), (1, 1));
    recorder.finish(end).await;
    let report = recorder.drift(&watched).await.unwrap().report;
    assert_eq!(report.epoch.images, 1);
    assert_eq!(memory.used(), 0, "what the images took is given back");
}

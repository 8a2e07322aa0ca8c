//! The engine with the real runtime, held up and made to panic between the model and the comparison.

#![allow(clippy::unwrap_used, reason = "tests may fail loudly")]

use std::collections::BTreeMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, unbounded};
use ndarray::Array2;
use sdd_core::{Classifier, ClassifierOptions};
use sdd_drift::{Reference, Score};
use sdd_index::{FileStore, Normalization, Record, StoreContents};
use tokio::sync::oneshot;

use super::job::{Job, Order};
use super::{
    Admission, Answer, Engine, EngineError, EngineObserver, Input, Pair, ServedModel, Stage, Ticket,
};
use crate::origin::Origin;

/// What becomes of an image that comes out of the model.
enum Step {
    Compare,
    Panic,
}

/// Says when an image comes out of the model, and waits to be told what to do with it.
struct Gate {
    began: Sender<()>,
    steps: Receiver<Step>,
}

impl EngineObserver for Gate {
    fn stage(&self, stage: Stage, _: Duration) {
        if stage != Stage::Infer {
            return;
        }
        // At the end of a test nobody listens any more.
        let _ = self.began.send(());
        match self.steps.recv().unwrap() {
            Step::Compare => {}
            Step::Panic => panic!("the test asked for it"),
        }
    }
}

/// An engine with one session, and what it is told.
struct Rig {
    engine: Engine,
    admission: Arc<Admission>,
    steps: Sender<Step>,
    began: Receiver<()>,
    tensor: Vec<f32>,
    _folder: tempfile::TempDir,
}

impl Rig {
    fn start(max_batch: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/tests/data/tiny.onnx");
        let classifier = Classifier::open(&path, &ClassifierOptions::default()).unwrap();
        let dimension = classifier.spec().embedding_dimension;
        let contents = StoreContents {
            model: None,
            normalization: Normalization::L2,
            embeddings: Array2::ones((1, dimension)),
            records: vec![Record { id: "only".into(), label: None }],
            attachments: BTreeMap::new(),
        };
        FileStore::write(folder.path(), &contents).unwrap();
        let ((steps, told), (begins, began)) = (unbounded(), unbounded());
        let store = FileStore::open(folder.path()).unwrap();
        let reference = Reference::uncalibrated(store, Score::default()).unwrap();
        let served = ServedModel {
            path: PathBuf::new(),
            sha256: classifier.sha256().into(),
            spec: classifier.spec().clone(),
            device: classifier.device(),
            sessions: 1,
            reference: None,
            watched: None,
        };
        let tensor = vec![0.5; classifier.input_reader().tensor_len()];
        let pair = Pair {
            classifiers: vec![classifier],
            readers: 1,
            max_batch,
            neighbors: 1,
            reference: Some(Arc::new(reference)),
            served,
        };
        let admission = Arc::new(Admission::new(1, 16));
        let observer: Arc<dyn EngineObserver> = Arc::new(Gate { began: begins, steps: told });
        let engine = Engine::start(pair, &admission, &observer).unwrap();
        Self { engine, admission, steps, began, tensor, _folder: folder }
    }

    fn ticket(&self, deadline: Instant) -> Ticket {
        let permit = self.admission.admit(1, in_a_minute()).unwrap().pop().unwrap();
        Ticket { permit, deadline, keep_image: false, origin: Origin::default() }
    }

    fn input(&self) -> Input {
        Input::Tensor(self.tensor.clone())
    }

    /// What was told before may have answered it by the time it is first looked at.
    async fn answer(&self) -> Result<Answer, EngineError> {
        self.engine.answer(self.input(), self.ticket(in_a_minute())).await
    }

    /// A request that is in the queue once this returns.
    fn ask(&self) -> Pin<Box<dyn Future<Output = Result<Answer, EngineError>> + '_>> {
        let ticket = self.ticket(in_a_minute());
        let mut answer = Box::pin(self.engine.answer(self.input(), ticket));
        let polled = pin!(&mut answer).poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(polled, Poll::Pending));
        answer
    }

    /// Waits until the next image comes out of the model.
    fn wait_for_comparison(&self) {
        self.began.recv_timeout(Duration::from_mins(1)).unwrap();
    }

    fn tell(&self, step: Step) {
        self.steps.send(step).unwrap();
    }

    /// Waits until all that was told has been done.
    async fn idle(&self) {
        let is_idle = || self.admission.occupied() == 0 && self.steps.is_empty();
        self.until("the engine hangs", is_idle).await;
    }

    async fn until(&self, fault: &str, is_so: impl Fn() -> bool) {
        let start = Instant::now();
        while !is_so() {
            assert!(start.elapsed() < Duration::from_mins(1), "{fault}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

fn in_a_minute() -> Instant {
    Instant::now() + Duration::from_mins(1)
}

#[tokio::test]
async fn a_panic_answers_500_to_its_own_requests_and_the_worker_comes_back() {
    for max_batch in [1, 4] {
        let rig = Rig::start(max_batch);
        rig.tell(Step::Panic);
        let failed = rig.answer().await;
        assert!(matches!(failed, Err(EngineError::Internal(_))), "{failed:?}");
        for _ in 0..3 {
            rig.tell(Step::Compare);
            let answer = rig.answer().await.unwrap();
            assert_eq!(answer.drift.unwrap().neighbors.len(), 1);
        }
        rig.idle().await;
    }
}

#[tokio::test]
async fn a_panic_in_a_comparison_costs_that_image_alone_its_answer() {
    let rig = Rig::start(3);
    let first = rig.ask();
    rig.wait_for_comparison();
    let batch: Vec<_> = (0..3).map(|_| rig.ask()).collect();
    // Once a later one is taken out of the queue, they have been read.
    let later = rig.ask();
    rig.until("they are not read", || rig.engine.waiting() == 0).await;
    for step in [Step::Compare, Step::Compare, Step::Panic, Step::Compare, Step::Compare] {
        rig.tell(step);
    }
    let mut answered = vec![first.await.is_ok()];
    for answer in batch {
        answered.push(answer.await.is_ok());
    }
    answered.push(later.await.is_ok());
    assert_eq!(answered, [true, true, false, true, true]);
    rig.idle().await;
}

#[tokio::test]
async fn the_work_of_clients_that_left_is_dropped() {
    for max_batch in [1, 4] {
        let rig = Rig::start(max_batch);
        let first = rig.ask();
        rig.wait_for_comparison();
        drop((rig.ask(), rig.ask()));
        let last = rig.ask();
        rig.tell(Step::Compare);
        rig.tell(Step::Compare);
        assert!(first.await.is_ok());
        assert!(last.await.is_ok());
        rig.idle().await;
        rig.wait_for_comparison();
        assert!(rig.began.is_empty(), "two comparisons for four requests");
    }
}

#[tokio::test]
async fn who_waits_too_long_is_told_while_the_work_goes_on() {
    for max_batch in [1, 4] {
        let rig = Rig::start(max_batch);
        let first = rig.ask();
        rig.wait_for_comparison();
        let late = rig.engine.answer(rig.input(), rig.ticket(Instant::now())).await;
        assert!(matches!(late, Err(EngineError::DeadlineExceeded)), "{late:?}");
        rig.tell(Step::Compare);
        assert!(first.await.is_ok());
        rig.idle().await;
    }
}

#[tokio::test]
async fn what_comes_too_late_is_not_begun() {
    for max_batch in [1, 4] {
        let rig = Rig::start(max_batch);
        let first = rig.ask();
        rig.wait_for_comparison();
        // Somebody who would still take the answer.
        let (reply, late) = oneshot::channel();
        let order = Order::new(rig.ticket(Instant::now()), reply);
        let job = Job { input: rig.input(), enqueued: Instant::now(), order };
        rig.engine.queue.send(job).unwrap();
        let last = rig.ask();
        rig.tell(Step::Compare);
        rig.tell(Step::Compare);
        assert!(first.await.is_ok() && last.await.is_ok());
        let late = late.await.unwrap();
        assert!(matches!(late, Err(EngineError::DeadlineExceeded)), "{late:?}");
        rig.idle().await;
        rig.wait_for_comparison();
        assert!(rig.began.is_empty(), "two comparisons for three requests");
    }
}

/// Files that are refused in no time say nothing about how long images take.
#[tokio::test]
async fn only_what_went_through_the_model_makes_the_pace() {
    let rig = Rig::start(1);
    rig.tell(Step::Compare);
    assert!(rig.answer().await.is_ok());
    rig.idle().await;
    let wait = rig.admission.wait();
    assert!(wait > Duration::ZERO);
    for _ in 0..20 {
        let file = Input::Encoded(b"\x89PNG\r\n\x1a\n"[..].into());
        let refused = rig.engine.answer(file, rig.ticket(in_a_minute())).await;
        assert!(matches!(refused, Err(EngineError::Image(_))), "{refused:?}");
    }
    rig.idle().await;
    assert_eq!(rig.admission.wait(), wait);
}

#[tokio::test]
async fn an_answer_says_how_an_image_looks_and_not_how_a_tensor_does() {
    let rig = Rig::start(1);
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/tests/data");
    let content = std::fs::read(data.join("images/png_rgb.png")).unwrap();
    let mut classifier =
        Classifier::open(&data.join("tiny.onnx"), &ClassifierOptions::default()).unwrap();
    let expected = classifier.classify(&content).unwrap().properties;
    assert!(expected.is_some());

    let file = Input::Encoded(content.into());
    rig.tell(Step::Compare);
    let answer = rig.engine.answer(file, rig.ticket(in_a_minute())).await.unwrap();
    assert_eq!(answer.prediction.properties, expected);
    rig.tell(Step::Compare);
    assert_eq!(rig.answer().await.unwrap().prediction.properties, None);
}

#[tokio::test]
async fn a_batch_takes_what_waits_and_answers_the_same() {
    let rig = Rig::start(3);
    rig.tell(Step::Compare);
    let alone = rig.ask().await.unwrap();
    rig.wait_for_comparison();
    let first = rig.ask();
    rig.wait_for_comparison();
    let waiting: Vec<_> = (0..3).map(|_| rig.ask()).collect();
    // Once it is taken out of the queue, those before it have been read.
    let fourth = rig.ask();
    rig.until("they are not read", || rig.engine.waiting() == 0).await;
    (0..5).for_each(|_| rig.tell(Step::Compare));
    assert!(first.await.is_ok());
    let mut passes = Vec::new();
    for answer in waiting {
        let answer = answer.await.unwrap();
        assert_eq!(answer.prediction, alone.prediction);
        passes.push(answer.times.of(Stage::Infer));
    }
    // One measurement for all, so the same to the nanosecond.
    assert_eq!(passes, vec![passes[0]; 3]);
    assert!(fourth.await.is_ok());
    rig.idle().await;
}

//! What is counted, for Prometheus.
//!
//! What happens is counted in [`Metrics`] as it happens; what is (the queue, the model, the process) is
//! looked at when somebody asks, in `routes/metrics/`. Names follow Prometheus's conventions: units in the name, counters
//! end in `_total`.

mod labels;

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry, Unit};
use sdd_monitor::Observation;
use sdd_serving::engine::{EngineObserver, Stage};

use self::labels::{DurationLabels, ImageLabels, RequestLabels};
use crate::request::Finished;

/// One label, whose values are the program's own: its name and its value.
pub type Label = [(&'static str, &'static str); 1];

/// Upper bounds of durations in seconds: 0.1 ms to 60 s.
const SECONDS: [f64; 18] = [
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0, 30.0, 60.0,
];

/// Upper bounds of numbers of images.
const IMAGES: [f64; 11] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0];

/// Upper bounds of p-values, which are evenly spread without drift.
const P_VALUES: [f64; 14] =
    [0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];

/// Upper bounds of scores, whose scale depends on the method.
const SCORES: [f64; 18] = [
    0.01, 0.02, 0.05, 0.075, 0.1, 0.125, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 5.0, 10.0,
    100.0, 1000.0,
];

/// The counters and histograms of a server.
#[derive(Debug)]
pub struct Metrics {
    requests: Family<RequestLabels, Counter>,
    request_duration: Family<DurationLabels, Histogram>,
    /// The seconds that images spent in each stage that they went through.
    stages: Family<Label, Histogram>,
    batch_images: Histogram,
    failed_passes: Counter,
    engine_panics: Counter,
    shortages: Family<Label, Counter>,
    images: Family<ImageLabels, Counter>,
    image_errors: Family<Label, Counter>,
    upload_bytes: Counter,
    drift_p_value: Histogram,
    drift_score: Histogram,
    reloads: Family<Label, Counter>,
    /// All of them.
    pub registry: Registry,
}

/// The stage in which a request's body comes.
const READ: &str = "read";

/// The label of what became of an attempt to load the model anew.
const fn reload(succeeded: bool) -> Label {
    [("outcome", if succeeded { "ok" } else { "failed" })]
}

/// Registers a metric; a clone of it counts with it.
fn add<M: Metric + Clone>(registry: &mut Registry, name: &str, help: &str, metric: M) -> M {
    registry.register(name, help, metric.clone());
    metric
}

fn add_in<M: Metric + Clone>(
    registry: &mut Registry,
    unit: Unit,
    name: &str,
    help: &str,
    metric: M,
) -> M {
    registry.register_with_unit(name, help, unit, metric.clone());
    metric
}

impl Metrics {
    /// All at zero.
    pub fn new() -> Self {
        let mut all = Registry::with_prefix("sdd");
        let durations: fn() -> Histogram = || Histogram::new(SECONDS);
        let metrics = Self {
            requests: add(&mut all, "http_requests", "Requests that are over", Family::default()),
            request_duration: add_in(
                &mut all,
                Unit::Seconds,
                "http_request_duration",
                "Time from a request's head to its answer, by the answer's status class: refusals are fast",
                Family::new_with_constructor(durations),
            ),
            stages: add_in(
                &mut all,
                Unit::Seconds,
                "stage_duration",
                "Time that a request's body (read) or an image (the others) spent in a stage that it went through",
                Family::new_with_constructor(durations),
            ),
            batch_images: add(
                &mut all,
                "batch_images",
                "Images in one pass of the model",
                Histogram::new(IMAGES),
            ),
            failed_passes: add(
                &mut all,
                "failed_passes",
                "Passes of the model that failed with all their images",
                Counter::default(),
            ),
            engine_panics: add(
                &mut all,
                "engine_panics",
                "Panics in the threads of the engine, each of which costs one image its answer at most",
                Counter::default(),
            ),
            shortages: add(
                &mut all,
                "overloaded_requests",
                "Requests that were refused as overloaded, by what there was too little of",
                Family::default(),
            ),
            images: add(&mut all, "images", "Images that were answered", Family::default()),
            image_errors: add(
                &mut all,
                "image_errors",
                "Images that were taken on and could not be answered",
                Family::default(),
            ),
            upload_bytes: add_in(
                &mut all,
                Unit::Bytes,
                "upload",
                "Bytes of the uploads that were received whole: images, and under /v2 the body around them",
                Counter::default(),
            ),
            drift_p_value: add(
                &mut all,
                "drift_p_value",
                "p-values of predictions",
                Histogram::new(P_VALUES),
            ),
            drift_score: add(
                &mut all,
                "drift_score",
                "Drift scores of predictions",
                Histogram::new(SCORES),
            ),
            reloads: add(
                &mut all,
                "reloads",
                "Times that the model was loaded anew",
                Family::default(),
            ),
            registry: all,
        };
        // There from the start, at zero.
        for stage in std::iter::once(READ).chain(Stage::ALL.map(Stage::name)) {
            drop(metrics.stages.get_or_create(&[("stage", stage)]));
        }
        for succeeded in [true, false] {
            drop(metrics.reloads.get_or_create(&reload(succeeded)));
        }
        metrics
    }

    /// A request that is over.
    pub fn request(&self, finished: &Finished<'_>) {
        let labels = RequestLabels::of(finished);
        self.requests.get_or_create(&labels).inc();
        let labels = DurationLabels::of(labels.route, finished.status);
        self.request_duration.get_or_create(&labels).observe(finished.total.as_secs_f64());
        if let Some(read) = finished.context.read_time.get() {
            self.stages.get_or_create(&[("stage", READ)]).observe(read.as_secs_f64());
            self.upload_bytes.inc_by(finished.context.bytes.get() as u64);
        }
        if let Some(shortage) = finished.shortage {
            self.shortages.get_or_create(&[("shortage", shortage.name())]).inc();
        }
        for outcome in finished.context.outcomes.borrow().iter() {
            self.images.get_or_create(&ImageLabels::of(outcome)).inc();
        }
        for &error in finished.context.errors.borrow().iter() {
            self.image_errors.get_or_create(&[("error", error)]).inc();
        }
    }

    /// Predictions with their scores.
    pub fn drift(&self, observations: &[Observation]) {
        for observation in observations {
            self.drift_score.observe(observation.score);
            if let Some(p_value) = observation.p_value {
                self.drift_p_value.observe(p_value);
            }
        }
    }

    /// An attempt to load the model anew.
    pub fn reload(&self, succeeded: bool) {
        self.reloads.get_or_create(&reload(succeeded)).inc();
    }
}

/// A reload goes on with the counts that there are.
impl EngineObserver for Metrics {
    fn stage(&self, stage: Stage, time: Duration) {
        self.stages.get_or_create(&[("stage", stage.name())]).observe(time.as_secs_f64());
    }

    fn pass(&self, images: usize) {
        self.batch_images.observe(images as f64);
    }

    fn failed_pass(&self) {
        self.failed_passes.inc();
    }

    fn panicked(&self) {
        self.engine_panics.inc();
    }
}

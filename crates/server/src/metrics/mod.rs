//! What is counted, for Prometheus.
//!
//! What happens is counted in [`Metrics`] as it happens; what is (the queue, the model, the process) is
//! looked at when somebody asks. Names follow Prometheus's conventions: units in the name, counters
//! end in `_total`.

mod drift;
mod engine;
mod exposition;
mod labels;
mod process;
mod state;

use std::sync::Arc;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use sdd_monitor::Observation;

pub use exposition::{Format, expose};
pub use state::Snapshot;

use sdd_serving::engine::{EngineObserver, Stage};

use self::engine::EngineMetrics;
use self::labels::{DurationLabels, ImageLabels, Label, RequestLabels};
use crate::request::Finished;

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
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    request_duration: Family<DurationLabels, Histogram>,
    engine: Arc<EngineMetrics>,
    shortages: Family<Label, Counter>,
    images: Family<ImageLabels, Counter>,
    image_errors: Family<Label, Counter>,
    upload_bytes: Counter,
    drift_p_value: Histogram,
    drift_score: Histogram,
    reloads: Family<Label, Counter>,
}

/// The stage in which a request's body comes.
const READ: &str = "read";

/// The label of what became of an attempt to load the model anew.
const fn reload(succeeded: bool) -> Label {
    [("outcome", if succeeded { "ok" } else { "failed" })]
}

impl Metrics {
    /// All at zero.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("sdd");
        let durations: fn() -> Histogram = || Histogram::new(SECONDS);
        let requests = Family::default();
        registry.register("http_requests", "Requests that are over", requests.clone());
        let request_duration = Family::new_with_constructor(durations);
        registry.register_with_unit(
            "http_request_duration",
            "Time from a request's head to its answer, by the answer's status class: refusals are fast",
            Unit::Seconds,
            request_duration.clone(),
        );
        let stages = Family::<Label, _>::new_with_constructor(durations);
        registry.register_with_unit(
            "stage_duration",
            "Time that a request's body (read) or an image (the others) spent in a stage that it went through",
            Unit::Seconds,
            stages.clone(),
        );
        // There from the start, at zero.
        for stage in std::iter::once(READ).chain(Stage::ALL.map(Stage::name)) {
            drop(stages.get_or_create(&[("stage", stage)]));
        }
        let engine = EngineMetrics {
            batch_images: Histogram::new(IMAGES),
            failed_passes: Counter::default(),
            panics: Counter::default(),
            stages,
        };
        let help = "Images in one pass of the model";
        registry.register("batch_images", help, engine.batch_images.clone());
        let help = "Passes of the model that failed with all their images";
        registry.register("failed_passes", help, engine.failed_passes.clone());
        let help =
            "Panics in the threads of the engine, each of which costs one image its answer at most";
        registry.register("engine_panics", help, engine.panics.clone());
        let shortages = Family::default();
        let help = "Requests that were refused as overloaded, by what there was too little of";
        registry.register("overloaded_requests", help, shortages.clone());
        let images = Family::default();
        registry.register("images", "Images that were answered", images.clone());
        let image_errors = Family::default();
        registry.register(
            "image_errors",
            "Images that were taken on and could not be answered",
            image_errors.clone(),
        );
        let upload_bytes = Counter::default();
        registry.register_with_unit(
            "upload",
            "Bytes of the uploads that were received whole: images, and under /v2 the body around them",
            Unit::Bytes,
            upload_bytes.clone(),
        );
        let drift_p_value = Histogram::new(P_VALUES);
        let help = "p-values of predictions";
        registry.register("drift_p_value", help, drift_p_value.clone());
        let drift_score = Histogram::new(SCORES);
        let help = "Drift scores of predictions";
        registry.register("drift_score", help, drift_score.clone());
        let reloads = Family::default();
        registry.register("reloads", "Times that the model was loaded anew", reloads.clone());
        for succeeded in [true, false] {
            drop(reloads.get_or_create(&reload(succeeded)));
        }
        Self {
            registry,
            requests,
            request_duration,
            engine: Arc::new(engine),
            shortages,
            images,
            image_errors,
            upload_bytes,
            drift_p_value,
            drift_score,
            reloads,
        }
    }

    /// What an engine is to tell what happens in it.
    pub fn engine(&self) -> Arc<dyn EngineObserver> {
        Arc::clone(&self.engine) as Arc<dyn EngineObserver>
    }

    /// A request that is over.
    pub fn request(&self, finished: &Finished<'_>) {
        let labels = RequestLabels::of(finished);
        self.requests.get_or_create(&labels).inc();
        let labels = DurationLabels::of(labels.route, finished.status);
        self.request_duration.get_or_create(&labels).observe(finished.total.as_secs_f64());
        if let Some(read) = finished.context.read_time.get() {
            self.engine.stages.get_or_create(&[("stage", READ)]).observe(read.as_secs_f64());
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

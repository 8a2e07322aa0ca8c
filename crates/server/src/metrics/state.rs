//! How things stand at the moment when somebody asks.

use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use sdd_serving::Allowance;
use sdd_serving::capture::Capture;
use sdd_serving::engine::{Admission, Engine, ServedModel, ServedReference};
use sdd_serving::recording::Recorder;

use crate::metrics::drift;
use crate::telemetry;

/// The parts of a server that are looked at, and count by themselves.
pub struct Snapshot<'a> {
    /// Whether new work is welcome.
    pub is_ready: bool,
    /// Requests that are not answered to the last byte.
    pub requests: usize,
    /// Open connections.
    pub connections: usize,
    /// Open connections at most.
    pub max_connections: usize,
    /// Images that may wait for a thread.
    pub queue_limit: usize,
    /// The room for images in the engine.
    pub admission: &'a Admission,
    /// The memory for uploads.
    pub uploads: &'a Allowance,
    /// The model and the reference at work.
    pub engine: &'a Engine,
    /// What remembers predictions, for drift over time.
    pub recorder: Option<&'a Recorder>,
    /// Where predictions are kept.
    pub capture: Option<&'a Capture>,
}

/// All of it, with what other parts of the program count.
pub(crate) fn registry(snapshot: &Snapshot<'_>) -> Registry {
    let mut registry = Registry::with_prefix("sdd");
    let served = snapshot.engine.served();
    add_load(&mut registry, snapshot);
    add_model(&mut registry, served);
    if let Some(reference) = &served.reference {
        add_reference(&mut registry, reference);
    }
    if let Some(recorder) = snapshot.recorder {
        drift::add(&mut registry, recorder);
    }
    if let Some(capture) = snapshot.capture {
        add_capture(&mut registry, capture);
    }
    let dropped_lines = ConstCounter::new(telemetry::dropped_lines() as u64);
    let help = "Lines of the log that were dropped because standard error was not read";
    registry.register("log_dropped_lines", help, dropped_lines);
    registry.register("build", "The program", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
    registry
}

fn add_load(registry: &mut Registry, snapshot: &Snapshot<'_>) {
    let &Snapshot { admission, uploads, engine, .. } = snapshot;
    let mut add = |name, help, value| registry.register(name, help, gauge(value));
    add(
        "ready",
        "1 while new work is welcome, 0 once the server has been told to stop or has lost a thread, and while the model fails",
        usize::from(snapshot.is_ready),
    );
    add(
        "http_requests_in_flight",
        "Requests that are not answered to the last byte, with the one that asks",
        snapshot.requests,
    );
    add("http_connections", "Open connections", snapshot.connections);
    add("http_connections_limit", "Open connections at most", snapshot.max_connections);
    add("queue_depth", "Images that wait for a thread", engine.waiting());
    add("engine_threads", "Threads that decode and infer", engine.threads());
    add("queue_limit", "Images that may wait for a thread", snapshot.queue_limit);
    add("admitted_images", "Images that wait or are in work", admission.occupied());
    add(
        "admitted_images_limit",
        "Images that may wait or be in work; beyond it the answer is 503",
        admission.limit(),
    );
    let mut add = |name, help, value| {
        registry.register_with_unit(name, help, Unit::Bytes, gauge(value));
    };
    add("upload_memory_used", "Memory that uploads take", uploads.used());
    add("upload_memory_limit", "Memory that uploads may take", uploads.limit());
}

fn add_model(registry: &mut Registry, served: &ServedModel) {
    let labels = [
        ("name", served.spec.name.clone()),
        ("version", served.spec.version.clone()),
        ("sha256", served.sha256.clone()),
        ("device", served.device.to_string()),
    ];
    registry.register("model", "The model that is served", Info::new(labels));
}

fn add_reference(registry: &mut Registry, reference: &ServedReference) {
    // What it is, and not where: paths are the machine's own business.
    let labels = [
        ("checksum", reference.checksum.clone()),
        ("generation", reference.generation.to_string()),
        ("method", reference.method.clone()),
    ];
    registry.register(
        "reference",
        "The reference that images are compared with",
        Info::new(labels),
    );
    registry.register("reference_images", "Reference images", gauge(reference.images));
    if let Some(images) = reference.calibration_images {
        registry.register("reference_calibration_images", "Calibration images", gauge(images));
    }
    if let Some(threshold) = reference.threshold {
        registry.register(
            "drift_threshold",
            "The drift score above which an image is out of distribution",
            ConstGauge::new(threshold),
        );
    }
    if let Some(alpha) = reference.alpha {
        registry.register(
            "drift_alpha",
            "The share of false alarms that the threshold was calibrated for",
            ConstGauge::new(alpha),
        );
    }
}

fn add_capture(registry: &mut Registry, capture: &Capture) {
    let counts = capture.counts();
    registry.register(
        "capture_enabled",
        "1 while predictions are kept, 0 while the folder cannot be written to",
        gauge(usize::from(counts.enabled)),
    );
    for (name, help, value) in [
        ("capture_records", "Predictions written", counts.predictions),
        ("capture_images", "Images written", counts.images),
        ("capture_dropped", "Predictions that could not be kept", counts.dropped),
        ("capture_failures", "Attempts to write that failed", counts.failures),
        ("capture_removed_files", "Files removed for their age or size", counts.removed_files),
    ] {
        registry.register(name, help, ConstCounter::new(value));
    }
    registry.register(
        "capture_queue_depth",
        "Images that wait to be written",
        gauge(capture.queued_images()),
    );
    let stored = ConstGauge::new(counts.stored_bytes);
    let help = "Bytes that the images and predictions in the folder take";
    registry.register_with_unit("capture_stored", help, Unit::Bytes, stored);
}

fn gauge(value: usize) -> ConstGauge<u64> {
    ConstGauge::new(value as u64)
}

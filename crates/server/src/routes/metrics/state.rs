//! How things stand at the moment when somebody asks.

use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use sdd_serving::capture::Capture;
use sdd_serving::engine::{Engine, ServedModel, ServedReference};

use crate::routes::metrics::drift;
use crate::service::Service;
use crate::telemetry;

/// All of it, with what other parts of the program count.
pub(crate) fn registry(service: &Service) -> Registry {
    let mut registry = Registry::with_prefix("sdd");
    let engine = service.engine();
    let served = engine.served();
    add_load(&mut registry, service, &engine);
    add_model(&mut registry, served);
    if let Some(reference) = &served.reference {
        add_reference(&mut registry, reference);
    }
    if let Some(recorder) = &service.recorder {
        drift::add(&mut registry, recorder);
    }
    if let Some(capture) = &service.capture {
        add_capture(&mut registry, capture);
    }
    let dropped_lines = ConstCounter::new(telemetry::dropped_lines() as u64);
    let help = "Lines of the log that were dropped because standard error was not read";
    registry.register("log_dropped_lines", help, dropped_lines);
    registry.register("build", "The program", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
    registry
}

fn add_load(registry: &mut Registry, service: &Service, engine: &Engine) {
    let Service { admission, uploads, open_connections, .. } = service;
    let limits = &service.settings.limits;
    for (name, help, value) in [
        (
            "ready",
            "1 while new work is welcome, 0 once the server has been told to stop or has lost a thread, and while the model fails",
            usize::from(service.readiness().is_ok()),
        ),
        (
            "http_requests_in_flight",
            "Requests that are not answered to the last byte, with the one that asks",
            open_connections.requests(),
        ),
        ("http_connections", "Open connections", open_connections.count()),
        ("http_connections_limit", "Open connections at most", limits.max_connections),
        ("queue_depth", "Images that wait for a thread", engine.waiting()),
        ("engine_threads", "Threads that decode and infer", engine.threads()),
        ("queue_limit", "Images that may wait for a thread", limits.queue),
        ("admitted_images", "Images that wait or are in work", admission.occupied()),
        (
            "admitted_images_limit",
            "Images that may wait or be in work; beyond it the answer is 503",
            admission.limit(),
        ),
    ] {
        registry.register(name, help, gauge(value));
    }
    for (name, help, value) in [
        ("upload_memory_used", "Memory that uploads take", uploads.used()),
        ("upload_memory_limit", "Memory that uploads may take", uploads.limit()),
    ] {
        registry.register_with_unit(name, help, Unit::Bytes, gauge(value));
    }
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
    for (name, help, value) in [
        (
            "drift_threshold",
            "The drift score above which an image is out of distribution",
            reference.threshold,
        ),
        (
            "drift_alpha",
            "The share of false alarms that the threshold was calibrated for",
            reference.alpha,
        ),
    ] {
        if let Some(value) = value {
            registry.register(name, help, ConstGauge::new(value));
        }
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

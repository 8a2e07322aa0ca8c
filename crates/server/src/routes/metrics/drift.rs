//! Drift over time, as it stands.

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::{Registry, Unit};
use sdd_monitor::{Interval, MonitorReport, Status};
use sdd_serving::recording::Recorder;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::metrics::Label;

pub(crate) fn add(registry: &mut Registry, recorder: &Recorder) {
    let recording = recorder.recording();
    for (name, help, value) in [
        (
            "drift_unrecorded_images",
            "Images that were answered and that the drift monitor will not know of",
            recording.unrecorded_images,
        ),
        (
            "drift_late_images",
            "Images that were answered before the drift monitor had written them",
            recording.late_images,
        ),
    ] {
        registry.register(name, help, ConstCounter::new(value));
    }
    registry.register(
        "drift_recording",
        "1 while the drift monitor's memory can be written to",
        ConstGauge::new(u64::from(recording.available)),
    );
    let Some(current) = recorder.current() else { return };
    if let Some(age) = age_of(&current.pair.reference_created_at) {
        let help = "Time since the reference was written";
        registry.register_with_unit("reference_age", help, Unit::Seconds, ConstGauge::new(age));
    }
    if let Some(report) = current.report() {
        add_report(registry, report);
    }
}

fn add_report(registry: &mut Registry, report: &MonitorReport) {
    let verdicts = Family::<Label, Gauge<f64, AtomicU64>>::default();
    for status in Status::ALL {
        let is_so = if status == report.verdict { 1.0 } else { 0.0 };
        verdicts.get_or_create(&[("verdict", status.name())]).set(is_so);
    }
    registry.register("drift_verdict", "1 for the verdict on drift over time", verdicts);
    let mut add = |name, help, value| registry.register(name, help, ConstGauge::new(value));
    let retrain = f64::from(u8::from(report.retrain_recommended));
    add("drift_retrain_recommended", "1 where a new model or reference is advised", retrain);
    if let Some(window) = &report.window {
        let recent = &window.recent;
        add("drift_share", "Share of the last images that is out of distribution", recent.share);
        add("drift_share_low", "Lower end of its 95 % interval", recent.interval.low);
        add("drift_share_high", "Upper end of its 95 % interval", recent.interval.high);
    }
    if let Some(evidence) = &report.evidence {
        add("drift_evidence", "Evidence of drift since the epoch began", evidence.value);
        add("drift_evidence_alarm", "The evidence that raises the alarm", evidence.alarm_at);
        add(
            "drift_groups",
            "Groups of images that were tested in this epoch",
            evidence.groups as f64,
        );
    }
    let expected = report.expected_accuracy.as_ref();
    for (of, decisions, estimate) in [
        ("accuracy", "decisions that are right", expected.map(|all| all.accuracy)),
        ("precision", "positive decisions that are right", expected.and_then(|all| all.precision)),
        ("recall", "positive images that are found", expected.and_then(|all| all.recall)),
    ] {
        let known = estimate.and_then(|estimate| estimate.value.zip(estimate.interval));
        let Some((value, Interval { low, high })) = known else { continue };
        let mut add = |end, help, value| {
            let name = format!("drift_expected_{of}{end}");
            registry.register(name, help, ConstGauge::new(value));
        };
        let help = format!("Expected share of {decisions}, of images in distribution");
        add("", help, value);
        add("_low", "Lower end of its 95 % interval".into(), low);
        add("_high", "Upper end of its 95 % interval".into(), high);
    }
    let properties = Family::<[(&str, String); 1], Gauge<f64, AtomicU64>>::default();
    for property in &report.properties {
        let label = [("property", property.property.clone())];
        properties.get_or_create(&label).set(property.spreads.unwrap_or(0.0));
    }
    let help =
        "How far the last groups' pictures are from the calibration's middle, in its spreads";
    registry.register("drift_property_spreads", help, properties);
    // Of a bounded number of names, see `--drift-streams`.
    let streams = Family::<[(&str, String); 1], Gauge<f64, AtomicU64>>::default();
    for stream in &report.streams {
        if let (Some(name), Some(evidence)) = (&stream.stream, stream.evidence) {
            streams.get_or_create(&[("stream", name.clone())]).set(evidence);
        }
    }
    let help = "Evidence of drift of each stream by itself";
    registry.register("drift_stream_evidence", help, streams);
}

fn age_of(created_at: &str) -> Option<f64> {
    let created = OffsetDateTime::parse(created_at, &Rfc3339).ok()?;
    Some((OffsetDateTime::now_utc() - created).as_seconds_f64().max(0.0))
}

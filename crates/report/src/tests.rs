#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use ndarray::Array2;
use sdd_index::{FileStore, Normalization, Record, StoreContents};

use super::*;
use sdd_drift::Reference;
use sdd_drift::calibration::{CALIBRATION_ATTACHMENT, CalibrationEntry, CalibrationSource};
use sdd_drift::{Calibration, Score};
use sdd_monitor::{
    Baseline, Monitor, MonitorSettings, MonitorStore, Observation, ObservedNeighbor, PairId,
    Recorded, SqliteMonitorStore,
};

/// 40 images, and 60 held-out ones.
fn calibrated_reference(directory: &std::path::Path) {
    let entry = |i: u32| CalibrationEntry {
        score: f64::from(i) / 100.0,
        predicted_class: Some(if i.is_multiple_of(4) { "b&d" } else { "good" }.into()),
        ..CalibrationEntry::default()
    };
    let source = CalibrationSource::Directory;
    let entries = (0..60).map(entry).collect();
    let calibration = Calibration::new(Score::default(), 0.05, entries, None, source).unwrap();
    let record = |i: usize| Record { id: format!("{i}.png"), label: Some("good".into()) };
    let contents = StoreContents {
        model: None,
        normalization: Normalization::L2,
        embeddings: Array2::from_shape_fn((40, 2), |(i, j)| (i + 1) as f32 + 50.0 * j as f32),
        records: (0..40).map(record).collect(),
        attachments: BTreeMap::from([(CALIBRATION_ATTACHMENT.into(), calibration.to_json())]),
    };
    FileStore::write(directory, &contents).unwrap();
}

struct Made {
    report: Report,
    _folder: tempfile::TempDir,
}

/// A stream of so many images, of which `strange` out of a hundred are out of distribution from the half on.
fn made(images: u32, strange: u32) -> Made {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("reference");
    calibrated_reference(&directory);
    let reference = Reference::open(&directory).unwrap();
    let monitor = Monitor::new(
        MonitorSettings { window: 50, ..MonitorSettings::default() },
        reference.calibration().map(Baseline::of),
    )
    .unwrap();
    let pair = PairId::of(&"ab".repeat(32), &reference);
    let mut store = SqliteMonitorStore::open(&folder.path().join("m.sqlite"), 10_000).unwrap();
    let observation = |i: u32| {
        let is_strange = i >= images / 2 && i % 100 < strange;
        Observation {
            time_ms: 1000 * i64::from(i),
            request_id: format!("<script>alert({i})</script>"),
            predicted_class: if i.is_multiple_of(4) { "b&d" } else { "good" }.into(),
            confidence: 0.9,
            score: if is_strange { 2.0 } else { f64::from(i % 50) / 100.0 },
            p_value: Some(if is_strange { 0.005 } else { f64::from(i % 50 + 1) / 51.0 }),
            out_of_distribution: Some(is_strange),
            neighbors: vec![
                ObservedNeighbor {
                    id: "good/\"x\" <b>.png".into(),
                    label: None,
                    distance: 0.25
                };
                3
            ],
            image_sha256: Some(format!("{i:064x}")),
            ..Observation::default()
        }
    };
    let batch: Vec<_> = (0..images).map(observation).collect();
    if !batch.is_empty() {
        store.apply(&pair, &monitor, &batch).unwrap();
    }
    let recorded = Recorded::read(&mut store, &pair, &monitor).unwrap();
    let report = Report::of(recorded, &reference, 1_000_000).unwrap();
    Made { report, _folder: folder }
}

/// A thumbnail of 40 kB for everything.
struct Large;

impl Pictures for Large {
    fn captured(&mut self, _sha256: &str) -> Option<Vec<u8>> {
        Some(vec![1; 40_000])
    }

    fn reference(&mut self, _id: &str) -> Option<Vec<u8>> {
        Some(vec![1; 40_000])
    }
}

#[test]
fn a_page_says_what_happened_and_what_to_do() {
    for (images, strange, title, step) in [
        (0, 0, "Too early to say", "more groups of images are needed"),
        (10, 0, "Nothing has changed", "Nothing has to be done"),
        (600, 0, "Nothing has changed", "Nothing has to be done"),
        (600, 90, "What comes in has changed", "Look at camera and part first"),
    ] {
        let report = made(images, strange).report;
        let page = html(&report, &mut NoPictures).unwrap();
        assert!(page.contains(&format!("<h1 id=\"verdict\">{title}</h1>")), "{title}: {page}");
        assert!(page.contains(step), "{step}: {:?}", report.what_to_do);
        let expected = report.drift.expected_accuracy.unwrap();
        let is_told = title == "Nothing has changed" && expected.accuracy.effective_groups >= 8.0;
        assert_eq!(expected.accuracy.value.is_some(), is_told, "{expected:?}");
        // Up to what HTML writes otherwise.
        let message = expected.message.split('\'').next().unwrap();
        assert!(page.contains(message) && !message.is_empty(), "{expected:?}: {page}");
        let own = page.replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
        for foreign in ["<script", "http://", "https://", "<link", "@import", "src=\""] {
            assert!(!own.contains(foreign), "{foreign}: {page}");
        }
        assert!(page.len() < 300_000, "{}", page.len());
    }
}

#[test]
fn what_clients_and_files_are_called_is_only_text() {
    let page = html(&made(600, 90).report, &mut NoPictures).unwrap();
    assert!(!page.contains("<script") && !page.contains("<b>"));
    assert!(page.contains("&#60;script&#62;alert") || page.contains("&lt;script&gt;alert"));
    assert!(page.contains("b&#38;d") || page.contains("b&amp;d"));
    assert!(page.contains("no picture"));
}

#[test]
fn many_large_pictures_stay_within_two_megabytes() {
    let page = html(&made(600, 90).report, &mut Large).unwrap();
    assert!(page.len() < 2_000_000, "{}", page.len());
    assert!(page.matches("data:image/jpeg").count() > 10 && page.contains("no picture"));
}

#[test]
fn the_document_has_the_samples_the_path_and_the_histogram() {
    let report = made(600, 90).report;
    let boxes: Vec<_> =
        report.scores.iter().map(|of| (of.sample, of.class.as_deref(), of.plot.count)).collect();
    assert_eq!(
        boxes[..3],
        [
            (Sample::Reference, None, 40),
            (Sample::Calibration, None, 60),
            (Sample::Recent, None, 50)
        ]
    );
    assert!(boxes.contains(&(Sample::Recent, Some("b&d"), 12)), "{boxes:?}");
    assert!(report.path.len() <= 400 && report.stretches.len() <= 60);
    let largest = report.path.iter().filter_map(|point| point.evidence).map(|e| e.largest);
    assert_eq!(largest.fold(0.0, f64::max), report.drift.evidence.as_ref().unwrap().largest);
    let p_values = report.p_values.as_ref().unwrap();
    assert_eq!(p_values.counts.iter().sum::<u64>(), 600);
    assert!((p_values.expected.iter().sum::<f64>() - 600.0).abs() < 1e-6);
    assert!(p_values.counts[0] as f64 > p_values.expected[0] + p_values.deviation[0]);
    assert_eq!(report.strangest.len(), 12);
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!((&json["format"], &json["format_version"]), (&"sdd-drift-report".into(), &2.into()));
}

#[test]
fn the_box_plot_stands_alone() {
    for report in [made(600, 90).report, made(0, 0).report] {
        let svg = box_plot_svg(&report);
        assert!(svg.starts_with("<svg xmlns") && svg.contains("<style>"));
    }
}

//! `detectors.json`, numbers by river.

use std::path::PathBuf;

use serde_json::Value;

use self::numbers::{assert_close, count, list, number, numbers};
use super::{Adwin, Direction, PageHinkley};

#[path = "../../../../crates/stats/tests/it/golden/numbers.rs"]
mod numbers;

/// The golden numbers stand together, beside the crate that has most of them; `SDD_GOLDEN_DIR` names another folder.
fn golden() -> Value {
    let shipped = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../crates/stats/tests/golden");
    let folder = std::env::var_os("SDD_GOLDEN_DIR").map_or_else(shipped, PathBuf::from);
    serde_json::from_slice(&std::fs::read(folder.join("detectors.json")).unwrap()).unwrap()
}

fn as_u64(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

fn counts(value: &Value) -> Vec<usize> {
    value.as_array().unwrap().iter().map(count).collect()
}

fn stream(document: &Value, name: &Value) -> Vec<f64> {
    let named = list(document, "streams").iter().find(|stream| stream["name"] == *name);
    numbers(&named.unwrap()["x"])
}

fn detections(stream: &[f64], mut observe: impl FnMut(f64) -> bool) -> Vec<usize> {
    (0..stream.len()).filter(|i| observe(stream[*i])).collect()
}

#[test]
fn adwin() {
    let document = golden();
    let tolerance = &document["tolerance"]["total_variance"];
    for expected in list(&document, "expected") {
        let name = expected["stream"].as_str().unwrap();
        let stream = stream(&document, &expected["stream"]);
        let params = &expected["adwin"]["params"];
        let mut detector = Adwin::new(
            number(&params["delta"]),
            as_u64(&params["clock"]),
            as_u64(&params["min_window_length"]),
            as_u64(&params["grace_period"]),
        )
        .with_most_buckets(count(&params["max_buckets"]));
        let mut states = Vec::new();
        let found = detections(&stream, |x| {
            let signal = detector.observe(x);
            states.push((detector.width(), detector.total(), detector.variance()));
            signal
        });
        assert_eq!(found, counts(&expected["adwin"]["detections"]), "{name}");
        // None of a stream of fewer than 32 values.
        for row in expected["adwin"]["state_index_width_total_variance"].as_array().unwrap() {
            let index = count(&row[0]);
            let what = format!("{name} at {index}");
            let (width, total, variance) = states[index];
            assert_eq!(width, as_u64(&row[1]), "{what}");
            assert_close(total, number(&row[2]), tolerance, &what);
            assert_close(variance, number(&row[3]), tolerance, &what);
        }
    }
}

#[test]
fn page_hinkley() {
    let document = golden();
    for expected in list(&document, "expected") {
        let stream = stream(&document, &expected["stream"]);
        for (i, case) in list(expected, "page_hinkley").iter().enumerate() {
            let params = &case["params"];
            let direction = match params["mode"].as_str().unwrap() {
                "up" => Direction::Up,
                "down" => Direction::Down,
                "both" => Direction::Both,
                other => panic!("a mode {other}"),
            };
            let mut detector = PageHinkley::new(
                as_u64(&params["min_instances"]),
                number(&params["delta"]),
                number(&params["threshold"]),
                number(&params["alpha"]),
                direction,
            );
            if i == 0 {
                assert_eq!(detector, PageHinkley::default(), "the first has river's defaults");
            }
            let found = detections(&stream, |x| detector.observe(x));
            assert_eq!(found, counts(&case["detections"]), "{} {params}", expected["stream"]);
        }
    }
}

//! CUSUM, ADWIN and Page–Hinkley.

use sdd_drift::statistics::Cusum;
use sdd_drift::statistics::detectors::{Adwin, Direction, PageHinkley};
use serde_json::Value;

use super::{assert_all_close, assert_close, count, golden, list, number, numbers, optional_count};

fn stream(document: &Value, name: &Value) -> Vec<f64> {
    let named = list(document, "streams").iter().find(|stream| stream["name"] == *name);
    numbers(&named.unwrap()["x"])
}

fn detections(stream: &[f64], mut observe: impl FnMut(f64) -> bool) -> Vec<usize> {
    (0..stream.len()).filter(|i| observe(stream[*i])).collect()
}

fn counts(value: &Value) -> Vec<usize> {
    value.as_array().unwrap().iter().map(count).collect()
}

fn as_u64(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

#[test]
fn bernoulli_cusum() {
    let document = golden("detectors.json");
    let tolerance = &document["tolerance"]["path"];
    for case in list(&document, "bernoulli_cusum") {
        let [p0, p1, h] = ["p0", "p1", "h"].map(|name| number(&case[name]));
        let name = format!("p0 {p0} p1 {p1} h {h}");
        let images: Vec<bool> = numbers(&case["x"]).into_iter().map(|x| x == 1.0).collect();
        let mut cusum = Cusum::new(p0, p1, h).unwrap();
        assert_close(cusum.step_one(), number(&case["step_one"]), tolerance, &name);
        assert_close(cusum.step_zero(), number(&case["step_zero"]), tolerance, &name);
        assert_all_close(cusum.path(images.iter().copied()), &case["path"], tolerance, &name);
        let crossing = images.iter().position(|image| cusum.observe(*image));
        assert_eq!(crossing, optional_count(&case["first_crossing"]), "{name}");
    }
}

#[test]
fn adwin() {
    let document = golden("detectors.json");
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
    let document = golden("detectors.json");
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

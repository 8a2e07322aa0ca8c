//! A reference that judges each class by its own images, and an image of a class that has too few.

use std::fs;

use serde_json::json;
use tempfile::TempDir;

use crate::browser::Tab;
use crate::exposition::Exposition;
use crate::page::{ALL_DONE, image, origin};
use crate::server::{Server, picture};
use crate::store;
use crate::v2::{MODEL, images, post_json};

/// Of class `non_defect`, which has no calibration images.
const IMAGE: &str = "png_rgb.png";

fn start(more: &[&str]) -> (Server, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let reference = folder.path().join("reference");
    store::write_by_class(&reference);
    let arguments = [&["--reference", reference.to_str().unwrap()], more].concat();
    (Server::start(&arguments), folder)
}

#[test]
fn the_answer_says_why_there_is_no_verdict() {
    let (server, _folder) = start(&[]);
    let answer = server.predict(&picture(IMAGE)).json();
    let drift = &answer["drift"];
    assert!(drift["score"].as_f64().unwrap() > 0.0);
    for field in ["p_value", "threshold", "out_of_distribution"] {
        assert_eq!(drift[field], json!(null), "{field}");
    }
    let message =
        "not enough calibration images of class `non_defect`: there are 0, and it takes 3";
    let expected = json!({
        "reason": "not_enough_calibration_images", "message": message,
        "class": "non_defect", "images": 0, "required": 3,
    });
    assert_eq!(drift["unavailable"], expected);

    let reference = server.get("/v1/model").json()["reference"].clone();
    assert_eq!((&reference["threshold"], &reference["alpha"]), (&json!(null), &json!(0.25)));
    // Which reference it is, and not where it lies on the machine.
    assert_eq!((&reference["generation"], &reference["path"]), (&json!(2), &json!(null)));
    assert_eq!(reference["checksum"].as_str().unwrap().len(), 64);
    let numbers = Exposition::of(&server);
    let unknown = [("class", "non_defect"), ("out_of_distribution", "unknown")];
    let count = numbers.value("sdd_images_total", &unknown);
    assert_eq!(count.map(f64::to_bits), Some(1.0_f64.to_bits()));
    assert!(numbers.value("sdd_drift_threshold", &[]).is_none());
}

#[test]
fn the_inference_protocol_says_unknown() {
    let (server, _folder) = start(&[]);
    let answer = post_json(&server, &images(&[IMAGE, IMAGE]));
    let verdict = answer.output("drift_verdict");
    assert_eq!(verdict["data"], json!(["unknown", "unknown"]));
    assert_eq!(verdict["datatype"], "BYTES");
    assert_eq!(answer.output("p_value")["data"], json!([null, null]));
    let metadata = server.get(MODEL).json();
    let outputs = metadata["outputs"].as_array().unwrap();
    let names: Vec<_> = outputs.iter().map(|output| output["name"].as_str().unwrap()).collect();
    assert!(
        names.contains(&"drift_verdict") && !names.contains(&"out_of_distribution"),
        "{names:?}"
    );
}

#[test]
fn a_kept_prediction_says_why() {
    let capture = tempfile::tempdir().unwrap();
    let folder = capture.path().join("kept");
    let flags = ["--capture", folder.to_str().unwrap(), "--capture-share", "1"];
    let (server, _folder) = start(&flags);
    let answer = server.predict(&picture(IMAGE)).json();
    server.stop();
    let files = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let records = files.filter(|path| path.extension().is_some_and(|end| end == "jsonl"));
    let lines: String = records.map(|path| fs::read_to_string(path).unwrap()).collect();
    let record: serde_json::Value = serde_json::from_str(lines.trim()).unwrap();
    assert_eq!(record["drift"], answer["drift"]);
    assert_eq!(record["drift"]["unavailable"]["required"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_says_it_in_words() {
    let (server, _folder) = start(&[]);
    let tab = Tab::open().await;
    tab.goto(&origin(&server)).await;
    tab.wait_until("document.querySelectorAll('#facts dd').length >= 4").await;
    tab.choose(&[image(IMAGE).as_path()]).await;
    tab.wait_until(ALL_DONE).await;
    assert_eq!(tab.text(".verdict-title").await, "Unknown");
    let text = tab.text(".verdict-text").await;
    assert!(text.contains("0 images of class non defect") && text.contains("it takes 3"), "{text}");
    assert_eq!(tab.complaints(), [""; 0]);
}

//! `POST /predict` as people use it.

use sdd_core::{Classifier, ClassifierOptions};

use crate::server::{Server, data, multipart, picture, refusal};
use crate::store;

#[test]
fn an_image_is_answered_with_class_confidence_and_model() {
    let server = Server::start(&[]);
    let image = picture("png_rgb.png");
    let answer = server.predict(&image);
    assert_eq!(answer.status, 200, "{answer:?}");

    let expected = Classifier::open(&data("tiny.onnx"), &ClassifierOptions::default())
        .unwrap()
        .classify(&image)
        .unwrap();
    let body = answer.json();
    assert_eq!(body["class"], "non_defect");
    assert_eq!(body["confidence"], body["probabilities"]["non_defect"]);
    let defect = body["probabilities"]["defect"].as_f64().unwrap();
    assert!((defect - f64::from(expected.probabilities[0])).abs() < 1e-6);
    assert_eq!(body["model"]["name"], "sdd-tiny");
    assert_eq!(body["model"]["version"], "0.1.0");
    assert!(body.get("drift").is_none(), "no reference, no drift");
}

#[test]
fn other_fields_and_any_order_of_parts_are_fine() {
    let server = Server::start(&[]);
    let image = picture("jpeg_gray.jpg");
    let body = multipart(&[
        ("comment", None, b"line 3"),
        ("file", None, &image),
        ("empty", Some("text/plain"), b""),
    ]);
    assert_eq!(server.post_form("/predict", &body).status, 200);
}

#[test]
fn a_reference_adds_the_drift_score_and_the_neighbors() {
    let folder = tempfile::tempdir().unwrap();
    let reference = folder.path().join("reference");
    store::write(&reference, None);
    let reference = reference.to_str().unwrap();
    let server = Server::start(&["--reference", reference, "--neighbors", "2"]);

    // An image of the reference is its own nearest neighbor.
    let (id, label) = store::IMAGES[3];
    let answer = server.predict(&picture(id));
    assert_eq!(answer.status, 200, "{answer:?}");
    let drift = &answer.json()["drift"];
    let neighbors = drift["neighbors"].as_array().unwrap();
    assert_eq!(neighbors.len(), 2);
    assert_eq!(neighbors[0]["id"], id);
    assert_eq!(neighbors[0]["label"], label);
    assert!(neighbors[0]["distance"].as_f64().unwrap() < 1e-3);
    assert!(neighbors[0]["distance"].as_f64() <= neighbors[1]["distance"].as_f64());
    assert_eq!(drift["method"], "knn");
    let p = drift["p_value"].as_f64().unwrap();
    assert!(p > 0.0 && p <= 1.0);
    // Calibrated at 0.25 with four images: p takes the values 0.2, 0.4 ... 1.
    assert_eq!(drift["out_of_distribution"], p <= 0.25);
    let strange = drift["score"].as_f64() > drift["threshold"].as_f64();
    assert_eq!(drift["out_of_distribution"], strange);
}

#[test]
fn a_reference_of_another_model_is_refused_naming_both() {
    let folder = tempfile::tempdir().unwrap();
    let reference = folder.path().join("reference");
    store::write(&reference, Some(&"ab".repeat(32)));
    let (code, said) = refusal(&["--reference", reference.to_str().unwrap()]);
    assert_eq!(code, Some(2));
    assert!(said.contains("tiny-of-the-store") && said.contains("sdd-tiny"), "{said}");
    assert!(said.contains("abab"), "{said}");
}

/// A model of the same name and dimension, as the same network in another precision would be.
#[test]
fn a_reference_of_a_model_of_the_same_name_is_refused_and_both_files_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let (reference, other) = (folder.path().join("reference"), folder.path().join("int8.onnx"));
    store::write(&reference, None);
    let built_with = std::fs::read(data("tiny.onnx")).unwrap();
    // The graph's `doc_string`: field 6 of the model, a text of four bytes.
    std::fs::write(&other, [built_with.as_slice(), b"\x32\x04int8"].concat()).unwrap();
    let sha256 = |path| {
        let opened = Classifier::open(path, &ClassifierOptions::default()).unwrap();
        opened.sha256().to_owned()
    };
    let arguments =
        ["--reference", reference.to_str().unwrap(), "--model", other.to_str().unwrap()];
    let (code, said) = refusal(&arguments);
    assert_eq!(code, Some(2));
    for part in [&sha256(&data("tiny.onnx")), &sha256(&other), "drift-index build --model"] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn a_named_reference_has_to_be_there() {
    let (code, said) = refusal(&["--reference", "/nowhere/reference"]);
    assert_eq!(code, Some(2));
    assert!(said.contains("/nowhere/reference"), "{said}");
    assert_eq!(Server::start(&["--reference", "none"]).get("/readyz").status, 200);
}

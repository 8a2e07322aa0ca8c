//! The other ways to ask: raw bodies, several images, embeddings, the model's description, and the
//! headers of every answer.

use sdd_core::{Classifier, ClassifierOptions};

use crate::client::Client;
use crate::server::{FORM, Server, data, multipart, picture};

const AS_FORM: &[(&str, &str)] = &[("content-type", FORM)];

#[test]
fn an_image_can_be_the_body_itself() {
    let server = Server::start(&["--max-bytes", "20000"]);
    let mut client = Client::new(&server.address());
    let image = picture("png_rgb.png");
    let expected = client.predict(&image).unwrap().json();
    for kind in ["image/png", "Image/JPEG; q=1", "application/octet-stream"] {
        let answer = client.post("/predict", &[("content-type", kind)], &image).unwrap();
        assert_eq!((answer.status, answer.json()), (200, expected.clone()), "{kind}");
    }
    let mut refused = |kind: &str, body: &[u8]| {
        let answer = client.post("/predict", &[("content-type", kind)], body).unwrap();
        (answer.status, answer.code().to_owned())
    };
    assert_eq!(refused("image/png", b""), (400, "empty_file".into()));
    assert_eq!(refused("image/png", b"no image"), (400, "not_an_image".into()));
    assert_eq!(refused("image/png", &vec![7; 20_001]), (413, "too_large".into()));
    assert_eq!(refused("text/plain", &image), (415, "unsupported_media_type".into()));
}

#[test]
fn several_images_are_answered_in_their_order_each_with_its_own_error() {
    let server = Server::start(&["--max-images", "3", "--neighbors", "0"]);
    let mut client = Client::new(&server.address());
    let (first, second) = (picture("png_rgb.png"), picture("jpeg_gray.jpg"));
    let alone = [&first, &second].map(|image| client.predict(image).unwrap().json());

    let body = multipart(&[file(&first), file(b"no image"), file(&second), ("note", None, b"x")]);
    let answer = client.post("/predict/batch", AS_FORM, &body).unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    let body = answer.json();
    let predictions = body["predictions"].as_array().unwrap();
    assert_eq!(predictions.len(), 3);
    for (prediction, alone) in [&predictions[0], &predictions[2]].into_iter().zip(&alone) {
        assert_eq!(prediction["file"], "f");
        assert_eq!(prediction["class"], alone["class"]);
        assert_eq!(prediction["probabilities"], alone["probabilities"]);
        assert!(prediction.get("error").is_none());
    }
    assert_eq!(predictions[1]["error"]["code"], "not_an_image");
    assert!(predictions[1].get("class").is_none());
    assert_eq!(body["model"]["name"], "sdd-tiny");

    let none = multipart(&[file(b"no image"), file(&first[..first.len() / 2])]);
    let answer = client.post("/predict/batch", AS_FORM, &none).unwrap();
    assert_eq!((answer.status, answer.code()), (400, "not_an_image"));
    let message = answer.json()["error"]["message"].to_string();
    assert!(message.contains("image 0"), "{message}");
    let four = multipart(&[file(&first); 4]);
    let answer = client.post("/predict/batch", AS_FORM, &four).unwrap();
    assert_eq!((answer.status, answer.code()), (422, "too_many_files"));
    let answer = client.post("/predict/batch", AS_FORM, &multipart(&[])).unwrap();
    assert_eq!((answer.status, answer.code()), (422, "missing_file"));
}

#[test]
fn batches_of_the_model_answer_what_single_images_are_answered() {
    let single = Server::start(&["--max-images", "32"]);
    let batched = Server::start(&["--max-images", "32", "--max-batch", "4", "--workers", "2"]);
    let names = ["png_rgb.png", "jpeg_gray.jpg", "bmp_rgb.bmp", "webp_lossy.webp", "png_gray.png"];
    let pictures: Vec<_> = names.iter().cycle().take(20).map(|name| picture(name)).collect();
    let parts: Vec<_> = pictures.iter().map(|image| ("file", None, &image[..])).collect();
    let answers = [single, batched].map(|server| {
        let mut client = Client::new(&server.address());
        let answer = client.post("/predict/batch", AS_FORM, &multipart(&parts)).unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["predictions"].as_array().unwrap().clone()
    });
    assert_eq!(answers[0].len(), 20);
    for (single, batched) in answers[0].iter().zip(&answers[1]) {
        assert_eq!(single["class"], batched["class"]);
        let confidence = |answer: &serde_json::Value| answer["confidence"].as_f64().unwrap();
        assert!((confidence(single) - confidence(batched)).abs() < 1e-5);
    }
}

#[test]
fn embed_answers_the_models_embedding() {
    let server = Server::start(&[]);
    let image = picture("png_rgb.png");
    let mut client = Client::new(&server.address());
    let answer = client.post("/embed", &[("content-type", "image/png")], &image).unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    let expected = Classifier::open(&data("tiny.onnx"), &ClassifierOptions::default())
        .unwrap()
        .classify(&image)
        .unwrap();
    let body = answer.json();
    assert_eq!(body["dimension"], 16);
    let found: Vec<f32> = serde_json::from_value(body["embedding"].clone()).unwrap();
    assert_eq!(found, expected.embedding);
}

#[test]
fn the_model_describes_itself() {
    let server = Server::start(&[]);
    let answer = server.get("/v1/model");
    assert_eq!(answer.status, 200);
    let body = answer.json();
    let classifier = Classifier::open(&data("tiny.onnx"), &ClassifierOptions::default()).unwrap();
    assert_eq!(body["name"], "sdd-tiny");
    assert_eq!(body["sha256"], classifier.sha256());
    assert_eq!(body["provider"], "CPUExecutionProvider");
    assert_eq!(body["spec"]["labels"], serde_json::json!(["defect", "non_defect"]));
    assert!(body["reference"].is_null());
}

#[test]
fn every_answer_has_a_name_and_its_times() {
    let server = Server::start(&[]);
    let mut client = Client::new(&server.address());
    let image = picture("png_rgb.png");
    let headers = [("content-type", "image/png"), ("x-request-id", "part-17")];
    let answer = client.post("/predict", &headers, &image).unwrap();
    assert_eq!(answer.header("x-request-id"), Some("part-17"));
    let timing = answer.header("server-timing").unwrap();
    let stages: Vec<_> =
        timing.split(", ").map(|time| time.split_once(";dur=").unwrap().0).collect();
    assert_eq!(stages, ["read", "queue", "decode", "preprocess", "infer", "total"], "no reference");
    let lost = client.get("/nowhere").unwrap();
    assert_eq!(lost.header("x-request-id").unwrap().len(), 36);
    assert!(lost.header("server-timing").unwrap().starts_with("total;dur="));
    for bad in ["", "two words", &"x".repeat(129)] {
        let answer = server.get_with("/v1/model", &[("x-request-id", bad)]);
        assert_eq!(answer.header("x-request-id").unwrap().len(), 36, "a new one for {bad}");
    }
}

#[test]
fn a_client_can_ask_for_less_time() {
    let server = Server::start(&[]);
    let mut client = Client::new(&server.address());
    let image = picture("png_rgb.png");
    let mut ask = |timeout: &str| {
        let headers = [("content-type", "image/png"), ("x-request-timeout-ms", timeout)];
        let answer = client.post("/predict", &headers, &image).unwrap();
        (answer.status, answer.code().to_owned())
    };
    assert_eq!(ask("30000"), (200, "none".into()));
    assert_eq!(ask("4294967295"), (200, "none".into()), "the server's own limit is lower");
    for bad in ["soon", "0", "-1", "1.5", ""] {
        assert_eq!(ask(bad), (400, "invalid_header".into()), "{bad}");
    }
}

fn file(content: &[u8]) -> (&str, Option<&str>, &[u8]) {
    ("file", Some("image/png"), content)
}

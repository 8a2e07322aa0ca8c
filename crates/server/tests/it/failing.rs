//! A model that fails: with images of a kind, and for as long as they come.

use std::io::Cursor;

use image::{DynamicImage, GrayImage, ImageFormat, Luma};
use serde_json::{Value, json};

use crate::eventually::eventually;
use crate::exposition::Exposition;
use crate::server::{Server, command, data, multipart};
use crate::v2::INFER;

/// Serves a model that fails where a pixel is bright.
fn start(arguments: &[&str]) -> Server {
    let model = data("tiny_failing.onnx");
    Server::start_command(command().env("SDD_MODEL", model).args(arguments))
}

fn picture(gray: u8) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    let image = DynamicImage::from(GrayImage::from_pixel(24, 32, Luma([gray])));
    image.write_to(&mut file, ImageFormat::Png).unwrap();
    file.into_inner()
}

const GOOD: u8 = 100;
const BAD: u8 = 255;

#[test]
fn a_model_that_fails_again_and_again_is_not_ready_until_it_answers_a_trial() {
    for arguments in [&["--workers", "1"][..], &["--workers", "2", "--max-batch", "4"]] {
        let server = start(arguments);
        let ask = |gray| server.predict(&picture(gray));
        assert_eq!(ask(GOOD).status, 200);
        for _ in 0..5 {
            let answer = ask(BAD);
            assert_eq!((answer.status, answer.code()), (500, "internal"), "{answer:?}");
            assert_eq!(server.get("/readyz").status, 200);
        }
        // Half of them before there were new sessions, half of them after.
        server.wait_for("new sessions");
        let (last, next) = (ask(BAD), ask(GOOD));
        for answer in [&last, &next, &server.get("/readyz")] {
            assert_eq!((answer.status, answer.code()), (503, "engine_failing"), "{answer:?}");
            let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
            assert!((1..=5).contains(&seconds), "{seconds}");
        }
        assert_eq!(server.get("/v2/health/ready").status, 503);
        assert_eq!(server.get("/livez").status, 200, "it is not known that a restart would help");
        let numbers = Exposition::of(&server);
        assert_eq!(
            (numbers.number("sdd_ready"), numbers.number("sdd_failed_passes_total")),
            (0, 6)
        );
        eventually("a trial", || server.get("/readyz").status == 200);
        assert_eq!(ask(GOOD).status, 200);
    }
}

#[test]
fn after_a_trial_one_failure_is_enough() {
    let server = start(&["--workers", "2"]);
    let ask = |gray| server.predict(&picture(gray)).status;
    eventually("the failure", || ask(BAD) == 503);
    eventually("a trial", || server.get("/readyz").status == 200);
    assert_eq!((ask(BAD), server.get("/readyz").status), (503, 503));
}

#[test]
fn failures_between_answers_keep_nobody_from_being_answered() {
    let server = start(&["--workers", "1"]);
    for _ in 0..10 {
        assert_eq!(server.predict(&picture(BAD)).status, 500);
        assert_eq!(server.predict(&picture(BAD)).status, 500);
        assert_eq!(server.predict(&picture(GOOD)).status, 200);
    }
    assert_eq!(server.get("/readyz").status, 200);
}

/// Which images are in one pass is chance; so there are many.
#[test]
fn an_image_that_fails_costs_those_beside_it_nothing() {
    let server = start(&["--workers", "1", "--max-batch", "8", "--max-images", "24"]);
    let (good, bad) = (picture(GOOD), picture(BAD));
    for _ in 0..10 {
        let images: Vec<_> = (0..24).map(|at| if at % 8 == 3 { &bad[..] } else { &good }).collect();
        let parts: Vec<_> =
            images.iter().map(|image| ("file", Some("image/png"), *image)).collect();
        let answer = server.post_form("/predict/batch", &multipart(&parts));
        assert_eq!(answer.status, 200, "{answer:?}");
        for (at, item) in answer.json()["predictions"].as_array().unwrap().iter().enumerate() {
            let code = item["error"]["code"].as_str();
            assert_eq!(code, (at % 8 == 3).then_some("internal"), "{at}: {item}");
        }
    }
    assert_eq!(server.get("/readyz").status, 200);
}

/// A model whose answers to images are not finite, as those of a device that has gone wrong. What it says to a blank
/// tensor is.
fn start_without_numbers() -> (tempfile::TempDir, Server) {
    let model = std::fs::read(data("tiny.onnx")).unwrap();
    let begin = model.windows(2).position(|two| two == b"{\"").unwrap();
    let spec = serde_json::Deserializer::from_slice(&model[begin..]).into_iter::<Value>().next();
    let mut spec = spec.unwrap().unwrap();
    spec["preprocessing"]["std"] = json!([2e-38, 2e-38, 2e-38]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spec.json");
    std::fs::write(&path, spec.to_string()).unwrap();
    let server = Server::start(&["--workers", "1", "--model-spec", path.to_str().unwrap()]);
    (folder, server)
}

#[test]
fn a_model_without_an_answer_for_any_image_is_failing_and_strange_tensors_are_not_its_fault() {
    let (_folder, server) = start_without_numbers();
    let tensor = |value: f32| {
        let data = vec![value; 3 * 32 * 24];
        let input =
            json!({"name": "image", "shape": [1, 3, 32, 24], "datatype": "FP32", "data": data});
        server.post(INFER, &[], json!({"inputs": [input]}).to_string().as_bytes()).status
    };
    (0..20).for_each(|_| assert_eq!(tensor(3e38), 422));
    assert_eq!((tensor(0.0), server.get("/readyz").status), (200, 200));
    for _ in 0..6 {
        let answer = server.predict(&picture(BAD));
        assert_eq!((answer.status, answer.code()), (422, "unusable_output"), "{answer:?}");
    }
    let ready = server.get("/readyz");
    assert_eq!((ready.status, ready.code()), (503, "engine_failing"));
    assert_eq!(Exposition::of(&server).number("sdd_failed_passes_total"), 6);
}

#[test]
fn a_reload_is_a_new_beginning() {
    let server = start(&["--workers", "1"]);
    eventually("the failure", || server.predict(&picture(BAD)).status == 503);
    assert_eq!(server.administer("/admin/reload").status, 200);
    assert_eq!(server.get("/readyz").status, 200);
    assert_eq!(server.predict(&picture(GOOD)).status, 200);
}

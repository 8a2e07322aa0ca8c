//! The Open Inference Protocol v2.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sdd_core::{Classifier, ClassifierOptions};
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::server::{Server, data, picture};
use crate::store;

pub const MODEL: &str = "/v2/models/sdd-tiny";
pub const INFER: &str = "/v2/models/sdd-tiny/infer";
pub const HEADER_LENGTH: &str = "inference-header-content-length";

impl Answer {
    /// The message of a refusal with this status.
    pub fn refusal(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{self:?}");
        let json = self.json();
        assert_eq!(json.as_object().unwrap().len(), 1, "{json}");
        json["error"].as_str().unwrap().to_owned()
    }

    /// The output of a name, where all are JSON.
    pub fn output(&self, name: &str) -> Value {
        let json = self.json();
        assert_eq!(self.status, 200, "{json}");
        let outputs = json["outputs"].as_array().unwrap();
        outputs.iter().find(|output| output["name"] == name).unwrap().clone()
    }
}

/// JSON and the binary data that follows it.
pub fn post_binary(server: &Server, request: &Value, binary: &[u8]) -> Answer {
    let json = request.to_string();
    let body = [json.as_bytes(), binary].concat();
    server.post(INFER, &[(HEADER_LENGTH, &json.len().to_string())], &body)
}

pub fn post_json(server: &Server, request: &Value) -> Answer {
    server.post(INFER, &[], request.to_string().as_bytes())
}

/// A request with images in JSON.
pub fn images(names: &[&str]) -> Value {
    let encoded: Vec<_> = names.iter().map(|name| STANDARD.encode(picture(name))).collect();
    json!({"inputs": [{
        "name": "encoded_image", "shape": [names.len()], "datatype": "BYTES", "data": encoded,
    }]})
}

/// Images as binary data of BYTES.
pub fn elements(names: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for name in names {
        let image = picture(name);
        bytes.extend(u32::try_from(image.len()).unwrap().to_le_bytes());
        bytes.extend(image);
    }
    bytes
}

pub fn binary_input(name: &str, datatype: &str, shape: &Value, size: usize) -> Value {
    json!({"inputs": [{
        "name": name, "shape": shape, "datatype": datatype,
        "parameters": {"binary_data_size": size},
    }]})
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn tensor_of(name: &str) -> Vec<f32> {
    let classifier = Classifier::open(&data("tiny.onnx"), &ClassifierOptions::default()).unwrap();
    let mut reader = classifier.input_reader();
    let mut tensor = vec![0.0; reader.tensor_len()];
    reader.read(&picture(name), &mut tensor).unwrap();
    tensor
}

#[test]
fn server_and_model_tell_of_themselves() {
    let server = Server::start(&[]);
    let get = |path: &str| {
        let answer = server.get(path);
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.json()
    };
    assert_eq!(get("/v2")["name"], "sdd-server");
    assert!(get("/v2")["extensions"].as_array().unwrap().contains(&json!("binary_tensor_data")));
    assert_eq!(get("/v2/health/live"), json!({"live": true}));
    assert_eq!(get("/v2/health/ready"), json!({"ready": true}));
    assert_eq!(get("/v2/models/sdd-tiny/ready"), json!({"name": "sdd-tiny", "ready": true}));
    assert_eq!(get("/v2/models/sdd-tiny/versions/0.1.0/ready")["ready"], true);

    let model = get(MODEL);
    assert_eq!(model, get("/v2/models/sdd%2Dtiny/versions/0.1.0"));
    assert_eq!(model["versions"], json!(["0.1.0"]));
    assert_eq!(
        model["inputs"],
        json!([
            {"name": "image", "datatype": "FP32", "shape": [-1, 3, 32, 24]},
            {"name": "encoded_image", "datatype": "BYTES", "shape": [-1]},
        ])
    );
    assert_eq!(
        model["outputs"],
        json!([
            {"name": "probability", "datatype": "FP32", "shape": [-1, 2]},
            {"name": "embedding", "datatype": "FP32", "shape": [-1, 16]},
            {"name": "class", "datatype": "BYTES", "shape": [-1]},
            {"name": "confidence", "datatype": "FP32", "shape": [-1]},
        ])
    );
    let config = get("/v2/models/sdd-tiny/config");
    assert_eq!(config["max_batch_size"], 32);
    assert_eq!(config["input"][0]["dims"], json!([3, 32, 24]));
    let index = server.post("/v2/repository/index", &[], b"").json();
    assert_eq!(index[0]["name"], "sdd-tiny");
    assert_eq!(index[0]["state"], "READY");
}

#[test]
fn images_are_answered_as_by_predict_however_they_come() {
    let server = Server::start(&[]);
    let names = ["png_rgb.png", "jpeg_gray.jpg", "webp_lossless.webp"];
    let expected: Vec<_> = names.iter().map(|name| server.predict(&picture(name)).json()).collect();
    let check = |answer: &Answer, count: usize| {
        let json = answer.json();
        assert_eq!(
            (&json["model_name"], &json["model_version"]),
            (&json!("sdd-tiny"), &json!("0.1.0"))
        );
        let probability = answer.output("probability");
        assert_eq!(probability["shape"], json!([count, 2]));
        let expected = &expected[..count];
        let both: Vec<_> = expected
            .iter()
            .flat_map(|body| ["defect", "non_defect"].map(|label| &body["probabilities"][label]))
            .collect();
        assert_eq!(probability["data"], json!(both));
        let of = |field: &str| json!(expected.iter().map(|body| &body[field]).collect::<Vec<_>>());
        assert_eq!(answer.output("class")["data"], of("class"));
        assert_eq!(answer.output("confidence")["data"], of("confidence"));
        assert_eq!(answer.output("embedding")["shape"], json!([count, 16]));
    };
    check(&post_json(&server, &images(&names)), 3);
    let mut nested = images(&names);
    nested["inputs"][0]["shape"] = json!([3, 1]);
    let flat = nested["inputs"][0]["data"].as_array().unwrap().clone();
    nested["inputs"][0]["data"] =
        json!(flat.into_iter().map(|one| json!([one])).collect::<Vec<_>>());
    check(&post_json(&server, &nested), 3);
    for (name, shape) in [("encoded_image", json!([3])), ("image", json!([3, 1]))] {
        let binary = elements(&names);
        let request = binary_input(name, "BYTES", &shape, binary.len());
        check(&post_binary(&server, &request, &binary), 3);
    }
    // Triton's raw binary request.
    check(&server.post(INFER, &[(HEADER_LENGTH, "0")], &picture(names[0])), 1);
    let versioned = "/v2/models/sdd-tiny/versions/0.1.0/infer";
    check(&server.post(versioned, &[], images(&names[..2]).to_string().as_bytes()), 2);
}

#[test]
fn tensors_are_answered_as_their_images() {
    let server = Server::start(&[]);
    let names = ["png_rgb.png", "jpeg_rgb_444.jpg"];
    let expected = post_json(&server, &images(&names)).json();
    let tensor: Vec<f32> = names.iter().flat_map(|name| tensor_of(name)).collect();
    let shape = json!([2, 3, 32, 24]);
    let bytes: Vec<u8> = tensor.iter().flat_map(|value| value.to_le_bytes()).collect();
    let request = binary_input("image", "FP32", &shape, bytes.len());
    assert_eq!(post_binary(&server, &request, &bytes).json(), expected);

    let mut request = binary_input("image", "FP32", &shape, 0);
    request["inputs"][0]["parameters"] = Value::Null;
    request["inputs"][0]["data"] = json!(tensor);
    assert_eq!(post_json(&server, &request).json(), expected);
    let rows: Vec<_> = tensor.chunks(24).collect();
    request["inputs"][0]["data"] = json!(rows.chunks(32).collect::<Vec<_>>());
    assert_eq!(post_json(&server, &request).json(), expected);
}

#[test]
fn outputs_come_as_they_were_asked_for() {
    let server = Server::start(&[]);
    let mut request = images(&["png_rgb.png"]);
    request["id"] = json!("line-3/part 7");
    request["parameters"] = json!({"priority": 1, "anything": {"else": []}});
    request["outputs"] = json!([
        {"name": "class", "parameters": {"binary_data": true}},
        {"name": "confidence"},
        {"name": "embedding", "parameters": {"binary_data": true}},
        {"name": "probability", "parameters": {"classification": 9}},
    ]);
    let answer = post_json(&server, &request);
    assert_eq!(answer.status, 200, "{answer:?}");
    let length: usize = answer.header(HEADER_LENGTH).unwrap().parse().unwrap();
    let json: Value = serde_json::from_slice(&answer.body[..length]).unwrap();
    assert_eq!(json["id"], "line-3/part 7");
    let names: Vec<_> =
        json["outputs"].as_array().unwrap().iter().map(|output| &output["name"]).collect();
    assert_eq!(names, ["class", "confidence", "embedding", "probability"]);
    let binary = &answer.body[length..];
    assert_eq!(binary[..14], *b"\x0a\0\0\0non_defect");
    assert_eq!(json["outputs"][0]["parameters"]["binary_data_size"], 14);
    assert!(json["outputs"][0].get("data").is_none());
    assert_eq!(binary.len(), 14 + 16 * 4);
    let plain = post_json(&server, &images(&["png_rgb.png"]));
    let embedding = plain.output("embedding")["data"].clone();
    let embedding: Vec<f32> = serde_json::from_value(embedding).unwrap();
    let bytes: Vec<u8> = embedding.iter().flat_map(|value| value.to_le_bytes()).collect();
    assert_eq!(binary[14..], bytes);
    let classes = json["outputs"][3]["data"].as_array().unwrap();
    assert_eq!(json["outputs"][3]["shape"], json!([1, 2]));
    assert!(classes[0].as_str().unwrap().ends_with(":1:non_defect"), "{classes:?}");

    // All as binary data.
    let mut request = images(&["png_rgb.png"]);
    request["parameters"] = json!({"binary_data_output": true});
    let answer = post_json(&server, &request);
    let length: usize = answer.header(HEADER_LENGTH).unwrap().parse().unwrap();
    assert_eq!(answer.body.len() - length, 2 * 4 + 16 * 4 + 14 + 4);
    assert_eq!(answer.header("content-type"), Some("application/octet-stream"));
}

#[test]
fn a_reference_adds_the_drift_outputs() {
    let folder = tempfile::tempdir().unwrap();
    let reference = folder.path().join("reference");
    store::write(&reference, None);
    let server = Server::start(&["--reference", reference.to_str().unwrap()]);
    let image = "png_rgb.png";
    let drift = server.predict(&picture(image)).json()["drift"].clone();
    let answer = post_json(&server, &images(&[image]));
    assert_eq!(answer.output("drift_score")["data"], json!([drift["score"]]));
    assert_eq!(answer.output("drift_score")["datatype"], "FP64");
    assert_eq!(answer.output("p_value")["data"], json!([drift["p_value"]]));
    let strange = answer.output("out_of_distribution");
    assert_eq!(strange["data"], json!([drift["out_of_distribution"]]));
    assert_eq!(strange["datatype"], "BOOL");
}

#[test]
fn bodies_may_be_compressed_both_ways() {
    let server = Server::start(&[]);
    let plain = post_json(&server, &images(&["png_rgb.png"]));
    assert!(plain.header("content-encoding").is_none());
    let body = gzip(images(&["png_rgb.png"]).to_string().as_bytes());
    let headers = [("content-encoding", "gzip"), ("accept-encoding", "gzip")];
    let answer = server.post(INFER, &headers, &body);
    assert_eq!(answer.header("content-encoding"), Some("gzip"));
    let mut json = String::new();
    let mut decoder = flate2::read::GzDecoder::new(answer.body.as_slice());
    std::io::Read::read_to_string(&mut decoder, &mut json).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), plain.json());
    // As tools write it that compress in parallel: one member after the other.
    let text = images(&["png_rgb.png"]).to_string();
    let (half, rest) = text.as_bytes().split_at(text.len() / 2);
    let members = [gzip(half), gzip(rest)].concat();
    let answer = server.post(INFER, &[("content-encoding", "gzip")], &members);
    assert_eq!((answer.status, answer.json()), (200, plain.json()));
    // A refusal is for reading, whatever the client takes.
    let answer = server.post(INFER, &headers, &body[..body.len() / 2]);
    assert!(answer.refusal(400).contains("decompressed"));
}

#[test]
fn every_refusal_has_the_protocols_body() {
    let server = Server::start(&["--max-images", "2", "--max-bytes", "4000"]);
    let image = images(&["png_gray.png"]).to_string();
    let image = image.as_bytes();
    let unknown = server.post("/v2/models/other/infer", &[], image).refusal(404);
    assert!(unknown.contains("`other`") && unknown.contains("`sdd-tiny`"), "{unknown}");
    let version = server.post("/v2/models/sdd-tiny/versions/9/infer", &[], image);
    assert!(version.refusal(404).contains("`9`"));
    for path in ["/v2/models/other", "/v2/models/other/ready", "/v2/nothing", "/v2/models/%ff"] {
        let answer = server.get(path);
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.json()["error"].is_string(), "{path}: {answer:?}");
    }
    let answer = server.get(INFER);
    assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")));
    assert!(answer.json()["error"].is_string());
    server.post(INFER, &[("x-request-timeout-ms", "soon")], image).refusal(400);
    server.post(INFER, &[("content-encoding", "br")], image).refusal(415);
    server.post(INFER, &[(HEADER_LENGTH, "-1")], image).refusal(400);
    // Models are not loaded by this protocol, whose clients need no right to administer the server.
    server.post("/v2/repository/models/sdd-tiny/load", &[], b"{}").refusal(404);

    let late = json!({"inputs": images(&["png_gray.png"])["inputs"], "parameters": {"timeout": 1}});
    server.post(INFER, &[], late.to_string().as_bytes()).refusal(504);
    let many = images(&["png_gray.png"; 3]).to_string();
    assert!(server.post(INFER, &[], many.as_bytes()).refusal(400).contains('2'));
    let large = elements(&["jpeg_rgb_large.jpg"]);
    assert!(large.len() > 4004, "{}", large.len());
    let request = binary_input("image", "BYTES", &json!([1]), large.len());
    post_binary(&server, &request, &large).refusal(413);
    server.post(INFER, &[], &vec![b' '; 200_000]).refusal(413);

    let mut damaged = images(&["png_gray.png", "png_gray.png"]);
    damaged["inputs"][0]["data"][1] = json!("bm90IGFuIGltYWdl");
    let message = post_json(&server, &damaged).refusal(400);
    assert!(message.contains("image 1"), "{message}");
    assert_eq!(server.post(INFER, &[], image).status, 200);
}

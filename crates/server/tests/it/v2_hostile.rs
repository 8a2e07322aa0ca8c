//! Requests of the Open Inference Protocol that mean harm, or mean nothing.

use serde_json::json;

use crate::hostile::Random;
use crate::server::{Server, picture};
use crate::v2::{HEADER_LENGTH, INFER, binary_input, elements, gzip, images, post_binary};

#[test]
fn malformed_requests_are_refused_with_what_is_wrong() {
    let server = Server::start(&[]);
    let values: Vec<f32> = vec![0.5; 3 * 32 * 24];
    let tensor = json!({
        "inputs": [{"name": "image", "shape": [1, 3, 32, 24], "datatype": "FP32", "data": values}],
    });
    let encoded = images(&["png_gray.png"]);
    assert_eq!(server.post(INFER, &[], tensor.to_string().as_bytes()).status, 200);
    for (request, pointer, value, expected) in [
        (&tensor, "/inputs", json!([]), "exactly one"),
        (&tensor, "/inputs", json!([tensor["inputs"][0], encoded["inputs"][0]]), "exactly one"),
        (&tensor, "/inputs", json!([tensor["inputs"][0], tensor["inputs"][0]]), "exactly one"),
        (&tensor, "/inputs", json!(vec![&tensor["inputs"][0]; 20]), "at most 16"),
        (&tensor, "/inputs", json!(null), "an array"),
        (&tensor, "/inputs/0", json!(1), "InputTensor"),
        (&tensor, "/inputs/0/name", json!("pixels"), "`pixels`"),
        (&encoded, "/inputs/0/name", json!("pixels"), "`pixels`"),
        (&tensor, "/inputs/0/datatype", json!("FP16"), "FP16"),
        (&tensor, "/inputs/0/datatype", json!("BYTES"), "[1, 3, 32, 24]"),
        (&encoded, "/inputs/0/datatype", json!("FP32"), "encoded_image"),
        (&tensor, "/inputs/0/shape", json!([3, 32, 24]), "[N, 3, 32, 24]"),
        (&tensor, "/inputs/0/shape", json!([1, 3, 24, 32]), "[N, 3, 32, 24]"),
        (&tensor, "/inputs/0/shape", json!([-1, 3, 32, 24]), "-1"),
        (&tensor, "/inputs/0/shape", json!([0, 3, 32, 24]), "no element"),
        (&tensor, "/inputs/0/shape", json!([2, 3, 32, 24]), "4608"),
        (&tensor, "/inputs/0/shape", json!([u64::MAX, 3, 32, 24]), "at most"),
        (&encoded, "/inputs/0/shape", json!([u64::MAX]), "at most"),
        (&tensor, "/inputs/0/shape", json!([1.0, 3, 32, 24]), "floating point"),
        (&tensor, "/inputs/0/shape", json!(vec![1; 1000]), "at most 8"),
        (&tensor, "/inputs/0/data/7", json!("x"), "numbers"),
        (&tensor, "/inputs/0/data/7", json!(1e39), "value 7 of image 0"),
        (&tensor, "/inputs/0/data/7", json!([1, 1]), "more than"),
        (&tensor, "/inputs/0/data/7", json!(null), "null"),
        (&tensor, "/inputs/0/data/7", json!(true), "true"),
        (&tensor, "/inputs/0/data/7", json!({}), "found an object"),
        (&tensor, "/inputs/0/data", json!([]), "2304"),
        (&tensor, "/inputs/0/data", json!(null), "data"),
        (&encoded, "/inputs/0/data/0", json!(7), "base64"),
        (&encoded, "/inputs/0/data/0", json!("%%%"), "base64"),
        (&encoded, "/inputs/0/data/0", json!(""), "empty"),
        (&encoded, "/inputs/0/data", json!(["a", "b"]), "base64"),
    ] {
        let mut request = request.clone();
        *request.pointer_mut(pointer).unwrap() = value.clone();
        let message = server.post(INFER, &[], request.to_string().as_bytes()).refusal(400);
        assert!(message.contains(expected), "{pointer} = {value}: {message}");
    }
    for (field, value, expected) in [
        ("outputs", json!([{"name": "logits"}]), "`logits`"),
        ("outputs", json!([{"name": "class"}, {"name": "class"}]), "twice"),
        ("outputs", json!([{"name": "class", "parameters": {"classification": 1}}]), "no classes"),
        ("outputs", json!([{"name": "probability", "parameters": {"classification": -1}}]), "-1"),
        ("outputs", json!(vec![json!({"name": "class"}); 65]), "at most 64"),
        ("parameters", json!({"timeout": -5}), "-5"),
        ("parameters", json!([1, 2, 3, 4]), "parameters"),
        ("id", json!(7), "string"),
    ] {
        let mut request = encoded.clone();
        request[field] = value.clone();
        let answer = server.post(INFER, &[], request.to_string().as_bytes());
        let message = answer.refusal(400);
        assert!(message.contains(expected) || field == "parameters", "{value}: {message}");
    }
    let mut shared = encoded.clone();
    shared["inputs"][0]["parameters"] = json!({"shared_memory_region": "r"});
    let shared = server.post(INFER, &[], shared.to_string().as_bytes()).refusal(400);
    assert!(shared.contains("shared memory"), "{shared}");
    let [nan, huge, deep] = ["NaN", "1e999", &["[".repeat(5000), "]".repeat(5000)].join("1")]
        .map(|value| tensor.to_string().replacen("0.5", value, 1));
    let bad = ["", "{", "[]", "null", "\u{feff}{}", &nan, &huge, &deep, &"[".repeat(100_000)];
    for bad in bad {
        server.post(INFER, &[], bad.as_bytes()).refusal(400);
    }
}

#[test]
fn binary_data_that_does_not_fit_is_refused() {
    let server = Server::start(&[]);
    let image = elements(&["png_gray.png"]);
    let request = |size| binary_input("encoded_image", "BYTES", &json!([1]), size);
    assert_eq!(post_binary(&server, &request(image.len()), &image).status, 200);
    for (size, binary) in [
        (image.len(), &image[..image.len() - 1]),
        (image.len() - 1, &image[..image.len() - 1]),
        (image.len() - 1, &image),
        (usize::MAX, &image),
        (0, &[]),
        (3, &image[..3]),
        (4, &[255; 4]),
    ] {
        post_binary(&server, &request(size), binary).refusal(400);
    }
    let mut both = images(&["png_gray.png"]);
    both["inputs"][0]["parameters"] = json!({"binary_data_size": image.len()});
    post_binary(&server, &both, &image).refusal(400);
    post_binary(&server, &images(&["png_gray.png"]), &image).refusal(400);
    let tensor = |size| binary_input("image", "FP32", &json!([1, 3, 32, 24]), size);
    for size in [3 * 32 * 24 * 4 - 1, 3 * 32 * 24 * 4 + 4, 4] {
        let message = post_binary(&server, &tensor(size), &vec![0; size]).refusal(400);
        assert!(message.contains("9216"), "{message}");
    }
    let nan = vec![0xFF; 3 * 32 * 24 * 4];
    assert!(post_binary(&server, &tensor(nan.len()), &nan).refusal(400).contains("not finite"));
    let huge: Vec<u8> = (0..3 * 32 * 24).flat_map(|_| f32::MAX.to_le_bytes()).collect();
    let message = post_binary(&server, &tensor(huge.len()), &huge).refusal(422);
    assert!(message.contains("not usable for this input"), "{message}");
    for length in ["1", "99999999999", "18446744073709551616", "0x10", "1e2", "", "7 7"] {
        server.post(INFER, &[(HEADER_LENGTH, length)], &image).refusal(400);
    }
}

#[test]
fn random_damage_is_the_clients_fault() {
    let server = Server::start(&[]);
    let names = ["png_gray.png", "jpeg_gray.jpg"];
    let binary = elements(&names);
    let json = binary_input("image", "BYTES", &json!([2]), binary.len()).to_string();
    let whole = [json.as_bytes(), &binary].concat();
    let mut random = Random(4);
    let mut refused = 0;
    for round in 0..600 {
        let mut body = whole.clone();
        let mut length = json.len();
        match round % 3 {
            // The JSON, or the length of an element.
            0 => {
                for _ in 0..=random.below(3) {
                    let at = random.below(json.len() + 4);
                    body[at] = random.bytes(1)[0];
                }
            }
            1 => body.truncate(random.below(body.len())),
            _ => length = random.below(whole.len() * 2),
        }
        let answer = server.post(INFER, &[(HEADER_LENGTH, &length.to_string())], &body);
        assert!(answer.status < 500, "round {round}: {answer:?}");
        if answer.status != 200 {
            refused += 1;
            let json = answer.json();
            assert!(json["error"].is_string(), "round {round}: {json}");
        }
    }
    assert!(refused > 400, "only {refused} were refused");
    assert_eq!(server.predict(&picture("png_rgb.png")).status, 200);
}

#[test]
fn a_compressed_bomb_is_refused_before_it_fills_memory() {
    let server = Server::start(&["--max-bytes", "1000000"]);
    assert_eq!(server.predict(&picture("png_rgb.png")).status, 200);
    let bomb = gzip(&vec![b' '; 512 << 20]);
    assert!(bomb.len() < 4 << 20, "it is small to send: {} bytes", bomb.len());
    let before = server.memory_kib("VmHWM");
    for _ in 0..3 {
        let answer = server.post(INFER, &[("content-encoding", "gzip")], &bomb);
        assert!(answer.refusal(413).contains("limit"));
    }
    // Small members that together are too large, and more members than anybody needs.
    let members = gzip(&vec![b' '; 500_000]).repeat(1000);
    let answer = server.post(INFER, &[("content-encoding", "gzip")], &members);
    assert!(answer.refusal(413).contains("limit"));
    let answer = server.post(INFER, &[("content-encoding", "gzip")], &gzip(b"").repeat(5000));
    assert!(answer.refusal(400).contains("gzip members"));
    let grown = server.memory_kib("VmHWM") - before;
    assert!(grown < 40 << 10, "512 MiB decompressed, the server grew by {grown} KiB");
}

#[test]
fn without_memory_for_uploads_the_answer_is_to_come_back() {
    let server = Server::start(&["--max-upload-memory", "100000"]);
    let body = gzip(&vec![b' '; 150_000]);
    let answer = server.post(INFER, &[("content-encoding", "gzip")], &body);
    answer.refusal(503);
    assert_eq!(answer.header("retry-after"), Some("1"));
    let image = images(&["png_gray.png"]).to_string();
    assert_eq!(server.post(INFER, &[], image.as_bytes()).status, 200);
}

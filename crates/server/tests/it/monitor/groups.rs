//! Whose image is it: what clients say of groups and streams, and what the monitor makes of it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::{Watched, drift, observations, varied};
use crate::server::{FORM, multipart, picture};
use crate::socket::answer_to;

#[test]
fn groups_and_streams_come_by_field_by_header_and_by_parameter() {
    let watched = Watched::new();
    let server = watched.serve(&[]);
    let image = |seed| varied(&picture("png_rgb.png"), seed);
    let (first, second) = (image(1), image(2));

    let form = multipart(&[
        ("group", None, b" part 1 ".as_slice()),
        ("stream", None, b"left".as_slice()),
        ("file", Some("image/png"), &first),
    ]);
    let answer = server.post_form("/predict", &form).json();
    assert_eq!((&answer["group"], &answer["stream"]), (&json!("part 1"), &json!("left")));

    let form = multipart(&[
        ("group", None, b"part 2".as_slice()),
        ("file", Some("image/png"), &first),
        ("group", None, b"part 3".as_slice()),
        ("file", Some("image/png"), &second),
    ]);
    let answer = server.post_form("/predict/batch", &form).json();
    let groups: Vec<_> =
        answer["predictions"].as_array().unwrap().iter().map(|one| &one["group"]).collect();
    assert_eq!(groups, ["part 2", "part 3"]);

    // One field holds for all files, wherever it stands; of several, each for the files behind it.
    let file = ("file", Some("image/png"), &*first);
    let group = |name: &'static str| ("group", None, name.as_bytes());
    for (parts, expected) in [
        (vec![file, group("many a"), file], vec!["many a", "many a"]),
        (
            vec![group("many a"), file, file, group("many b"), file],
            vec!["many a", "many a", "many b"],
        ),
    ] {
        let body = multipart(&parts);
        let headers = [("content-type", FORM), ("x-stream", "left")];
        let answer = server.post("/predict/batch", &headers, &body).json();
        let found: Vec<_> = answer["predictions"].as_array().unwrap().iter().collect();
        assert!(found.iter().all(|one| one["stream"] == "left"), "{answer:#}");
        assert_eq!(found.iter().map(|one| &one["group"]).collect::<Vec<_>>(), expected);
    }

    // As many as a request may have images.
    let many: Vec<String> = (0..32).map(|part| format!("many {part}")).collect();
    let fields: Vec<_> = many
        .iter()
        .flat_map(|group| [("group", None, group.as_bytes()), ("file", Some("image/png"), &*first)])
        .collect();
    let answer = server.post_form("/predict/batch", &multipart(&fields)).json();
    assert_eq!(answer["predictions"][31]["group"], "many 31");

    let headers = [("content-type", "image/png"), ("x-group", "part 4"), ("x-stream", "right")];
    let answer = server.post("/predict", &headers, &second).json();
    assert_eq!((&answer["group"], &answer["stream"]), (&json!("part 4"), &json!("right")));

    let data = STANDARD.encode(&first);
    let body = json!({
        "parameters": {"group": "part 5", "stream": "right"},
        "inputs": [{"name": "encoded_image", "shape": [1], "datatype": "BYTES", "data": [data]}],
    });
    let path = crate::v2::INFER;
    let headers = [("content-type", "application/json")];
    assert_eq!(server.post(path, &headers, body.to_string().as_bytes()).status, 200);

    let seen: Vec<_> = observations(&server, 100)
        .into_iter()
        .filter(|one| !one["group"].as_str().unwrap().starts_with("many"))
        .map(|one| (one["group"].clone(), one["stream"].clone()))
        .collect();
    let expected = [
        (json!("part 5"), json!("right")),
        (json!("part 4"), json!("right")),
        (json!("part 3"), json!(null)),
        (json!("part 2"), json!(null)),
        (json!("part 1"), json!("left")),
    ];
    assert_eq!(seen, expected);
    let report = drift(&server);
    let streams: Vec<_> = report["streams"].as_array().unwrap().iter().collect();
    assert_eq!(streams.len(), 3, "{report:#}");
    assert_eq!((&streams[2]["stream"], &streams[2]["groups"]), (&json!("right"), &json!(1)));
    assert_eq!(streams[2]["open_group"], "part 5");
}

#[test]
fn names_that_are_none_are_refused() {
    let watched = Watched::new();
    let server = watched.serve(&[]);
    let image = picture("png_rgb.png");
    for group in [&[b'x'; 101][..], b"a\nb", &[0xff]] {
        let parts = [("group", None, group), ("file", Some("image/png"), &image)];
        let answer = server.post_form("/predict", &multipart(&parts));
        assert_eq!(
            (answer.status, answer.json()["error"]["code"].clone()),
            (422, json!("invalid_field"))
        );
    }
    let long = "x".repeat(101);
    let headers = [("content-type", "image/png"), ("x-group", &*long)];
    let answer = server.post("/predict", &headers, &image);
    assert_eq!(
        (answer.status, answer.json()["error"]["code"].clone()),
        (400, json!("invalid_header"))
    );
    // What is wrong with a header is said before the body has come.
    for path in ["/predict", crate::v2::INFER] {
        for name in ["x-group", "x-stream"] {
            let head = format!(
                "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n{name}: {long}\r\n\
                 Content-Length: 1000\r\n\r\n"
            );
            let answer = answer_to(&server, head.as_bytes());
            assert_eq!(answer.status, 400, "{path} {name}: {answer:?}");
        }
    }
    // Of two names nobody knows which is meant; the same twice is one.
    for name in ["x-group", "x-stream"] {
        for (second, status) in [("b", 400), ("a", 200)] {
            let headers = [("content-type", "image/png"), (name, "a"), (name, second)];
            let answer = server.post("/predict", &headers, &image);
            assert_eq!(answer.status, status, "{name} {second}: {answer:?}");
        }
    }
    let longest = "ä".repeat(100);
    let parts = [("group", None, longest.as_bytes()), ("file", Some("image/png"), &image)];
    assert_eq!(server.post_form("/predict", &multipart(&parts)).json()["group"], longest);
    // None at all is an image of a block.
    let parts = [("group", None, b"".as_slice()), ("file", Some("image/png"), &image)];
    let answer = server.post_form("/predict", &multipart(&parts)).json();
    assert_eq!(answer.get("group"), None);
}

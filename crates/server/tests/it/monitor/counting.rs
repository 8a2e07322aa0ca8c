//! Nothing that was answered is lost.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use super::{Watched, drift, images_ever, observations};
use crate::client::Client;
use crate::eventually::eventually;
use crate::server::{multipart, picture};
use crate::v2;

#[test]
fn what_was_answered_is_there_after_a_kill() {
    const CLIENTS: usize = 4;
    let watched = Watched::new();
    let image = picture("png_rgb.png");
    let mut answered = BTreeSet::new();
    for round in 0..3 {
        let server = watched.serve(&[]);
        assert!(images_ever(&server) >= answered.len() as u64);
        let count = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            let clients: Vec<_> = (0..CLIENTS)
                .map(|client| {
                    let (address, image, count) = (server.address(), &image, &count);
                    scope.spawn(move || {
                        let (mut client_of, mut ids) = (Client::new(&address), Vec::new());
                        loop {
                            let id = format!("{round}-{client}-{}", ids.len());
                            let headers =
                                [("content-type", "image/png"), ("x-request-id", id.as_str())];
                            match client_of.post("/predict", &headers, image) {
                                Ok(answer) => assert_eq!(answer.status, 200, "{answer:?}"),
                                Err(_) => return ids,
                            }
                            ids.push(id);
                            count.fetch_add(1, Ordering::Relaxed);
                        }
                    })
                })
                .collect();
            eventually("some answers", || count.load(Ordering::Relaxed) > 60);
            server.signal("-KILL");
            for client in clients {
                answered.extend(client.join().unwrap());
            }
        });
    }
    let server = watched.serve(&[]);
    let all = observations(&server, 100);
    let ids: BTreeSet<String> =
        all.iter().map(|one| one["request_id"].as_str().unwrap().to_owned()).collect();
    let lost: Vec<_> = answered.difference(&ids).collect();
    assert!(lost.is_empty(), "{lost:?}");
    // What was written, and killed before it was answered.
    assert!(ids.len() - answered.len() <= 3 * CLIENTS, "{} {}", ids.len(), answered.len());
    assert_eq!(ids.len(), all.len(), "each once");
    let sequences: Vec<u64> = all.iter().map(|one| one["sequence"].as_u64().unwrap()).collect();
    assert!(sequences.iter().rev().copied().eq(1..=all.len() as u64));
    assert_eq!(images_ever(&server), all.len() as u64);
}

#[test]
fn predictions_count_by_whichever_path_they_come_and_embeddings_do_not() {
    let watched = Watched::new();
    let server = watched.serve(&[]);
    let image = picture("png_rgb.png");
    let expected =
        server.post("/predict", &[("content-type", "image/png"), ("x-request-id", "one")], &image);
    let batch =
        multipart(&[("file", None, &image), ("file", None, b"no image"), ("file", None, &image)]);
    assert_eq!(server.post_form("/predict/batch", &batch).status, 200);
    let request = v2::images(&["png_rgb.png"]).to_string();
    assert_eq!(server.post("/v2/models/sdd-tiny/infer", &[], request.as_bytes()).status, 200);
    assert_eq!(server.post("/embed", &[("content-type", "image/png")], &image).status, 200);
    assert_eq!(server.predict(b"no image").status, 400);
    assert_eq!(images_ever(&server), 4);

    let all = observations(&server, 3);
    assert_eq!(all.len(), 4);
    let (first, answer) = (&all[3], expected.json());
    assert_eq!((&first["sequence"], &first["request_id"]), (&json!(1), &json!("one")));
    assert_eq!(first["predicted_class"], answer["class"]);
    for field in ["score", "p_value", "out_of_distribution", "neighbors"] {
        assert_eq!(first[field], answer["drift"][field], "{field}");
    }
    assert_eq!(first["image_sha256"], json!(null));
    for query in ["limit=0", "limit=1001", "limit=x", "before=-1", "since=3"] {
        let answer = server.get(&format!("/drift/observations?{query}"));
        assert_eq!((answer.status, answer.code()), (400, "invalid_query"), "{query}");
    }
}

#[test]
fn a_captured_image_is_found_by_its_sha256() {
    let watched = Watched::new();
    let capture = watched.folder.path().join("capture");
    let server = watched.serve(&["--capture", capture.to_str().unwrap()]);
    assert_eq!(server.predict(&picture("png_rgb.png")).status, 200);
    let sha256 = observations(&server, 1)[0]["image_sha256"].as_str().unwrap().to_owned();
    let file = capture.join("images").join(&sha256[..2]).join(format!("{sha256}.png"));
    eventually("the captured image", || file.exists());
}

/// All images of a request under `/v2` are answered or none, and so it is with what is kept of them.
#[test]
fn what_is_captured_and_what_is_remembered_is_the_same() {
    let watched = Watched::new();
    let capture = watched.folder.path().join("capture");
    let server = watched.serve(&["--workers", "1", "--capture", capture.to_str().unwrap()]);
    let damaged = picture("png_rgb.png")[..60].to_vec();
    let [sound, other] = ["png_rgb.png", "jpeg_rgb_444.jpg"].map(picture);
    let infer = |images: [&[u8]; 2]| {
        let elements = images
            .map(|image| [&u32::try_from(image.len()).unwrap().to_le_bytes()[..], image].concat());
        let binary = elements.concat();
        let request = v2::binary_input("encoded_image", "BYTES", &json!([2]), binary.len());
        v2::post_binary(&server, &request, &binary).status
    };
    assert_eq!(infer([&sound, &damaged]), 400);
    assert_eq!(infer([&damaged, &sound]), 400);
    assert_eq!(images_ever(&server), 0);
    assert_eq!(infer([&sound, &other]), 200);
    assert_eq!(images_ever(&server), 2);
    server.stop();
    let files = std::fs::read_dir(&capture).unwrap().map(|file| file.unwrap().path());
    let records: String = files
        .filter(|file| file.extension().is_some_and(|end| end == "jsonl"))
        .map(|file| std::fs::read_to_string(file).unwrap())
        .collect();
    assert_eq!(records.lines().count(), 2, "{records}");
}

#[test]
fn requests_at_once_are_counted_each_and_a_stop_loses_none() {
    let watched = Watched::new();
    let image = picture("png_rgb.png");
    let server = watched.serve(&[]);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let (address, image) = (server.address(), &image);
            scope.spawn(move || {
                let mut client = Client::new(&address);
                for _ in 0..25 {
                    assert_eq!(client.predict(image).unwrap().status, 200);
                }
            });
        }
    });
    let recording = drift(&server)["recording"].clone();
    assert_eq!(
        (&recording["available"], &recording["unrecorded_images"]),
        (&json!(true), &json!(0))
    );
    server.stop();
    let server = watched.serve(&[]);
    assert_eq!(images_ever(&server), 100);
}

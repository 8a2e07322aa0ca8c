//! `--capture`: what is kept, for how long, and that no request hears of what goes wrong.

mod faults;
mod retention;
mod selection;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::server::{Server, multipart, picture};
use crate::{store, v2};

/// A server that keeps its uploads in `folder`.
fn start(folder: &Path, arguments: &[&str]) -> Server {
    Server::start(&[&["--capture", folder.to_str().unwrap()], arguments].concat())
}

/// All that were written down, oldest first. Each line has to be whole.
fn records(folder: &Path) -> Vec<Value> {
    let mut days: Vec<PathBuf> = entries(folder);
    days.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    days.sort();
    let text: String = days.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    assert!(text.is_empty() || text.ends_with('\n'), "{text}");
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The images by their SHA-256. Each has to be what its name says.
fn images(folder: &Path) -> BTreeMap<String, PathBuf> {
    let shards = entries(&folder.join("images"));
    let files = shards.iter().flat_map(|shard| entries(shard));
    files
        .map(|path| {
            let sha256 = sha256(&fs::read(&path).unwrap());
            assert_eq!(path.file_stem().unwrap().to_str(), Some(sha256.as_str()));
            assert_eq!(path.parent().unwrap().file_name().unwrap().to_str(), Some(&sha256[..2]));
            (sha256, path)
        })
        .collect()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

fn sha256(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

/// Pictures that differ from each other in no more than their SHA-256.
fn variants(count: usize) -> Vec<Vec<u8>> {
    let image = picture("png_rgb.png");
    // Behind the end of the image, which decoders do not look at.
    (0..count).map(|number| [image.as_slice(), &number.to_le_bytes()].concat()).collect()
}

fn reasons(record: &Value) -> Vec<&str> {
    record["reasons"].as_array().unwrap().iter().map(|reason| reason.as_str().unwrap()).collect()
}

#[test]
fn an_answer_is_written_down_with_its_image() {
    let temporary = tempfile::tempdir().unwrap();
    let (folder, reference) = (temporary.path().join("a/capture"), temporary.path().join("r"));
    store::write(&reference, None);
    let server = start(&folder, &["--reference", reference.to_str().unwrap()]);
    let image = picture("jpeg_rgb_444.jpg");
    let answer = server.predict(&image);
    assert_eq!(answer.status, 200, "{answer:?}");
    let model = server.get("/v1/model").json();
    server.stop();

    let records = records(&folder);
    let [record] = records.as_slice() else { panic!("{records:#?}") };
    assert_eq!(record["format_version"], 1);
    assert_eq!(record["request_id"], answer.header("x-request-id").unwrap());
    let answer = answer.json();
    for field in ["class", "confidence", "probabilities", "drift"] {
        assert_eq!(record[field], answer[field], "{field}");
    }
    for field in ["name", "version", "sha256"] {
        assert_eq!(record["model"][field], model[field], "{field}");
    }
    assert_eq!(reasons(record)[0], "sample");
    let time = record["time"].as_str().unwrap();
    let day = format!("predictions-{}.jsonl", &time[..10]);
    assert!(time.ends_with('Z') && folder.join(&day).exists(), "{time}");

    let path = record["image"]["path"].as_str().unwrap();
    assert_eq!(path, format!("images/{}/{}.jpg", &sha256(&image)[..2], sha256(&image)));
    assert_eq!(fs::read(folder.join(path)).unwrap(), image);
    assert_eq!(record["image"]["sha256"], sha256(&image));
    assert_eq!(record["image"]["bytes"], image.len());
}

#[test]
fn an_image_is_kept_once_named_by_its_content_and_a_restart_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let names = [
        ("png_rgb.png", "png"),
        ("bmp_rgb.bmp", "bmp"),
        ("tiff_rgb.tiff", "tiff"),
        ("webp_lossy.webp", "webp"),
        ("jpeg_gray.jpg", "jpg"),
    ];
    for round in 1..=2 {
        let server = start(folder.path(), &[]);
        // As image/png, whatever they are.
        for (name, _) in names {
            assert_eq!(server.predict(&picture(name)).status, 200);
        }
        server.stop();
        assert_eq!(records(folder.path()).len(), names.len() * round);
    }
    let images = images(folder.path());
    assert_eq!(images.len(), names.len());
    for (name, extension) in names {
        let path = &images[&sha256(&picture(name))];
        assert_eq!(path.extension().unwrap().to_str(), Some(extension));
    }
}

#[test]
fn a_batch_is_kept_without_what_was_not_answered_and_embeddings_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), &[]);
    let post = |path: &str, body: &[u8]| server.post_form(path, body).status;
    let (png, bmp) = (picture("png_rgb.png"), picture("bmp_rgb.bmp"));
    let file = |image| ("file", Some("image/png"), image);
    let body = multipart(&[file(png.as_slice()), file(b"no image"), file(&bmp)]);
    assert_eq!(post("/predict/batch", &body), 200);
    assert_eq!(post("/embed", &multipart(&[file(&picture("jpeg_gray.jpg"))])), 200);
    assert_eq!(server.predict(b"no image").status, 400);
    server.stop();
    let records = records(folder.path());
    assert_eq!(records.len(), 2);
    assert_eq!(records[0]["request_id"], records[1]["request_id"]);
    let kept: Vec<String> = images(folder.path()).into_keys().collect();
    let mut expected = [sha256(&png), sha256(&bmp)];
    expected.sort();
    assert_eq!(kept, expected);
}

#[test]
fn encoded_images_of_the_inference_protocol_are_kept_and_tensors_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), &[]);
    let names = ["png_rgb.png", "jpeg_gray.jpg"];
    let values = vec![0.5; 3 * 32 * 24];
    let input = json!({
        "name": "image", "shape": [1, 3, 32, 24], "datatype": "FP32", "data": values,
    });
    let headers = [("x-request-id", "of-the-protocol")];
    for request in [json!({"inputs": [input]}), v2::images(&names)] {
        let answer = server.post(v2::INFER, &headers, request.to_string().as_bytes());
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let binary = v2::elements(&["bmp_rgb.bmp"]);
    let request = v2::binary_input("encoded_image", "BYTES", &json!([1]), binary.len());
    assert_eq!(v2::post_binary(&server, &request, &binary).status, 200);
    server.stop();

    let records = records(folder.path());
    let ids: Vec<_> = records.iter().map(|record| record["request_id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 3, "{records:#?}");
    assert_eq!(ids[..2], ["of-the-protocol"; 2]);
    let kept: Vec<String> = images(folder.path()).into_keys().collect();
    let sent = [names[0], names[1], "bmp_rgb.bmp"];
    let mut expected = sent.map(|name| sha256(&picture(name)));
    expected.sort();
    assert_eq!(kept, expected);
}

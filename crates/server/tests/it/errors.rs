//! What a client is told: status and stable code for everything that can be wrong with a request.

use std::io::{BufReader, Write};
use std::net::Shutdown;

use crate::answer::Answer;
use crate::server::{FORM, Server, multipart, picture, refusal};
use crate::socket::{answer, answer_to, connect};

fn assert_refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status, answer.code()), (status, code), "{answer:?}");
    let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.len() > 20, "a message that helps: {message}");
}

#[test]
fn every_fault_of_an_upload_has_its_code() {
    let server = Server::start(&["--max-bytes", "20000", "--max-pixels", "4000"]);
    let image = picture("png_gray.png");
    let post = |body: &[u8]| server.post_form("/predict", body);
    let post_as = |kind, body: &[u8]| server.post("/predict", &[("content-type", kind)], body);
    let file =
        |content_type, content: &[u8]| post(&multipart(&[("file", Some(content_type), content)]));

    let missing = post(&multipart(&[("image", Some("image/png"), &image)]));
    assert_refused(&missing, 422, "missing_file");
    assert_eq!(missing.json()["detail"][0]["loc"], serde_json::json!(["body", "file"]));
    assert_eq!(missing.json()["detail"][0]["type"], "missing");

    assert_refused(&post(&multipart(&[])), 422, "missing_file");
    let twice = multipart(&[("file", None, &image), ("file", None, &image)]);
    assert_refused(&post(&twice), 422, "too_many_files");
    assert_refused(&file("image/png", b""), 400, "empty_file");
    assert_refused(&file("image/png", b"not an image at all"), 400, "not_an_image");
    assert_refused(&file("image/png", &image[..image.len() / 2]), 400, "damaged_image");
    assert_refused(&file("text/plain", b"not an image at all"), 415, "unsupported_media_type");
    assert_refused(&file("image/gif", b"GIF89a\x01\0\x01\0\0\0\0;"), 415, "unsupported_image");
    assert_refused(&file("image/png", &vec![7; 20_001]), 413, "too_large");
    assert_refused(&file("image/png", &vec![7; 500_000]), 413, "too_large");
    // 61 x 97 pixels.
    let large = picture("jpeg_rgb_large.jpg");
    assert_refused(&file("image/jpeg", &large), 413, "too_many_pixels");
    let twelve_bits = picture("../formats/png_12_in_16.png");
    let answer = file("image/png", &twelve_bits);
    assert_refused(&answer, 422, "ambiguous_bit_depth");
    assert!(
        answer.json()["error"]["message"].as_str().unwrap().contains("bit_depth"),
        "{answer:?}"
    );
    let compressed = [("content-type", "image/png"), ("content-encoding", "gzip")];
    let answer = server.post("/predict", &compressed, &image);
    assert_refused(&answer, 415, "unsupported_encoding");
    // The content decides: a picture sent under a wrong type is a picture.
    assert_eq!(file("text/plain", &image).status, 200);

    assert_refused(&post_as("application/json", b"{}"), 415, "unsupported_media_type");
    assert_refused(&post_as("multipart/form-data", b"x"), 400, "malformed_multipart");
    assert_refused(&post(b"no boundary here"), 400, "malformed_multipart");
    let whole = multipart(&[("file", None, &image)]);
    assert_refused(&post(&whole[..whole.len() / 2]), 400, "malformed_multipart");
    let parts: Vec<_> = (0..40).map(|_| ("x", None, &b"1"[..])).collect();
    assert_refused(&post(&multipart(&parts)), 422, "too_many_fields");

    // After all that, a good request is answered.
    assert_eq!(server.predict(&image).status, 200);
}

#[test]
fn a_body_that_breaks_off_is_told_in_words_to_act_on() {
    let server = Server::start(&[]);
    let form = multipart(&[("file", None, &picture("png_rgb.png"))]);
    for (kind, code) in [(FORM, "malformed_multipart"), ("image/png", "malformed_body")] {
        for (length, body, is_over, words) in [
            ("Content-Length: 5000", &form[..100], true, "ended before all of it had come"),
            ("Transfer-Encoding: chunked", b"9\r\nab", true, "ended before all of it had come"),
            ("Transfer-Encoding: chunked", b"zz\r\nab", false, "its chunks"),
        ] {
            let head = format!(
                "POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\n{length}\r\n\r\n"
            );
            let mut connection = connect(&server);
            connection.write_all(&[head.as_bytes(), body].concat()).unwrap();
            if is_over {
                connection.shutdown(Shutdown::Write).unwrap();
            }
            let answer = answer(&mut BufReader::new(connection));
            assert_refused(&answer, 400, code);
            assert!(answer.text().contains(words), "{length}: {answer:?}");
        }
    }
}

#[test]
fn a_request_to_a_proxy_is_told_that_this_is_none() {
    let server = Server::start(&[]);
    let answer = answer_to(&server, b"CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n");
    assert_refused(&answer, 400, "not_supported");
    assert!(answer.text().contains("no proxy"), "{answer:?}");
}

#[test]
fn memory_for_uploads_in_which_nothing_fits_is_refused_at_the_start() {
    let (code, said) = refusal(&["--max-upload-memory", "1"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("--max-upload-memory") && said.contains("65536"), "{said}");
    let server = Server::start(&["--max-upload-memory", "65536"]);
    assert_eq!(server.predict(&picture("png_rgb.png")).status, 200);
}

#[test]
fn paths_and_methods() {
    let server = Server::start(&[]);
    assert_refused(&server.get("/nowhere"), 404, "not_found");
    let answer = server.get("/predict");
    assert_refused(&answer, 405, "method_not_allowed");
    assert_eq!(answer.header("allow"), Some("POST"));
    assert_eq!(server.get("/healthz").json()["status"], "ok");
    assert_eq!(server.get("/readyz").json()["status"], "ready");
}

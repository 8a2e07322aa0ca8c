//! `GET /metrics`: numbers that move as things happen.

use serde_json::json;

use crate::eventually::eventually;
use crate::exposition::Exposition;
use crate::hold::Hold;
use crate::leaving;
use crate::server::{Server, command, data, multipart, picture};
use crate::{store, v2};

fn requests(numbers: &Exposition, route: &str, method: &str, status: &str, error: &str) -> f64 {
    let labels = [("route", route), ("method", method), ("status", status), ("error", error)];
    numbers.value("sdd_http_requests_total", &labels).unwrap_or(0.0)
}

fn assert_counts(found: Option<f64>, expected: u32, what: &str) {
    assert_eq!(found.map(f64::to_bits), Some(f64::from(expected).to_bits()), "{what}: {found:?}");
}

#[test]
fn requests_are_counted_by_route_method_status_and_code() {
    let server = Server::start(&["--max-upload-memory", "100000"]);
    let image = picture("png_rgb.png");
    for _ in 0..3 {
        assert_eq!(server.predict(&image).status, 200);
    }
    assert_eq!(server.predict(b"not an image at all").code(), "not_an_image");
    // More than there is memory for at all.
    assert_eq!(server.predict(&vec![7; 200_000]).code(), "too_large");
    assert_eq!(server.get("/predict").status, 405);
    for path in ["/nowhere", "/predict/x/y?z=1", "/%22%0a%7b"] {
        assert_eq!(server.get(path).status, 404);
    }
    let numbers = Exposition::of(&server);
    for (route, method, status, error, expected) in [
        ("/predict", "POST", "200", "", 3),
        ("/predict", "POST", "400", "not_an_image", 1),
        ("/predict", "POST", "413", "too_large", 1),
        ("/predict", "GET", "405", "method_not_allowed", 1),
        ("unmatched", "GET", "404", "not_found", 3),
    ] {
        let found = requests(&numbers, route, method, status, error);
        assert_counts(Some(found), expected, &format!("{route} {status}"));
    }
    let images = [("class", "non_defect"), ("out_of_distribution", "unknown")];
    assert_counts(numbers.value("sdd_images_total", &images), 3, "images");
    let refused = numbers.value("sdd_image_errors_total", &[("error", "not_an_image")]);
    assert_counts(refused, 1, "refused images");
    let bytes = u32::try_from(3 * image.len() + 19).unwrap();
    assert_counts(numbers.value("sdd_upload_bytes_total", &[]), bytes, "bytes");
    assert_counts(numbers.value("sdd_upload_memory_limit_bytes", &[]), 100_000, "limit");
    assert_counts(numbers.value("sdd_upload_memory_used_bytes", &[]), 0, "all given back");
    assert_counts(numbers.value("sdd_admitted_images", &[]), 0, "all given back");
    assert_counts(numbers.value("sdd_http_requests_in_flight", &[]), 1, "this one");
    assert_counts(numbers.value("sdd_ready", &[]), 1, "ready");
}

#[test]
fn images_of_a_request_that_is_answered_with_an_error_are_not_counted_as_answered() {
    let server = Server::start(&["--workers", "1"]);
    let mut images = v2::images(&["png_gray.png", "png_gray.png", "png_gray.png"]);
    images["inputs"][0]["data"][2] = json!("bm90IGFuIGltYWdl");
    for _ in 0..5 {
        v2::post_json(&server, &images).refusal(400);
    }
    let numbers = Exposition::of(&server);
    assert!(!numbers.names().contains("sdd_images_total"));
    let refused = numbers.value("sdd_image_errors_total", &[("error", "not_an_image")]);
    assert_counts(refused, 5, "refused images");
    let images = v2::images(&["png_gray.png", "png_gray.png"]);
    assert_eq!(v2::post_json(&server, &images).status, 200);
    let labels = [("class", "non_defect"), ("out_of_distribution", "unknown")];
    let found = Exposition::of(&server).value("sdd_images_total", &labels);
    assert_counts(found, 2, "images");
}

#[test]
fn the_queue_is_counted_as_it_is() {
    let server = Server::start(&["--workers", "1", "--queue", "40"]);
    let load = || {
        let numbers = Exposition::of(&server);
        let waiting = ["sdd_queue_depth", "sdd_queue_limit"].map(|name| numbers.number(name));
        let admitted = ["sdd_admitted_images", "sdd_admitted_images_limit"];
        (waiting, admitted.map(|name| numbers.number(name)))
    };
    let idle = ([0, 40], [0, 41]);
    assert_eq!(load(), idle);
    let hold = Hold::start(&server, 32);
    eventually("one image in work and the others waiting", || {
        let ([waiting, _], [admitted, _]) = load();
        // All of them wait until the thread has taken the first.
        assert!(waiting <= 32 && admitted <= 32);
        waiting > 16 && admitted == waiting + 1
    });
    drop(hold);
    eventually("the end of the work", || load() == idle);
}

#[test]
fn every_stage_and_every_batch_is_timed() {
    let folder = tempfile::tempdir().unwrap();
    let reference = folder.path().join("reference");
    store::write(&reference, None);
    let server = Server::start(&["--reference", reference.to_str().unwrap()]);
    let image = picture("png_rgb.png");
    for _ in 0..2 {
        assert_eq!(server.predict(&image).status, 200);
    }
    let two = multipart(&[("file", None, &image), ("file", None, &image)]);
    assert_eq!(server.post_form("/predict/batch", &two).status, 200);
    let numbers = Exposition::of(&server);
    numbers.check_histograms();
    for stage in ["queue", "decode", "preprocess", "infer", "drift"] {
        let count = numbers.value("sdd_stage_duration_seconds_count", &[("stage", stage)]);
        assert_counts(count, 4, stage);
    }
    let batch = numbers.value("sdd_stage_duration_seconds_count", &[("stage", "batch")]);
    assert_counts(batch, 0, "without batches nothing waits for them");
    let read = numbers.value("sdd_stage_duration_seconds_count", &[("stage", "read")]);
    assert_counts(read, 3, "read");
    let total = |route| {
        let labels = [("route", route), ("status", "2xx")];
        numbers.value("sdd_http_request_duration_seconds_count", &labels)
    };
    assert_counts(total("/predict"), 2, "total");
    assert_counts(total("/predict/batch"), 1, "total");
    assert_counts(numbers.value("sdd_batch_images_sum", &[]), 4, "batches");
    let sum = |name: &str, labels| numbers.value(name, labels).unwrap();
    let infer = sum("sdd_stage_duration_seconds_sum", &[("stage", "infer")]);
    assert!(infer > 0.0 && infer < 60.0, "in seconds: {infer}");
    let known = |verdict| {
        let labels = [("class", "non_defect"), ("out_of_distribution", verdict)];
        numbers.value("sdd_images_total", &labels).unwrap_or(0.0)
    };
    assert_counts(Some(known("yes") + known("no")), 4, "verdicts");
}

#[test]
fn what_did_not_happen_is_not_timed() {
    let server = Server::start(&["--workers", "1", "--max-batch", "4"]);
    let counts = || {
        let numbers = Exposition::of(&server);
        ["queue", "decode", "preprocess", "batch", "infer", "drift"].map(|stage| {
            let labels = [("stage", stage)];
            numbers.value("sdd_stage_duration_seconds_count", &labels).unwrap().to_string()
        })
    };
    let values = 3 * 32 * 24;
    let tensor = v2::binary_input("image", "FP32", &json!([1, 3, 32, 24]), 4 * values);
    let answer = v2::post_binary(&server, &tensor, &vec![0; 4 * values]);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(counts(), ["1", "0", "0", "1", "1", "0"], "a tensor, and no reference");
    let timing = answer.header("server-timing").unwrap();
    assert!(timing.contains("batch;dur=") && !timing.contains("decode"), "{timing}");
    assert_eq!(server.predict(&picture("png_rgb.png")).status, 200);
    assert_eq!(counts(), ["2", "1", "1", "2", "2", "0"]);
    let mut damaged = picture("png_rgb.png");
    damaged.truncate(damaged.len() / 2);
    assert_eq!(server.predict(&damaged).code(), "damaged_image");
    assert_eq!(counts(), ["3", "2", "1", "2", "2", "0"], "it was read as far as it went");
    let numbers = Exposition::of(&server);
    for (status, expected) in [("2xx", 1), ("4xx", 1)] {
        let labels = [("route", "/predict"), ("status", status)];
        let found = numbers.value("sdd_http_request_duration_seconds_count", &labels);
        assert_counts(found, expected, status);
    }
}

#[test]
fn a_client_that_leaves_is_counted() {
    let server = Server::start(&[]);
    leaving::reset_while_sending(&server);
    eventually("a request with the status 499", || {
        let numbers = Exposition::of(&server);
        requests(&numbers, "/predict", "POST", "499", "client_left") > 0.0
    });
}

#[test]
fn model_and_reference_are_named_also_after_a_reload() {
    let folder = tempfile::tempdir().unwrap();
    let (model, reference) = (folder.path().join("m.onnx"), folder.path().join("reference"));
    std::fs::copy(data("tiny.onnx"), &model).unwrap();
    store::write(&reference, None);
    let server = Server::start_command(
        command().env("SDD_MODEL", &model).env("SDD_REFERENCE", reference.to_str().unwrap()),
    );
    let reload = || server.administer("/admin/reload").status;
    let before = Exposition::of(&server);
    let labels = before.labels("sdd_model_info");
    assert_eq!((labels["name"].as_str(), labels["version"].as_str()), ("sdd-tiny", "0.1.0"));
    assert_eq!((labels["sha256"].len(), labels["device"].as_str()), (64, "cpu"));
    let of_reference = before.labels("sdd_reference_info");
    let names: Vec<_> = of_reference.keys().map(String::as_str).collect();
    assert_eq!(names, ["checksum", "generation", "method"]);
    assert_eq!((of_reference["checksum"].len(), &*of_reference["method"]), (64, "knn"));
    let images = u32::try_from(store::IMAGES.len()).unwrap();
    assert_counts(before.value("sdd_reference_images", &[]), images, "images");
    assert!(before.value("sdd_drift_threshold", &[]).is_some());
    assert_counts(before.value("sdd_reloads_total", &[("outcome", "ok")]), 0, "reloads");

    std::fs::write(&model, b"no model").unwrap();
    assert_eq!(reload(), 422);
    let kept = Exposition::of(&server);
    assert_eq!(kept.labels("sdd_model_info"), labels);
    assert_counts(kept.value("sdd_reloads_total", &[("outcome", "failed")]), 1, "failed");

    // Another file, and with it no reference that was made for it.
    let tiny = std::fs::read(data("tiny.onnx")).unwrap();
    std::fs::write(&model, [tiny.as_slice(), b"\x32\x04next"].concat()).unwrap();
    std::fs::remove_dir_all(&reference).unwrap();
    store::write_for(&reference, &model);
    assert_eq!(reload(), 200);
    let after = Exposition::of(&server);
    assert_ne!(after.labels("sdd_model_info")["sha256"], labels["sha256"]);
    assert_counts(after.value("sdd_reloads_total", &[("outcome", "ok")]), 1, "reloads");
}

#[test]
fn what_is_captured_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let server = Server::start(&["--capture", path, "--capture-max-bytes", "100000"]);
    let image = picture("png_rgb.png");
    // The last one alone takes more than all may.
    let large = [image.as_slice(), &vec![0; 100_000]].concat();
    for image in [&image, &image, &large] {
        assert_eq!(server.predict(image).status, 200);
    }
    let mut numbers = Exposition::of(&server);
    eventually("two records and a loss", || {
        numbers = Exposition::of(&server);
        let [written, lost] =
            ["records", "dropped"].map(|what| numbers.number(&format!("sdd_capture_{what}_total")));
        (written, lost) == (2, 1)
    });
    assert_counts(numbers.value("sdd_capture_enabled", &[]), 1, "enabled");
    assert_counts(numbers.value("sdd_capture_images_total", &[]), 1, "images");
    for name in ["failures", "removed_files"] {
        assert_counts(numbers.value(&format!("sdd_capture_{name}_total"), &[]), 0, name);
    }
    let days = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap());
    let days = days.filter(|entry| entry.path().extension().is_some_and(|end| end == "jsonl"));
    let lines: u64 = days.map(|entry| entry.metadata().unwrap().len()).sum();
    let stored = u32::try_from(lines + image.len() as u64).unwrap();
    assert_counts(numbers.value("sdd_capture_stored_bytes", &[]), stored, "stored");
}

#[test]
fn names_follow_the_conventions() {
    let server = Server::start(&[]);
    assert_eq!(server.predict(&picture("png_rgb.png")).status, 200);
    let numbers = Exposition::of(&server);
    for (name, kind) in &numbers.families {
        assert!(name.starts_with("sdd_") || name.starts_with("process_"), "{name}");
        assert_eq!(kind == "counter", name.ends_with("_total"), "{name} is a {kind}");
        for (word, unit) in [("duration", "_seconds"), ("memory", "_bytes")] {
            assert!(!name.contains(word) || name.ends_with(unit), "{name}");
        }
        for unit in ["milliseconds", "_ms", "kib", "mib"] {
            assert!(!name.contains(unit), "{name}");
        }
    }
    let names = numbers.names();
    for name in [
        "process_cpu_seconds_total",
        "process_resident_memory_bytes",
        "process_open_fds",
        "process_threads",
        "process_start_time_seconds",
        "sdd_build_info",
        "sdd_http_connections",
        "sdd_queue_depth",
        "sdd_queue_limit",
        "sdd_admitted_images_limit",
        "sdd_log_dropped_lines_total",
    ] {
        assert!(names.contains(name), "{name} is missing");
    }
    let resident = numbers.value("process_resident_memory_bytes", &[]).unwrap();
    assert!((1e6..1e10).contains(&resident), "{resident}");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let age = now.as_secs_f64() - numbers.value("process_start_time_seconds", &[]).unwrap();
    assert!((-2.0..3600.0).contains(&age), "started {age} s ago");
}

#[test]
fn scrapers_that_ask_for_open_metrics_get_it() {
    let server = Server::start(&[]);
    let answer =
        server.get_with("/metrics", &[("accept", "application/openmetrics-text; version=1.0.0")]);
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!((answer.status, answer.header("content-type")), (200, Some(kind)));
    let text = answer.text();
    assert!(text.ends_with("\n# EOF\n"));
    assert!(text.contains("# TYPE sdd_upload_bytes counter\n# UNIT sdd_upload_bytes bytes\n"));
    assert!(text.contains("# TYPE sdd_model info\n"));
}

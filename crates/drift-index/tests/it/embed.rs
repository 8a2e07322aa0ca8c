//! `drift-index embed`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use image::RgbImage;
use ndarray::Array2;
use sdd_core::{Classifier, ClassifierOptions};
use serde_json::{Value, json};

use crate::support::{Said, command, folder, parts, run, save, tiny_model};

fn embed(folder: &Path, arguments: &str) -> Said {
    run(folder, &format!("embed --model MODEL --json {arguments}"))
}

/// What numpy.load makes of a file that has nothing but what numpy.save writes.
fn load(path: &Path) -> Array2<f32> {
    let bytes = fs::read(path).unwrap();
    assert_eq!(&bytes[..8], b"\x93NUMPY\x01\x00");
    let start = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let header = str::from_utf8(&bytes[10..start]).unwrap();
    let shape = header.split("'shape': (").nth(1).unwrap().split(')').next().unwrap();
    let shape: Vec<usize> = shape.split(", ").map(|number| number.parse().unwrap()).collect();
    assert!(header.starts_with("{'descr': '<f4', 'fortran_order': False, "), "{header}");
    assert_eq!(start % 64, 0);
    let (numbers, rest) = bytes[start..].as_chunks::<4>();
    assert!(rest.is_empty());
    let values = numbers.iter().map(|number| f32::from_le_bytes(*number)).collect();
    Array2::from_shape_vec((shape[0], shape[1]), values).unwrap()
}

/// The float32 whose shortest decimal form this number is.
#[allow(clippy::cast_possible_truncation)]
fn single(number: &Value) -> f32 {
    number.as_f64().unwrap() as f32
}

#[test]
fn rows_are_the_models_own_in_the_order_of_the_images() {
    let folder = folder();
    parts(folder.path(), &["a"], 5);
    let names = ["parts/a/003.png", "parts/a/000.png", "parts/a/004.png", "parts/a/000.png"];
    let said = embed(folder.path(), &format!("{} --out e.npy --threads 3", names.join(" ")));
    let said = said.expect_code(0).json();
    assert_eq!((&said["status"], &said["out"]), (&json!("ok"), &json!("e.npy")));
    assert_eq!((&said["rows"], &said["dimension"]), (&json!(4), &json!(16)));
    assert_eq!(said["model"]["name"], "sdd-tiny");

    let matrix = load(&folder.path().join("e.npy"));
    assert_eq!(matrix.dim(), (4, 16));
    let mut classifier = Classifier::open(&tiny_model(), &ClassifierOptions::default()).unwrap();
    for (row, name) in names.iter().enumerate() {
        let bytes = fs::read(folder.path().join(name)).unwrap();
        let expected = classifier.classify(&bytes).unwrap();
        assert_eq!(matrix.row(row).to_vec(), expected.embedding, "{name}");
        let result = &said["results"][row];
        assert_eq!((&result["image"], &result["row"]), (&json!(name), &json!(row)));
        assert_eq!(result["class"], classifier.spec().labels[expected.class_index]);
        assert_eq!(single(&result["confidence"]), expected.confidence);
        for (label, probability) in classifier.spec().labels.iter().zip(&expected.probabilities) {
            assert_eq!(single(&result["probabilities"][label]), *probability, "{label}");
        }
        assert_eq!(result["error"], Value::Null);
    }
    // Not normalized.
    assert!(matrix.rows().into_iter().any(|row| (row.dot(&row) - 1.0).abs() > 0.1));
}

#[test]
fn a_store_of_the_matrix_is_that_of_the_images() {
    let folder = folder();
    parts(folder.path(), &["a", "b"], 6);
    let said = embed(folder.path(), "parts --out e.npy").expect_code(0).json();
    let column = |of: &dyn Fn(&str) -> String| -> String {
        let images = said["results"].as_array().unwrap().iter();
        images.map(|result| of(result["image"].as_str().unwrap()) + "\n").collect()
    };
    fs::write(folder.path().join("ids.txt"), column(&str::to_owned)).unwrap();
    let class = |image: &str| image.split('/').next().unwrap().to_owned();
    fs::write(folder.path().join("labels.txt"), column(&class)).unwrap();
    for build in [
        "build --model MODEL parts --out from_images",
        "build --model MODEL e.npy --ids ids.txt --classes labels.txt --out from_matrix",
    ] {
        run(folder.path(), build).expect_code(0);
    }
    for file in ["index-000001.faiss", "records-000001.jsonl"] {
        let read = |store: &str| fs::read(folder.path().join(store).join(file)).unwrap();
        assert_eq!(read("from_images"), read("from_matrix"), "{file}");
    }
}

#[test]
fn images_that_cannot_be_read_have_no_row_and_a_code() {
    let folder = folder();
    parts(folder.path(), &["a"], 2);
    let at = |name: &str| folder.path().join("parts/a").join(name);
    let whole = fs::read(at("000.png")).unwrap();
    fs::write(at("0-cut.png"), &whole[..whole.len() / 2]).unwrap();
    fs::write(at("1-text.png"), "this is no image").unwrap();
    fs::write(at("2-text-again.png"), "this is no image").unwrap();
    fs::write(at("3-empty.png"), "").unwrap();
    fs::write(at("4-gif.png"), b"GIF89a\x01\0\x01\0\0\0\0;").unwrap();
    save(&RgbImage::new(101, 40), &at("5-large.png"));
    std::os::unix::fs::symlink("/nowhere/at/all.png", at("6-broken.png")).unwrap();
    fs::write(at("notes.txt"), "").unwrap();
    let said = embed(folder.path(), "parts --out e.npy --max-pixels 4000");
    let said = said.expect_code(3).json();
    assert_eq!((&said["status"], &said["rows"]), (&json!("partial"), &json!(2)));
    let codes = said["results"].as_array().unwrap().iter().map(|result| {
        assert_eq!(result["row"].is_null(), !result["error"].is_null(), "{result}");
        let name = result["image"].as_str().unwrap().strip_prefix("a/").unwrap();
        (name, result["error"]["code"].as_str())
    });
    assert_eq!(
        codes.collect::<Vec<_>>(),
        [
            ("0-cut.png", Some("damaged_image")),
            ("000.png", None),
            ("001.png", None),
            ("1-text.png", Some("not_an_image")),
            ("2-text-again.png", Some("not_an_image")),
            ("3-empty.png", Some("empty_file")),
            ("4-gif.png", Some("unsupported_image")),
            ("5-large.png", Some("too_many_pixels")),
            ("6-broken.png", Some("unreadable_image")),
        ]
    );
    assert_eq!(said["ignored"]["other_files"], 1);
    assert_eq!(load(&folder.path().join("e.npy")).nrows(), 2);
    let named =
        embed(folder.path(), "nowhere.png parts/a parts/a/000.png --out e.npy").expect_code(3);
    let results = named.json()["results"].clone();
    assert_eq!(results[0]["image"], "0-cut.png", "{results}");
    let of = |name: &str| {
        let mut results = results.as_array().unwrap().iter();
        let found = results.find(|result| result["image"] == name).unwrap();
        (found["error"]["code"].clone(), found["row"].clone())
    };
    assert_eq!(of("nowhere.png"), (json!("unreadable_image"), Value::Null));
    assert_eq!(of("6-broken.png"), (json!("unreadable_image"), Value::Null));
    // In the folder, and by its own name.
    assert_eq!((of("000.png").1, of("parts/a/000.png").1), (json!(0), json!(3)));
}

#[test]
fn without_a_readable_image_nothing_is_written() {
    let folder = folder();
    fs::write(folder.path().join("text.png"), "this is no image").unwrap();
    fs::write(folder.path().join("e.npy"), "what was there").unwrap();
    let said = embed(folder.path(), "text.png --out e.npy").expect_code(2).json();
    assert_eq!((&said["status"], &said["out"]), (&json!("error"), &Value::Null));
    assert_eq!(said["results"][0]["error"]["code"], "not_an_image");
    assert_eq!(fs::read(folder.path().join("e.npy")).unwrap(), b"what was there");
    fs::create_dir(folder.path().join("empty")).unwrap();
    let said = embed(folder.path(), "empty --out e.npy").expect_code(2).json();
    assert!(said["error"]["message"].as_str().unwrap().contains("no images below empty"));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
}

#[test]
fn a_matrix_that_cannot_be_written_is_said_before_the_work() {
    let folder = folder();
    parts(folder.path(), &["a"], 1);
    fs::create_dir(folder.path().join("folder.npy")).unwrap();
    std::os::unix::fs::symlink("/dev/null", folder.path().join("link.npy")).unwrap();
    for (out, expected) in [
        ("..", "does not end in .npy"),
        ("link.npy", "is not a file"),
        ("parts", "does not end in .npy"),
        ("parts/a/000.png", "does not end in .npy"),
        ("folder.npy", "is not a file"),
        ("/dev/null", "does not end in .npy"),
        ("nowhere/e.npy", "cannot write into nowhere"),
        ("parts/a/000.png/e.npy", "cannot write into parts/a/000.png"),
    ] {
        // The model is not even opened.
        let said = run(folder.path(), &format!("embed parts/a/000.png --model x.onnx --out {out}"));
        let said = said.expect_code(2);
        assert!(said.err.contains(expected), "{out}: {}", said.err);
    }
    let said = embed(folder.path(), "parts/a/000.png --out e.npy --model x.onnx");
    assert!(said.expect_code(2).err.contains("cannot be used multiple times"));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
}

#[test]
fn a_matrix_is_replaced_whole_and_is_as_open_as_other_files() {
    let folder = folder();
    parts(folder.path(), &["a"], 3);
    let out = folder.path().join("e.npy");
    fs::write(&out, vec![7; 100_000]).unwrap();
    embed(folder.path(), "parts --out e.npy").expect_code(0);
    assert_eq!(load(&out).nrows(), 3);
    fs::write(folder.path().join("usual"), "").unwrap();
    let mode = |name: &str| fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
    assert_eq!(mode("e.npy"), mode("usual"));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
}

#[test]
fn wrong_usage_is_an_error() {
    let folder = folder();
    parts(folder.path(), &["a"], 1);
    for arguments in [
        "embed --model MODEL --images parts",
        "embed --model MODEL --out e.npy",
        "embed parts/a/000.png --model MODEL --images parts --out e.npy",
        "embed parts/a/000.png --model MODEL --out",
        "embed parts/a/000.png --out e.npy --sidecar x.json",
    ] {
        let said = run(folder.path(), arguments).expect_code(2);
        assert!(said.err.contains("Usage: ") || said.err.contains("try '--help'"), "{}", said.err);
    }
    assert!(!folder.path().join("e.npy").exists());
}

#[test]
fn nothing_is_left_in_the_home_of_whoever_runs_it() {
    let folder = folder();
    parts(folder.path(), &["a"], 1);
    let home = tempfile::tempdir().unwrap();
    let arguments = ["embed", "parts/a/000.png", "--out", "e.npy", "--model"];
    let said: Said = command(folder.path())
        .args(arguments)
        .arg(tiny_model())
        // As outside of cargo, whose configuration sets it.
        .env_remove("ORT_DISABLE_TELEMETRY")
        .env("HOME", home.path())
        .output()
        .unwrap()
        .into();
    said.expect_code(0);
    let left: Vec<_> = fs::read_dir(home.path()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

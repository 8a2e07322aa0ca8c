//! Another model under load, without a failed request.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::client::Client;
use crate::eventually::eventually;
use crate::exposition::Exposition;
use crate::load::under_load;
use crate::pipe;
use crate::security::new_key;
use crate::server::{Server, command, data, picture};
use crate::store;

/// Replaces a file as a whole, as whoever deploys a model should.
fn replace(path: &Path, content: &[u8]) {
    let new = path.with_extension("new");
    std::fs::write(&new, content).unwrap();
    std::fs::rename(&new, path).unwrap();
}

/// Two models that differ, and the file that is served.
struct Models {
    files: [Vec<u8>; 2],
    served: PathBuf,
    _folder: tempfile::TempDir,
}

impl Models {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let served = folder.path().join("model.onnx");
        let one = std::fs::read(data("tiny.onnx")).unwrap();
        // The graph's `doc_string`: field 6 of the model, a text of four bytes.
        let other = [one.as_slice(), b"\x32\x04next"].concat();
        std::fs::write(&served, &one).unwrap();
        Self { files: [one, other], served, _folder: folder }
    }

    fn serve(&self, arguments: &[&str]) -> Server {
        Server::start_command(command().arg("--model").arg(&self.served).args(arguments))
    }
}

fn served_sha256(server: &Server) -> String {
    server.get("/v1/model").json()["sha256"].as_str().unwrap().to_owned()
}

#[test]
fn fifty_reloads_under_load_fail_no_request() {
    let models = Models::new();
    let server = models.serve(&["--workers", "2"]);
    let address = server.address();
    let seen = under_load(
        || Client::new(&address),
        |answered| {
            let mut operator = Client::new(&server.admin_address());
            let mut seen = BTreeSet::new();
            for round in 1..=50 {
                replace(&models.served, &models.files[round % 2]);
                let answer = operator.post("/admin/reload", &[], b"").unwrap();
                assert_eq!(answer.status, 200, "{answer:?}");
                let sha256 = answer.json()["sha256"].as_str().unwrap().to_owned();
                assert_eq!(sha256, served_sha256(&server));
                seen.insert(sha256);
                answered.wait_for_more(3);
            }
            seen
        },
    );
    assert_eq!(seen.len(), 2);
}

#[test]
fn threads_of_old_models_end() {
    let models = Models::new();
    let server = models.serve(&["--workers", "2"]);
    let threads = || std::fs::read_dir(format!("/proc/{}/task", server.id())).unwrap().count();
    let reload = || server.administer("/admin/reload").status;
    assert_eq!(reload(), 200);
    let before = threads();
    (0..10).for_each(|_| assert_eq!(reload(), 200));
    // The runtime's pool for blocking work may have grown by one or two.
    eventually("the end of the threads", || threads() <= before + 2);
}

#[test]
fn a_bad_file_leaves_the_old_model_and_says_why() {
    let models = Models::new();
    let reference = models.served.with_file_name("reference");
    store::write(&reference, None);
    let server = models.serve(&["--reference", reference.to_str().unwrap()]);
    let mut client = Client::new(&server.address());
    let (before, image) = (served_sha256(&server), picture("png_rgb.png"));
    let other_pair = &models.files[1];
    for (bad, reason) in [(&b"no model"[..], "model.onnx"), (other_pair, "reference")] {
        replace(&models.served, bad);
        let answer = server.administer("/admin/reload");
        assert_eq!((answer.status, answer.code()), (422, "reload_failed"));
        let message = answer.text();
        assert!(message.contains(reason) && message.contains("old model"), "{message}");
        assert_eq!(served_sha256(&server), before);
        assert_eq!(client.predict(&image).unwrap().status, 200);
    }
    server.signal("-HUP");
    server.wait_for("the old model goes on answering");
    assert_eq!(served_sha256(&server), before);
}

#[test]
fn the_openapi_document_names_the_model_that_is_served_now() {
    let models = Models::new();
    let server = models.serve(&[]);
    let named = || {
        let document = server.get("/openapi.json").json();
        let parameters = document["paths"]["/v2/models/{name}/infer"]["post"]["parameters"].clone();
        let all = parameters.as_array().unwrap().iter();
        let name = all.clone().find(|parameter| parameter["name"] == "name");
        name.unwrap()["example"].as_str().unwrap().to_owned()
    };
    assert_eq!(named(), "sdd-tiny");
    let mut other = models.files[0].clone();
    let at = other.windows(8).position(|eight| eight == b"sdd-tiny").unwrap();
    other[at..at + 8].copy_from_slice(b"sdd-next");
    replace(&models.served, &other);
    assert_eq!(server.administer("/admin/reload").status, 200);
    assert_eq!((named(), named()), ("sdd-next".into(), "sdd-next".into()));
}

#[test]
fn sighup_reloads() {
    let models = Models::new();
    let server = models.serve(&[]);
    let before = served_sha256(&server);
    replace(&models.served, &models.files[1]);
    server.signal("-HUP");
    server.wait_for("model loaded");
    eventually("the new model", || served_sha256(&server) != before);
}

#[test]
fn one_reload_is_done_at_a_time_and_signals_meanwhile_are_one_more() {
    let (key, hash) = new_key();
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys");
    std::fs::write(&keys, &hash).unwrap();
    let server = Server::start(&["--admin-keys-file", keys.to_str().unwrap()]);
    let admin = [("x-api-key", key.as_str())];
    let reload = || server.post("/admin/reload", &admin, b"");
    assert_eq!(reload().status, 200);

    std::fs::rename(pipe::make(folder.path()), &keys).unwrap();
    server.signal("-HUP");
    // Opens once the reload reads.
    let pipe = std::fs::File::options().write(true).open(&keys).unwrap();
    for _ in 0..3 {
        let answer = reload();
        assert_eq!((answer.status, answer.code()), (409, "reload_in_progress"), "{answer:?}");
        server.signal("-HUP");
    }
    assert_eq!(server.get("/v1/model").status, 200);
    replace(&keys, hash.as_bytes());
    std::io::Write::write_all(&mut &pipe, hash.as_bytes()).unwrap();
    drop(pipe);
    let reloads =
        |outcome| Exposition::of(&server).value("sdd_reloads_total", &[("outcome", outcome)]);
    let number = |outcome| reloads(outcome).unwrap_or_default().to_string();
    eventually("one more reload", || number("ok") == "3");
    eventually("the end of it", || reload().status == 200);
    assert_eq!((number("ok"), number("failed")), ("4".into(), "0".into()), "and no more");
}

//! Another model under load, without a failed request.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::client::Client;
use crate::eventually::eventually;
use crate::load::under_load;
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
            let mut client = Client::new(&address);
            let mut seen = BTreeSet::new();
            for round in 1..=50 {
                replace(&models.served, &models.files[round % 2]);
                let answer = client.post("/admin/reload", &[], b"").unwrap();
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
    let mut client = Client::new(&server.address());
    let reload = |client: &mut Client| client.post("/admin/reload", &[], b"").unwrap().status;
    assert_eq!(reload(&mut client), 200);
    let before = threads();
    (0..10).for_each(|_| assert_eq!(reload(&mut client), 200));
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
        let answer = client.post("/admin/reload", &[], b"").unwrap();
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
fn sighup_reloads() {
    let models = Models::new();
    let server = models.serve(&[]);
    let before = served_sha256(&server);
    replace(&models.served, &models.files[1]);
    server.signal("-HUP");
    server.wait_for("model loaded");
    eventually("the new model", || served_sha256(&server) != before);
}

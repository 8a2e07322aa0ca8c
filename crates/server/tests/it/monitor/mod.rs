//! Drift over time, by the real program.

mod counting;
mod database;
mod faults;
mod groups;
mod replicas;
mod reports;
mod settings;
mod verdicts;
mod webhook;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;

use crate::server::{Server, data, multipart, picture};
use crate::store;

/// A folder with a reference, and a place for the monitor's file.
pub struct Watched {
    folder: tempfile::TempDir,
    /// Where the monitor's memory is instead.
    database: Option<String>,
}

impl Watched {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        store::write_for_monitor(&folder.path().join("reference"));
        Self { folder, database: None }
    }

    fn on(database: String) -> Self {
        Self { database: Some(database), ..Self::new() }
    }

    fn reference(&self) -> PathBuf {
        self.folder.path().join("reference")
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("state/monitor.sqlite")
    }

    fn arguments(&self) -> [String; 4] {
        let text = |path: PathBuf| path.into_os_string().into_string().unwrap();
        let monitor = self.database.clone().unwrap_or_else(|| text(self.file()));
        ["--reference".into(), text(self.reference()), "--monitor".into(), monitor]
    }

    pub fn serve(&self, further: &[&str]) -> Server {
        let own = self.arguments();
        let arguments: Vec<&str> =
            own.iter().map(String::as_str).chain(further.iter().copied()).collect();
        Server::start(&arguments)
    }
}

/// `GET /drift`.
fn drift(server: &Server) -> Value {
    let answer = server.get("/drift");
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

fn images_ever(server: &Server) -> u64 {
    drift(server)["images_ever"].as_u64().unwrap()
}

/// All observations, latest first, by pages.
fn observations(server: &Server, limit: usize) -> Vec<Value> {
    let (mut all, mut before) = (Vec::new(), String::new());
    loop {
        let answer = server.get(&format!("/drift/observations?limit={limit}{before}"));
        assert_eq!(answer.status, 200, "{answer:?}");
        let page = answer.json();
        let observations = page["observations"].as_array().unwrap();
        assert!(observations.len() <= limit);
        all.extend(observations.iter().cloned());
        match page["next_before"].as_u64() {
            Some(next) => before = format!("&before={next}"),
            None => return all,
        }
    }
}

/// Sends an image so many times, in requests of 25.
pub fn send(server: &Server, image: &[u8], times: usize) {
    for start in (0..times).step_by(25) {
        let parts = vec![("file", Some("image/png"), image); (times - start).min(25)];
        let answer = server.post_form("/predict/batch", &multipart(&parts));
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}

/// Sends so many pictures that are nearly this one, no two of them the same, in requests of 25.
pub fn send_like(server: &Server, image: &[u8], times: usize) {
    static SEED: AtomicU64 = AtomicU64::new(0);
    for start in (0..times).step_by(25) {
        let images: Vec<Vec<u8>> = (start..times.min(start + 25))
            .map(|_| varied(image, SEED.fetch_add(1, Ordering::Relaxed)))
            .collect();
        let parts: Vec<_> =
            images.iter().map(|image| ("file", Some("image/png"), &**image)).collect();
        let answer = server.post_form("/predict/batch", &multipart(&parts));
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}

/// With some noise of a gray level.
pub fn varied(image: &[u8], seed: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut picture = image::load_from_memory(image).unwrap().into_rgb8();
    for value in picture.iter_mut() {
        *value = value.saturating_add(random.u8(0..2));
    }
    let mut file = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut file, image::ImageFormat::Png).unwrap();
    file.into_inner()
}

/// A picture that the server calls out of distribution, and one that it does not.
pub fn strange_and_familiar(server: &Server) -> (Vec<u8>, Vec<u8>) {
    let mut found = [None, None];
    for entry in std::fs::read_dir(data("images")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let image = picture(&name);
        // As it can be varied.
        if !name.starts_with("png_rgb")
            && !name.starts_with("bmp_rgb")
            && !name.starts_with("bmp_gray")
        {
            continue;
        }
        let answer = server.predict(&image);
        if let Some(strange) = answer.json()["drift"]["out_of_distribution"].as_bool() {
            found[usize::from(strange)].get_or_insert(image);
        }
    }
    let [familiar, strange] = found;
    (strange.unwrap(), familiar.unwrap())
}

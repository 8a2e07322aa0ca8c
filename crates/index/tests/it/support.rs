//! Contents to store, and a forger who can make the checksums fit.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use ndarray::Array2;
use sdd_index::{Manifest, ModelIdentity, Normalization, Record, StoreContents};
use sha2::{Digest, Sha256};

pub const LABELS: [&str; 3] = ["crazing", "pitted", "scratches"];

/// `count` rows of `dimension` values that `seed` decides, with labels in turn.
pub fn contents(
    seed: u64,
    count: usize,
    dimension: usize,
    normalization: Normalization,
) -> StoreContents {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let embeddings = Array2::from_shape_simple_fn((count, dimension), || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f32::from(i16::try_from(state >> 49).unwrap()) / 1024.0
    });
    let records = (0..count)
        .map(|row| Record {
            id: format!("{seed}/image-{row}.bmp"),
            label: Some(LABELS[row % LABELS.len()].to_owned()),
        })
        .collect();
    StoreContents {
        model: Some(ModelIdentity {
            name: "classifier".to_owned(),
            version: "1.0".to_owned(),
            sha256: "0123456789abcdef".repeat(4),
        }),
        normalization,
        embeddings,
        records,
        attachments: BTreeMap::from([
            ("calibration.json".to_owned(), format!("{{\"seed\":{seed}}}").into_bytes()),
            ("empty.bin".to_owned(), Vec::new()),
        ]),
    }
}

pub fn manifest(dir: &Path) -> Manifest {
    serde_json::from_slice(&fs::read(dir.join("manifest.json")).unwrap()).unwrap()
}

pub fn sha256(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

/// Writes a changed manifest with a checksum that fits.
pub fn seal(dir: &Path, mut manifest: Manifest) {
    let render = |manifest: &Manifest| {
        let mut bytes = serde_json::to_vec_pretty(manifest).unwrap();
        bytes.push(b'\n');
        bytes
    };
    manifest.checksum = String::new();
    manifest.checksum = sha256(&render(&manifest));
    fs::write(dir.join("manifest.json"), render(&manifest)).unwrap();
}

/// Replaces the FAISS file, with length and checksums that fit.
pub fn forge_index(dir: &Path, bytes: &[u8]) {
    let mut manifest = manifest(dir);
    fs::write(dir.join(&manifest.index.file), bytes).unwrap();
    manifest.index.bytes = bytes.len() as u64;
    manifest.index.sha256 = sha256(bytes);
    seal(dir, manifest);
}

/// Replaces the records file, with length and checksums that fit.
pub fn forge_records(dir: &Path, bytes: &[u8]) {
    let mut manifest = manifest(dir);
    fs::write(dir.join(&manifest.records.file), bytes).unwrap();
    manifest.records.bytes = bytes.len() as u64;
    manifest.records.sha256 = sha256(bytes);
    seal(dir, manifest);
}

/// The names of all files in a folder, sorted.
pub fn listing(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

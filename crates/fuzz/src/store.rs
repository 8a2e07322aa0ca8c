//! Files of a reference store, forged so that their checksums fit: what is left to check is the content.

use std::collections::BTreeMap;
use std::fs;
use std::sync::LazyLock;

use ndarray::array;
use sdd_index::{FileStore, Filter, Manifest, Normalization, Record, StoreContents};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

const MANIFEST: &str = "manifest.json";

/// A sound store whose files are forged one after another.
static STORE: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let contents = StoreContents {
        model: None,
        normalization: Normalization::L2,
        embeddings: array![[1.0, 2.0], [3.0, -4.0], [0.5, 0.25]],
        records: ["0", "1", "2"]
            .map(|id| Record { id: id.into(), label: Some("good".into()) })
            .into(),
        attachments: BTreeMap::new(),
    };
    FileStore::write(folder.path(), &contents).expect("a store");
    folder
});

static SOUND_MANIFEST: LazyLock<Vec<u8>> =
    LazyLock::new(|| fs::read(STORE.path().join(MANIFEST)).expect("the manifest"));

/// Opens a store whose manifest is the input, with a checksum that fits where there is a place for one.
pub fn manifest(input: &[u8]) {
    let _ = &*SOUND_MANIFEST;
    let sealed = serde_json::from_slice::<Manifest>(input).map(sealed);
    open_with(sealed.as_deref().unwrap_or(input));
}

/// Opens a store whose records file is the input.
pub fn records(input: &[u8]) {
    let mut manifest: Manifest = serde_json::from_slice(&SOUND_MANIFEST).expect("a sound manifest");
    fs::write(STORE.path().join(&manifest.records.file), input).expect("writing the records");
    manifest.records.bytes = input.len() as u64;
    manifest.records.sha256 = format!("{:x}", Sha256::digest(input));
    open_with(&sealed(manifest));
}

/// A manifest's bytes with a checksum that fits.
fn sealed(mut manifest: Manifest) -> Vec<u8> {
    let render = |manifest: &Manifest| {
        let mut bytes = serde_json::to_vec_pretty(manifest).expect("JSON");
        bytes.push(b'\n');
        bytes
    };
    manifest.checksum.clear();
    manifest.checksum = format!("{:x}", Sha256::digest(render(&manifest)));
    render(&manifest)
}

fn open_with(manifest: &[u8]) {
    fs::write(STORE.path().join(MANIFEST), manifest).expect("writing the manifest");
    let _ = FileStore::history(STORE.path());
    let Ok(store) = FileStore::open(STORE.path()) else { return };
    let rows = store.len();
    let neighbors = store.search(array![[1.0, 1.0]].view(), rows, Filter::All).expect("a search");
    assert_eq!(neighbors[0].len(), rows, "all rows are found");
    assert_eq!(store.embeddings(Filter::All).nrows(), rows);
}

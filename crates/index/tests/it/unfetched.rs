//! Stores whose files a tool that versions data keeps elsewhere.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use sdd_index::{Error, FileStore, Normalization, WriteOptions};

use crate::support::{self, listing};

/// Every file of the store becomes a link to one in a cache, as DVC and git-annex have it.
fn link_all(dir: &Path, cache: &Path) {
    fs::create_dir(cache).unwrap();
    for name in listing(dir) {
        fs::rename(dir.join(&name), cache.join(&name)).unwrap();
        symlink(cache.join(&name), dir.join(&name)).unwrap();
    }
}

fn store(folder: &Path) -> std::path::PathBuf {
    let dir = folder.join("store");
    FileStore::write(&dir, &support::contents(1, 30, 8, Normalization::L2)).unwrap();
    fs::remove_file(dir.join(".lock")).unwrap();
    dir
}

#[test]
fn a_store_of_links_is_read_and_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let (dir, cache) = (store(folder.path()), folder.path().join("cache"));
    link_all(&dir, &cache);
    FileStore::open(&dir).unwrap();
    assert_eq!(FileStore::history(&dir).unwrap()[0].missing, [""; 0]);
    let before = listing(&dir);
    let opened = FileStore::open(&dir).unwrap();
    let refused = opened.save(&dir, &WriteOptions::default()).unwrap_err();
    assert!(matches!(refused, Error::Occupied { .. }), "{refused}");
    assert!(refused.to_string().contains("symbolic link"), "{refused}");
    assert_eq!(listing(&dir), before);
    // With the manifest alone unlocked, the others may be links: they are shared, and none is written through.
    fs::remove_file(dir.join("manifest.json")).unwrap();
    fs::copy(cache.join("manifest.json"), dir.join("manifest.json")).unwrap();
    opened.save(&dir, &WriteOptions::default()).unwrap();
    FileStore::open(&dir).unwrap();
    assert!(dir.join("index-000001.faiss").is_symlink());
    FileStore::write(&dir, &support::contents(2, 30, 8, Normalization::L2)).unwrap();
    assert!(!dir.join("index-000001.faiss").is_symlink());
    assert!(cache.join("index-000001.faiss").exists());
}

#[test]
fn what_has_not_been_fetched_is_no_damage() {
    let lfs = "version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 1005\n";
    for name in ["manifest.json", "index-000001.faiss", "calibration-000001.json"] {
        let folder = tempfile::tempdir().unwrap();
        let dir = store(folder.path());
        let path = dir.join(name);
        let refused = |fetch: &str| {
            let error = FileStore::open(&dir).unwrap_err();
            assert!(matches!(error, Error::NotFetched { .. }), "{name}: {error}");
            let said = error.to_string();
            assert!(said.contains(name) && said.contains(fetch), "{said}");
            let written = FileStore::write(&dir, &support::contents(2, 30, 8, Normalization::L2));
            assert!(name != "manifest.json" || written.is_err());
        };
        fs::write(&path, lfs).unwrap();
        refused("git lfs pull");
        let folder = tempfile::tempdir().unwrap();
        let dir = store(folder.path());
        let path = dir.join(name);
        for (target, fetch) in [
            ("../.git/annex/objects/7X/SHA256E-s45--ab.faiss", "git annex get"),
            ("/home/somebody/.dvc/cache/files/md5/ab/cd", "dvc pull"),
        ] {
            fs::remove_file(&path).unwrap();
            symlink(target, &path).unwrap();
            let error = FileStore::open(&dir).unwrap_err();
            assert!(matches!(error, Error::NotFetched { .. }), "{name}: {error}");
            assert!(error.to_string().contains(fetch), "{error}");
        }
    }
}

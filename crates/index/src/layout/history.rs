//! The generations that a store keeps beside the current one: each is a manifest with a number in its name.

use std::fs;
use std::path::Path;

use super::manifest::{FileEntry, Manifest};
use super::{names, read};
use crate::error::{Error, Result};

/// One generation of a store.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Generation {
    /// What it says of itself.
    pub manifest: Manifest,
    /// Whether it is the one that readers see.
    pub is_current: bool,
    /// Those of its files that are not there or not of their length: it cannot be brought back. Their checksums are
    /// not compared here.
    pub missing: Vec<String>,
}

/// See [`FileStore::history`](crate::FileStore::history).
pub(crate) fn history(dir: &Path) -> Result<Vec<Generation>> {
    let current = read::manifest(dir)?;
    let mut manifests = earlier(dir, Some(&current))?;
    manifests.push(current.clone());
    manifests.sort_by_key(|manifest| manifest.generation);
    let generation = |manifest: Manifest| Generation {
        is_current: manifest.generation == current.generation,
        missing: missing(dir, &manifest),
        manifest,
    };
    Ok(manifests.into_iter().map(generation).collect())
}

fn missing(dir: &Path, manifest: &Manifest) -> Vec<String> {
    let is_missing = |entry: &&FileEntry| {
        let found = fs::symlink_metadata(dir.join(&entry.file));
        !found.is_ok_and(|found| found.is_file() && found.len() == entry.bytes)
    };
    manifest.files().filter(is_missing).map(|entry| entry.file.clone()).collect()
}

/// The sound manifests with a number beside the current one, ascending. A file of such a name that is no manifest
/// of this generation is somebody else's, and so is the current one's number, which only a writer that was killed
/// leaves behind.
pub(super) fn earlier(dir: &Path, current: Option<&Manifest>) -> Result<Vec<Manifest>> {
    let mut manifests = Vec::new();
    for entry in fs::read_dir(dir).map_err(Error::io("list", dir))? {
        let name = entry.map_err(Error::io("list", dir))?.file_name();
        let Some(generation) =
            name.to_str().and_then(|name| names::generation_of(names::MANIFEST, name))
        else {
            continue;
        };
        match read::numbered_manifest(dir, generation) {
            Ok(Some(found)) if current.is_none_or(|now| now.generation != generation) => {
                manifests.push(found);
            }
            Ok(_) | Err(Error::Damaged { .. } | Error::UnsupportedVersion { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    manifests.sort_by_key(|manifest| manifest.generation);
    Ok(manifests)
}

//! The generations that a store keeps beside the current one: each is a manifest with a number in its name.

use std::fs;
use std::path::Path;

use super::manifest::{FileEntry, Manifest};
use super::{names, read};
use crate::error::{Error, Result, WayBack};

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
    let current = current(dir)?;
    let mut manifests = earlier(dir, current.as_ref())?;
    manifests.extend(current.clone());
    manifests.sort_by_key(|manifest| manifest.generation);
    let generation = |manifest: Manifest| Generation {
        is_current: current.as_ref().is_some_and(|now| now.generation == manifest.generation),
        missing: missing(dir, &manifest),
        manifest,
    };
    Ok(manifests.into_iter().map(generation).collect())
}

/// The current manifest; `None` where it is lost or damaged and others are kept beside it.
pub(super) fn current(dir: &Path) -> Result<Option<Manifest>> {
    match read::manifest(dir) {
        Ok(manifest) => Ok(Some(manifest)),
        Err(Error::NotAStore { .. } | Error::Damaged { .. })
            if earlier(dir, None).is_ok_and(|earlier| !earlier.is_empty()) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Names the newest generation that can be brought back, where there is no other way to open the current one.
pub(super) fn with_way_back(dir: &Path, error: Error) -> Error {
    let (path, reason) = match &error {
        Error::NotAStore { .. } => (dir.join(names::MANIFEST), "it is missing".to_owned()),
        Error::Damaged { path, reason, .. } => (path.clone(), reason.clone()),
        _ => return error,
    };
    let current = read::manifest(dir).ok();
    let file = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let needs_it = |manifest: &Manifest| manifest.files().any(|entry| entry.file == file);
    let can_be_opened = |kept: &&Manifest| missing(dir, kept).is_empty() && !needs_it(kept);
    let earlier = earlier(dir, current.as_ref()).unwrap_or_default();
    let Some(kept) = earlier.iter().rfind(can_be_opened) else { return error };
    let way_back = Some(WayBack {
        store: dir.to_owned(),
        generation: kept.generation,
        folder_in_the_way: dir
            .join(names::MANIFEST)
            .symlink_metadata()
            .is_ok_and(|found| found.is_dir()),
    });
    Error::Damaged { path, reason, way_back }
}

fn missing(dir: &Path, manifest: &Manifest) -> Vec<String> {
    let is_missing = |entry: &&FileEntry| {
        let found = fs::metadata(dir.join(&entry.file));
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
            Ok(_)
            | Err(
                Error::Damaged { .. } | Error::UnsupportedVersion { .. } | Error::NotFetched { .. },
            ) => {}
            Err(error) => return Err(error),
        }
    }
    manifests.sort_by_key(|manifest| manifest.generation);
    Ok(manifests)
}

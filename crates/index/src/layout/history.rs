//! The generations that a store keeps beside the current one: each is a manifest with a number in its name.

use std::fs;
use std::path::Path;

use super::manifest::{FileEntry, Manifest};
use super::{manifests, names};
use crate::error::{Error, Result, WayBack};
use crate::file_store::FileStore;

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

impl FileStore {
    /// The generations that the store in `dir` keeps, ascending. None of them is the current one where `manifest.json`
    /// is lost or damaged: [`Replaces::LostManifest`](crate::Replaces) makes one of them so again.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open), for the manifest of a store that keeps no others.
    pub fn history(dir: &Path) -> Result<Vec<Generation>> {
        let current = manifests::current(dir)?;
        let mut kept = manifests::earlier(dir, current.as_ref())?;
        kept.extend(current.clone());
        kept.sort_by_key(|manifest| manifest.generation);
        let generation = |manifest: Manifest| Generation {
            is_current: current.as_ref().is_some_and(|now| now.generation == manifest.generation),
            missing: missing(dir, &manifest),
            manifest,
        };
        Ok(kept.into_iter().map(generation).collect())
    }
}

/// Names the newest generation that can be brought back, where there is no other way to open the current one.
pub(super) fn with_way_back(dir: &Path, error: Error) -> Error {
    let (path, reason) = match &error {
        Error::NotAStore { .. } => (dir.join(names::MANIFEST), "it is missing".to_owned()),
        Error::Damaged { path, reason, .. } => (path.clone(), reason.clone()),
        _ => return error,
    };
    let current = manifests::sound(dir).ok();
    let file = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let needs_it = |manifest: &Manifest| manifest.files().any(|entry| entry.file == file);
    let can_be_opened = |kept: &&Manifest| missing(dir, kept).is_empty() && !needs_it(kept);
    let earlier = manifests::earlier(dir, current.as_ref()).unwrap_or_default();
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

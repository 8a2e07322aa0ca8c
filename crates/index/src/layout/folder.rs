//! The folder of a store: whose it is, and what is done to its files.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::Path;

use super::manifest::Manifest;
use super::{names, read};
use crate::error::{Error, Result};

pub(super) fn make_folder(dir: &Path) -> Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(dir).map_err(Error::io("create the folder", dir))?;
    // So that the folder itself outlives a power cut. A parent that may be searched but not read
    // cannot be synced, and that is no reason to fail.
    if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        let _ = sync_folder(parent);
    }
    Ok(())
}

/// A folder with files, but neither manifest nor lock, is not ours: not even a lock is made there.
pub(super) fn refuse_foreign_folder(dir: &Path) -> Result<()> {
    let exists = |name: &str| dir.join(name).symlink_metadata().is_ok();
    if exists(names::MANIFEST) || exists(names::LOCK) {
        return Ok(());
    }
    refuse_foreign_files(dir, &BTreeSet::new())
}

pub(super) fn refuse_foreign_files(dir: &Path, left_behind: &BTreeSet<String>) -> Result<()> {
    for entry in fs::read_dir(dir).map_err(Error::io("list", dir))? {
        let name = entry.map_err(Error::io("list", dir))?.file_name();
        let name = name.to_string_lossy();
        let ours = [names::LOCK, names::MANIFEST_TEMPORARY].contains(&&*name)
            || left_behind.contains(&*name);
        if !ours {
            return Err(Error::Occupied {
                path: dir.to_owned(),
                reason: format!(
                    "expected a store or an empty folder, found {name:?} and no manifest.json"
                ),
            });
        }
    }
    Ok(())
}

/// The manifest of the store that is about to be replaced, if there is one.
pub(super) fn current_manifest(dir: &Path) -> Result<Option<Manifest>> {
    match read::manifest(dir) {
        Ok(manifest) => Ok(Some(manifest)),
        Err(Error::NotAStore { .. }) => Ok(None),
        Err(error @ (Error::Damaged { .. } | Error::UnsupportedVersion { .. })) => {
            Err(Error::Occupied { path: dir.to_owned(), reason: error.to_string() })
        }
        Err(error) => Err(error),
    }
}

pub(super) fn remove<'a>(dir: &Path, files: impl IntoIterator<Item = &'a String>) -> Result<()> {
    for file in files {
        let path = dir.join(file);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Error::Io { action: "remove", path, source: error });
            }
            _ => {}
        }
    }
    Ok(())
}

pub(super) fn sync_folder(dir: &Path) -> Result<()> {
    File::open(dir).and_then(|folder| folder.sync_all()).map_err(Error::io("sync the folder", dir))
}

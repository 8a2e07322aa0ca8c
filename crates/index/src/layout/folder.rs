//! The folder of a store: whose it is, and what is done to its files.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use super::lock::Journal;
use super::names;
use crate::error::{Error, Result};

/// Makes the folder and those above it that are missing.
pub(super) fn make_folder(dir: &Path) -> Result<()> {
    let is_missing = |folder: &&Path| !folder.as_os_str().is_empty() && !folder.is_dir();
    let missing: Vec<&Path> = dir.ancestors().take_while(is_missing).collect();
    for folder in missing.into_iter().rev() {
        match fs::create_dir(folder) {
            // Another writer was faster, or the path goes up and down again.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => {}
            created => created.map_err(Error::io("create the folder", folder))?,
        }
        // So that the folder itself outlives a power cut. A parent that may be searched but not read cannot be
        // synced, and that is no reason to fail.
        let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
        let _ = sync_folder(parent.unwrap_or(Path::new(".")));
    }
    Ok(())
}

/// Files in another place, that a link leads to, are never written, and renaming over the link would part the two.
pub(super) fn refuse_links(dir: &Path) -> Result<()> {
    for name in [names::MANIFEST, names::LOCK] {
        if dir.join(name).is_symlink() {
            return Err(Error::Occupied {
                path: dir.to_owned(),
                reason: format!(
                    "its {name} is a symbolic link, as tools that version data make them; let the tool put the files \
                     themselves there first (`dvc unprotect`, `git annex unlock`)"
                ),
            });
        }
    }
    Ok(())
}

/// A folder with files, but neither manifest nor lock, is not ours: not even a lock is made there.
pub(super) fn refuse_foreign_folder(dir: &Path) -> Result<()> {
    let exists = |name: &str| dir.join(name).symlink_metadata().is_ok();
    if exists(names::MANIFEST) || exists(names::LOCK) {
        return Ok(());
    }
    refuse_foreign_files(dir, &Journal::new())
}

pub(super) fn refuse_foreign_files(dir: &Path, left_behind: &Journal) -> Result<()> {
    for entry in fs::read_dir(dir).map_err(Error::io("list", dir))? {
        let name = entry.map_err(Error::io("list", dir))?.file_name();
        let name = name.to_string_lossy();
        let ours = [names::LOCK, names::MANIFEST_TEMPORARY].contains(&&*name)
            || left_behind.contains_key(&*name);
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

/// What a writer that was killed has left of the next manifest. No other file may have this name.
pub(super) fn remove_temporary(dir: &Path) -> Result<()> {
    let path = dir.join(names::MANIFEST_TEMPORARY);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::Io { action: "remove", path, source: error })
        }
        _ => Ok(()),
    }
}

pub(super) fn sync_folder(dir: &Path) -> Result<()> {
    File::open(dir).and_then(|folder| folder.sync_all()).map_err(Error::io("sync the folder", dir))
}

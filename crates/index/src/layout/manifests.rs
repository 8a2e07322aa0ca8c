//! The manifests in a store's folder: the current one, and those of earlier generations, with a number in their names.

use std::fs;
use std::path::Path;

use super::manifest::Manifest;
use super::{names, regular_file};
use crate::error::{Error, Result};

/// The current manifest, which must be there and sound.
pub(super) fn sound(dir: &Path) -> Result<Manifest> {
    let path = dir.join(names::MANIFEST);
    match regular_file::open(&path)? {
        Some(file) => Manifest::read(&path, &file),
        None => Err(Error::NotAStore { path: dir.to_owned() }),
    }
}

/// The manifest of this generation, if it is kept beside the current one.
pub(super) fn numbered(dir: &Path, generation: u64) -> Result<Option<Manifest>> {
    let path = dir.join(names::numbered(names::MANIFEST, generation));
    let Some(file) = regular_file::open(&path)? else { return Ok(None) };
    let manifest = Manifest::read(&path, &file)?;
    if manifest.generation == generation {
        return Ok(Some(manifest));
    }
    let reason = format!("expected generation {generation}, found {}", manifest.generation);
    Err(Error::damaged(&path, reason))
}

pub(super) fn of_generation(dir: &Path, generation: Option<u64>) -> Result<Manifest> {
    let Some(generation) = generation else { return sound(dir) };
    // An earlier one can be read without the current one.
    let current = current(dir)?;
    if let Some(current) = current.as_ref().filter(|current| current.generation == generation) {
        return Ok(current.clone());
    }
    if let Some(found) = numbered(dir, generation)? {
        return Ok(found);
    }
    let earlier = earlier(dir, current.as_ref())?;
    let numbers = earlier.iter().chain(&current).map(|kept| kept.generation.to_string());
    let kept = numbers.collect::<Vec<_>>().join(", ");
    Err(Error::UnknownGeneration { path: dir.to_owned(), generation, kept })
}

/// The current manifest; `None` where it is lost or damaged and others are kept beside it.
pub(super) fn current(dir: &Path) -> Result<Option<Manifest>> {
    match sound(dir) {
        Ok(manifest) => Ok(Some(manifest)),
        Err(Error::NotAStore { .. } | Error::Damaged { .. })
            if earlier(dir, None).is_ok_and(|earlier| !earlier.is_empty()) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
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
        match numbered(dir, generation) {
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

//! What writing a generation will change in a folder: its manifest to be, the files to make and those to remove.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::path::Path;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::folder::sync_folder;
use super::lock::{Journal, WriterLock, identity};
use super::manifest::{Change, FileEntry, Manifest};
use super::{manifests, names};
use crate::error::{Error, Result};

/// The manifest to be: the files that a kept generation has already, and the names of the others, which have no
/// checksum yet.
pub(super) fn draft(
    dir: &Path,
    content: &Manifest,
    generations: &[&Manifest],
    change: Option<&Change>,
) -> Result<Manifest> {
    let generation = free_number(dir, content, generations)?;
    let known: BTreeSet<(&str, &str)> = generations
        .iter()
        .flat_map(|manifest| manifest.files())
        .map(|entry| (entry.file.as_str(), entry.sha256.as_str()))
        .collect();
    let place = |entry: &FileEntry, name: &str| {
        if known.contains(&(entry.file.as_str(), entry.sha256.as_str())) {
            entry.clone()
        } else {
            FileEntry { file: names::numbered(name, generation), bytes: 0, sha256: String::new() }
        }
    };
    let mut draft = content.unsaved();
    (draft.generation, draft.created_at) = (generation, now()?);
    let built = || Change { added: content.count, ..Change::new("build", None) };
    draft.change = change.cloned().unwrap_or_else(built);
    draft.index = place(&content.index, names::INDEX);
    draft.records = place(&content.records, names::RECORDS);
    // The two are of one generation, so that nobody has to ask whether they fit.
    if is_new(&draft.index) != is_new(&draft.records) {
        draft.index = place(&FileEntry::none(), names::INDEX);
        draft.records = place(&FileEntry::none(), names::RECORDS);
    }
    let attachments = content.attachments.iter();
    draft.attachments = attachments.map(|(name, e)| (name.clone(), place(e, name))).collect();
    Ok(draft)
}

/// The first number after those that are kept under which no file stands: somebody's own, or one of a generation
/// whose manifest is lost.
fn free_number(dir: &Path, content: &Manifest, generations: &[&Manifest]) -> Result<u64> {
    let attachments = content.attachments.keys().map(String::as_str);
    let names: Vec<&str> =
        [names::INDEX, names::RECORDS, names::MANIFEST].into_iter().chain(attachments).collect();
    let is_free = |generation: &u64| {
        let stands = |name: &&str| dir.join(names::numbered(name, *generation)).symlink_metadata();
        !names.iter().any(|name| stands(name).is_ok())
    };
    let last = generations.iter().map(|manifest| manifest.generation).max().unwrap_or(0);
    // The last one of all would leave none for a next one.
    let free = (last..u64::MAX).skip(1).find(is_free);
    free.ok_or_else(|| Error::contents("its generations are used up"))
}

pub(super) fn is_new(entry: &FileEntry) -> bool {
    entry.sha256.is_empty()
}

fn now() -> Result<String> {
    OffsetDateTime::now_utc()
        .replace_nanosecond(0)
        .map_err(|error| error.to_string())
        .and_then(|time| time.format(&Rfc3339).map_err(|error| error.to_string()))
        .map_err(|error| Error::contents(format!("the clock shows no date: {error}")))
}

/// The files before and after.
pub(super) struct Plan {
    /// What is about to be made.
    pub made: BTreeSet<String>,
    /// Manifests of generations that are kept no longer: removed first.
    old_manifests: BTreeSet<String>,
    /// Their files that no other generation has.
    old_files: BTreeSet<String>,
}

impl Plan {
    pub fn new(
        dir: &Path,
        draft: &Manifest,
        current: Option<&Manifest>,
        generations: &[&Manifest],
        keep_generations: NonZeroUsize,
    ) -> Self {
        let beyond = generations.len().saturating_sub(keep_generations.get() - 1);
        let (old, kept) = generations.split_at(beyond);
        let files =
            |manifest: &Manifest| manifest.files().map(|e| e.file.clone()).collect::<Vec<_>>();
        let manifest_file =
            |manifest: &Manifest| names::numbered(names::MANIFEST, manifest.generation);
        let still_named: BTreeSet<String> =
            kept.iter().copied().chain([draft]).flat_map(files).collect();
        let mut made: BTreeSet<String> =
            draft.files().filter(|e| is_new(e)).map(|e| e.file.clone()).collect();
        let kept_current =
            current.filter(|now| kept.iter().any(|k| k.generation == now.generation));
        // One that is there already was left by a writer that was killed, here or where the folder was copied from.
        let is_there = |now: &&Manifest| {
            manifests::numbered(dir, now.generation).is_ok_and(|found| found.as_ref() == Some(*now))
        };
        made.extend(kept_current.filter(|now| !is_there(now)).map(manifest_file));
        let old_files = old.iter().copied().flat_map(files);
        Self {
            made,
            // The current one has no numbered manifest: a file of that name is not ours.
            old_manifests: old
                .iter()
                .copied()
                .filter(|manifest| current.map(|now| now.generation) != Some(manifest.generation))
                .map(manifest_file)
                .collect(),
            old_files: old_files.filter(|file| !still_named.contains(file)).collect(),
        }
    }

    /// What is to be removed where this goes wrong, and where it does not.
    pub fn journal(&self, dir: &Path) -> Journal {
        let look = |name: &String| dir.join(name).symlink_metadata().ok();
        let old = self
            .old_manifests
            .iter()
            .chain(&self.old_files)
            .filter_map(|name| look(name).map(|found| (name.clone(), Some(identity(&found)))));
        self.made.iter().map(|name| (name.clone(), None)).chain(old).collect()
    }

    /// Manifests first: what is left of a generation without one is found by the journal.
    pub fn remove_old(&self, dir: &Path, lock: &WriterLock) -> Result<()> {
        if !self.old_manifests.is_empty() {
            lock.remove_listed(|name| self.old_manifests.contains(name))?;
            sync_folder(dir)?;
        }
        lock.remove_listed(|name| self.old_files.contains(name))
    }
}

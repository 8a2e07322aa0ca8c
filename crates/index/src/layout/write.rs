//! Writing a store: new files beside the old ones, then one rename.

use std::collections::BTreeSet;
use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;

use ndarray::ArrayView2;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::folder::{
    make_folder, refuse_foreign_files, refuse_foreign_folder, refuse_links, remove_temporary,
    sync_folder,
};
use super::identity::FileIdentity;
use super::lock::{Journal, WriterLock};
use super::manifest::{Change, FileEntry, Manifest};
use super::new_file::NewFile;
use super::read::{self, Loaded};
use super::{faiss_file, history, names, records_file};
use crate::error::{Error, Result};
use crate::record::Record;

/// What a new generation may take the place of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Replaces<'a> {
    /// Any sound store, or none.
    Anything,
    /// The generation that the content was made from: where another one is current by now, nothing is written.
    Generation(&'a Manifest),
    /// A `manifest.json` that is lost or damaged, beside the manifests of generations that are kept. Nothing is
    /// written where it is sound.
    LostManifest,
}

/// How a store is written over another one.
#[derive(Debug, Clone)]
pub struct WriteOptions<'a> {
    /// What must be there before.
    pub replaces: Replaces<'a>,
    /// How many generations there are afterwards at most, the new one among them.
    pub keep_generations: NonZeroUsize,
    /// What the manifest says of how it came about.
    pub change: Option<Change>,
}

impl Default for WriteOptions<'_> {
    /// Replaces whatever is there, and keeps nothing of it.
    fn default() -> Self {
        let replaces = Replaces::Anything;
        Self { replaces, keep_generations: NonZeroUsize::MIN, change: None }
    }
}

/// The files before and after.
struct Plan {
    /// What is about to be made.
    made: BTreeSet<String>,
    /// Manifests of generations that are kept no longer: removed first.
    old_manifests: BTreeSet<String>,
    /// Their files that no other generation has.
    old_files: BTreeSet<String>,
}

/// See [`FileStore::save`](crate::FileStore::save).
pub(crate) fn write(dir: &Path, store: &Loaded, options: &WriteOptions<'_>) -> Result<Manifest> {
    if let Some(reason) = options.change.as_ref().and_then(Change::violation) {
        return Err(Error::contents(reason));
    }
    make_folder(dir)?;
    refuse_links(dir)?;
    refuse_foreign_folder(dir)?;
    let mut lock = WriterLock::acquire(dir)?;
    let current = replaced(dir, options, lock.journal())?;
    let earlier = history::earlier(dir, current.as_ref())?;
    let generations: Vec<&Manifest> = earlier.iter().chain(&current).collect();
    clear_left_behind(dir, &lock, &earlier, current.as_ref())?;

    let draft = draft(dir, store, &generations, options)?;
    let plan = Plan::new(dir, &draft, current.as_ref(), &generations, options.keep_generations);
    refuse_casualties(dir, &plan.made)?;
    lock.set_journal(plan.journal(dir))?;
    sync_folder(dir)?;

    let written = write_files(dir, store, draft, current.as_ref(), &plan, &mut lock);
    let manifest = written.inspect_err(|_| {
        // The error that is being reported matters more than one of tidying up, which the next writer does again.
        let undone = lock.remove_listed(|name| plan.made.contains(name));
        let _ = remove_temporary(dir).and(undone).and_then(|()| forget_removed(dir, &mut lock));
    })?;
    // From here on the new store is the one that readers see.
    sync_folder(dir)?;
    // If tidying up fails, the journal still lists what the next writer has to remove.
    let _ = plan.remove_old(dir, &lock).and_then(|()| forget_removed(dir, &mut lock));
    Ok(manifest)
}

/// What writers that were killed left behind, and no generation has.
fn clear_left_behind(
    dir: &Path,
    lock: &WriterLock,
    earlier: &[Manifest],
    current: Option<&Manifest>,
) -> Result<()> {
    let files = earlier.iter().chain(current).flat_map(Manifest::files).map(|e| e.file.clone());
    let manifests = earlier.iter().map(|m| names::numbered(names::MANIFEST, m.generation));
    let in_use: BTreeSet<String> = files.chain(manifests).collect();
    lock.remove_listed(|name| !in_use.contains(name))?;
    remove_temporary(dir)?;
    // Before the list is replaced: after a power cut they would be there again and nobody would know whose they are.
    sync_folder(dir)
}

/// The list is emptied only once what it lists is gone for good.
fn forget_removed(dir: &Path, lock: &mut WriterLock) -> Result<()> {
    sync_folder(dir)?;
    lock.set_journal(Journal::new())
}

/// The manifest of the store that is about to be replaced, if there is one and it may be replaced.
fn replaced(
    dir: &Path,
    options: &WriteOptions<'_>,
    left_behind: &Journal,
) -> Result<Option<Manifest>> {
    let occupied = |error| Error::Occupied {
        path: dir.to_owned(),
        reason: history::with_way_back(dir, error).to_string(),
    };
    match (read::manifest(dir), options.replaces) {
        (Ok(manifest), Replaces::LostManifest) => Err(superseded(dir, 0, &manifest)),
        (Ok(manifest), Replaces::Generation(expected))
            if expected.checksum != manifest.checksum =>
        {
            Err(superseded(dir, expected.generation, &manifest))
        }
        (Ok(manifest), _) => Ok(Some(manifest)),
        (Err(Error::NotAStore { .. } | Error::Damaged { .. }), Replaces::LostManifest) => {
            history::current(dir)
        }
        (Err(error @ Error::NotAStore { .. }), _) => {
            if !history::earlier(dir, None)?.is_empty() {
                return Err(occupied(error));
            }
            refuse_foreign_files(dir, left_behind)?;
            match options.replaces {
                Replaces::Generation(_) => Err(error),
                _ => Ok(None),
            }
        }
        (Err(error @ (Error::Damaged { .. } | Error::UnsupportedVersion { .. })), _) => {
            Err(occupied(error))
        }
        (Err(error), _) => Err(error),
    }
}

fn superseded(dir: &Path, expected: u64, found: &Manifest) -> Error {
    Error::Superseded { path: dir.to_owned(), expected, found: found.generation }
}

/// A file that stands where a new one would go is not ours: it must not get into the journal, which would have it
/// removed when anything fails.
fn refuse_casualties(dir: &Path, made: &BTreeSet<String>) -> Result<()> {
    for name in made {
        let path = dir.join(name);
        if path.symlink_metadata().is_ok() {
            return Err(Error::io("create", &path)(std::io::ErrorKind::AlreadyExists.into()));
        }
    }
    Ok(())
}

/// The manifest to be: the files that a kept generation has already, and the names of the others, which have no
/// checksum yet.
fn draft(
    dir: &Path,
    store: &Loaded,
    generations: &[&Manifest],
    options: &WriteOptions<'_>,
) -> Result<Manifest> {
    let content = &store.manifest;
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
    draft.change.clone_from(&options.change);
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

fn is_new(entry: &FileEntry) -> bool {
    entry.sha256.is_empty()
}

impl Plan {
    fn new(
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
            read::numbered_manifest(dir, now.generation)
                .is_ok_and(|found| found.as_ref() == Some(*now))
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
    fn journal(&self, dir: &Path) -> Journal {
        let look = |name: &String| dir.join(name).symlink_metadata().ok();
        let old = self.old_manifests.iter().chain(&self.old_files).filter_map(|name| {
            look(name).map(|found| (name.clone(), Some(FileIdentity::of(&found))))
        });
        self.made.iter().map(|name| (name.clone(), None)).chain(old).collect()
    }

    /// Manifests first: what is left of a generation without one is found by the journal.
    fn remove_old(&self, dir: &Path, lock: &WriterLock) -> Result<()> {
        if !self.old_manifests.is_empty() {
            lock.remove_listed(|name| self.old_manifests.contains(name))?;
            sync_folder(dir)?;
        }
        lock.remove_listed(|name| self.old_files.contains(name))
    }
}

/// Writes and syncs all new files of a generation and makes its manifest the current one.
fn write_files(
    dir: &Path,
    store: &Loaded,
    mut manifest: Manifest,
    current: Option<&Manifest>,
    plan: &Plan,
    lock: &mut WriterLock,
) -> Result<Manifest> {
    let shared: Vec<FileEntry> = manifest.files().filter(|e| !is_new(e)).cloned().collect();
    if is_new(&manifest.index) {
        (manifest.index, manifest.records) = write_rows(dir, store, &manifest, lock)?;
    }
    for (name, bytes) in &store.attachments {
        if let Some(entry) = manifest.attachments.get_mut(name).filter(|entry| is_new(entry)) {
            let mut file = NewFile::create(dir, entry.file.clone(), lock)?;
            file.write(bytes)?;
            *entry = file.finish()?;
        }
    }
    if let Some(current) = current {
        let name = names::numbered(names::MANIFEST, current.generation);
        if plan.made.contains(&name) {
            write_manifest(NewFile::create(dir, name, lock)?, &mut current.clone())?;
        }
    }
    let temporary = NewFile::create_unlisted(dir, names::MANIFEST_TEMPORARY.to_owned())?;
    write_manifest(temporary, &mut manifest)?;
    sync_folder(dir)?;
    // What others have done to the files that it shares since this store was read must not become its content.
    shared.iter().try_for_each(|entry| read::check_file(dir, entry))?;
    let path = dir.join(names::MANIFEST);
    fs::rename(dir.join(names::MANIFEST_TEMPORARY), &path).map_err(Error::io("replace", &path))?;
    Ok(manifest)
}

fn write_manifest(mut file: NewFile, manifest: &mut Manifest) -> Result<()> {
    file.write(&manifest.seal()?)?;
    file.finish().map(drop)
}

/// Writes the FAISS file and the records file.
fn write_rows(
    dir: &Path,
    store: &Loaded,
    draft: &Manifest,
    lock: &mut WriterLock,
) -> Result<(FileEntry, FileEntry)> {
    let header = faiss_file::header(draft.dimension, draft.count)
        .ok_or_else(|| Error::contents("more values than a FAISS file can count"))?;
    let mut index = NewFile::create(dir, draft.index.file.clone(), lock)?;
    let mut records = NewFile::create(dir, draft.records.file.clone(), lock)?;
    index.write(&header)?;
    for group in &store.groups {
        write_embeddings(&mut index, group.index.rows())?;
        let mut bytes = Vec::new();
        for row in group.first_row..group.first_row + group.index.len() {
            let label = group.label.as_deref().map(str::to_owned);
            let record = Record { id: store.ids[row].to_string(), label };
            bytes.clear();
            records_file::render(&record, store.norms.get(row).copied(), &mut bytes)?;
            records.write(&bytes)?;
        }
    }
    Ok((index.finish()?, records.finish()?))
}

fn write_embeddings(file: &mut NewFile, rows: ArrayView2<'_, f32>) -> Result<()> {
    let mut bytes = Vec::new();
    for row in rows.outer_iter() {
        bytes.clear();
        bytes.extend(row.iter().flat_map(|x| x.to_le_bytes()));
        file.write(&bytes)?;
    }
    Ok(())
}

fn now() -> Result<String> {
    OffsetDateTime::now_utc()
        .replace_nanosecond(0)
        .map_err(|error| error.to_string())
        .and_then(|time| time.format(&Rfc3339).map_err(|error| error.to_string()))
        .map_err(|error| Error::contents(format!("the clock shows no date: {error}")))
}

//! Writing a store: new files beside the old ones, then one rename.

use std::collections::BTreeSet;
use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;

use ndarray::ArrayView2;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::folder::{
    current_manifest, make_folder, refuse_foreign_files, refuse_foreign_folder, remove, sync_folder,
};
use super::lock::WriterLock;
use super::manifest::{Change, FileEntry, Manifest};
use super::new_file::NewFile;
use super::read::Loaded;
use super::{faiss_file, history, names, records_file};
use crate::error::{Error, Result};
use crate::record::Record;

/// How a store is written over another one.
#[derive(Debug, Clone)]
pub struct WriteOptions<'a> {
    /// The generation that the content was made from: where another one is current by now, nothing is
    /// written. `None` replaces whatever is there.
    pub replaces: Option<&'a Manifest>,
    /// How many generations there are afterwards at most, the new one among them.
    pub keep_generations: NonZeroUsize,
    /// What the manifest says of how it came about.
    pub change: Option<Change>,
}

impl Default for WriteOptions<'_> {
    /// Replaces whatever is there, and keeps nothing of it.
    fn default() -> Self {
        Self { replaces: None, keep_generations: NonZeroUsize::MIN, change: None }
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
    refuse_foreign_folder(dir)?;
    let mut lock = WriterLock::acquire(dir)?;
    let left_behind = lock.journal()?;
    let current = current_manifest(dir)?;
    if current.is_none() {
        refuse_foreign_files(dir, &left_behind)?;
    }
    refuse_superseded(dir, current.as_ref(), options)?;
    let earlier = history::earlier(dir, current.as_ref())?;
    let generations: Vec<&Manifest> = earlier.iter().chain(&current).collect();
    let in_use: BTreeSet<String> = earlier
        .iter()
        .map(|manifest| names::numbered(names::MANIFEST, manifest.generation))
        .chain(generations.iter().flat_map(|manifest| manifest.files()).map(|e| e.file.clone()))
        .collect();
    remove(dir, left_behind.difference(&in_use))?;
    remove(dir, [&names::MANIFEST_TEMPORARY.to_owned()])?;

    let draft = draft(store, &generations, options)?;
    let plan = Plan::new(&draft, current.as_ref(), &generations, options.keep_generations);
    refuse_casualties(dir, &plan.made)?;
    let old = plan.old_manifests.union(&plan.old_files).cloned().collect();
    lock.set_journal(&plan.made.union(&old).cloned().collect())?;
    sync_folder(dir)?;

    let manifest = write_files(dir, store, draft, current.as_ref(), &plan).inspect_err(|_| {
        // The error that is being reported matters more than one of tidying up, which the next
        // writer does again.
        let _ = remove(dir, &plan.made);
        let _ = remove(dir, [&names::MANIFEST_TEMPORARY.to_owned()]);
    })?;
    // From here on the new store is the one that readers see.
    sync_folder(dir)?;
    // If tidying up fails, the journal still lists what the next writer has to remove.
    if plan.remove_old(dir).is_ok() {
        let _ = lock.set_journal(&BTreeSet::new());
    }
    Ok(manifest)
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

fn refuse_superseded(
    dir: &Path,
    current: Option<&Manifest>,
    options: &WriteOptions<'_>,
) -> Result<()> {
    match options.replaces {
        Some(expected) if current.map(|found| &found.checksum) != Some(&expected.checksum) => {
            Err(Error::Superseded {
                path: dir.to_owned(),
                expected: expected.generation,
                found: current.map_or(0, |found| found.generation),
            })
        }
        _ => Ok(()),
    }
}

/// The manifest to be: the files that a kept generation has already, and the names of the others, which have no
/// checksum yet.
fn draft(
    store: &Loaded,
    generations: &[&Manifest],
    options: &WriteOptions<'_>,
) -> Result<Manifest> {
    let last = generations.iter().map(|manifest| manifest.generation).max().unwrap_or(0);
    let generation =
        last.checked_add(1).ok_or_else(|| Error::contents("its generations are used up"))?;
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
    let content = &store.manifest;
    let mut draft = Manifest::draft(generation, now()?, content.normalization);
    (draft.count, draft.dimension) = (content.count, content.dimension);
    draft.model.clone_from(&content.model);
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

fn is_new(entry: &FileEntry) -> bool {
    entry.sha256.is_empty()
}

impl Plan {
    fn new(
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
        made.extend(kept_current.map(manifest_file));
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

    /// Manifests first: what is left of a generation without one is found by the journal.
    fn remove_old(&self, dir: &Path) -> Result<()> {
        if !self.old_manifests.is_empty() {
            remove(dir, &self.old_manifests)?;
            sync_folder(dir)?;
        }
        remove(dir, &self.old_files)
    }
}

/// Writes and syncs all new files of a generation and makes its manifest the current one.
fn write_files(
    dir: &Path,
    store: &Loaded,
    mut manifest: Manifest,
    current: Option<&Manifest>,
    plan: &Plan,
) -> Result<Manifest> {
    if is_new(&manifest.index) {
        (manifest.index, manifest.records) = write_rows(dir, store, &manifest)?;
    }
    for (name, bytes) in &store.attachments {
        if let Some(entry) = manifest.attachments.get_mut(name).filter(|entry| is_new(entry)) {
            let mut file = NewFile::create(dir, entry.file.clone())?;
            file.write(bytes)?;
            *entry = file.finish()?;
        }
    }
    if let Some(current) = current {
        let name = names::numbered(names::MANIFEST, current.generation);
        if plan.made.contains(&name) {
            write_manifest(dir, name, &mut current.clone())?;
        }
    }
    write_manifest(dir, names::MANIFEST_TEMPORARY.to_owned(), &mut manifest)?;
    sync_folder(dir)?;
    let path = dir.join(names::MANIFEST);
    fs::rename(dir.join(names::MANIFEST_TEMPORARY), &path).map_err(Error::io("replace", &path))?;
    Ok(manifest)
}

fn write_manifest(dir: &Path, name: String, manifest: &mut Manifest) -> Result<()> {
    let bytes = manifest.seal()?;
    let mut file = NewFile::create(dir, name)?;
    file.write(&bytes)?;
    file.finish().map(drop)
}

/// Writes the FAISS file and the records file.
fn write_rows(dir: &Path, store: &Loaded, draft: &Manifest) -> Result<(FileEntry, FileEntry)> {
    let header = faiss_file::header(draft.dimension, draft.count)
        .ok_or_else(|| Error::contents("more values than a FAISS file can count"))?;
    let mut index = NewFile::create(dir, draft.index.file.clone())?;
    let mut records = NewFile::create(dir, draft.records.file.clone())?;
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

//! Writing a store: new files beside the old ones, then one rename.

use std::collections::BTreeSet;
use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;

use ndarray::ArrayView2;

use super::contents::StoreContents;
use super::folder::{
    make_folder, refuse_foreign_files, refuse_foreign_folder, refuse_links, remove_temporary,
    sync_folder,
};
use super::lock::{Journal, WriterLock};
use super::manifest::{Change, FileEntry, Manifest};
use super::new_file::NewFile;
use super::plan::{Plan, draft, is_new};
use super::{data_file, faiss_file, history, manifests, names, records_file};
use crate::error::{Error, Result};
use crate::file_store::{FileStore, Filter};

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
    /// What the manifest says of how it came about: by default, that it was built as a whole.
    pub change: Option<Change>,
}

impl Default for WriteOptions<'_> {
    /// Replaces whatever is there, and keeps nothing of it.
    fn default() -> Self {
        let replaces = Replaces::Anything;
        Self { replaces, keep_generations: NonZeroUsize::MIN, change: None }
    }
}

impl FileStore {
    /// Writes a store into `dir`, which is made if need be, or replaces the one there and keeps nothing of it:
    /// [`save`](Self::save) of [`in_memory`](Self::in_memory), with the default options.
    ///
    /// # Errors
    ///
    /// As those two.
    pub fn write(dir: &Path, contents: &StoreContents) -> Result<Manifest> {
        Self::in_memory(contents)?.save(dir, &WriteOptions::default())
    }

    /// Writes this store into `dir`, which is made if need be, as the next generation of the one there.
    ///
    /// The new generation becomes visible at once and as a whole, after everything of it is on disk. If
    /// this fails or is killed at any point, the old one stays as it was; what is left over is
    /// removed by the next write. Files that no store made are never touched. Rows and attachments
    /// that a kept generation in `dir` has already, this store having been opened there, are not
    /// written again: the generations share the files.
    ///
    /// # Errors
    ///
    /// [`Error::Occupied`] for a folder that holds something else; [`Error::Locked`] while another
    /// process writes; [`Error::Superseded`]; [`Error::InvalidContents`] for a change that cannot be
    /// stored; [`Error::Damaged`] where a file that it would share is not there any more, or is another one;
    /// [`Error::Io`], e.g. for a full disk.
    pub fn save(&self, dir: &Path, options: &WriteOptions<'_>) -> Result<Manifest> {
        if let Some(reason) = options.change.as_ref().and_then(Change::violation) {
            return Err(Error::contents(reason));
        }
        make_folder(dir)?;
        refuse_links(dir)?;
        refuse_foreign_folder(dir)?;
        let mut lock = WriterLock::acquire(dir)?;
        let current = replaced(dir, options, lock.journal())?;
        let earlier = manifests::earlier(dir, current.as_ref())?;
        let generations: Vec<&Manifest> = earlier.iter().chain(&current).collect();
        clear_left_behind(dir, &lock, &earlier, current.as_ref())?;

        let draft = draft(dir, &self.manifest, &generations, options.change.as_ref())?;
        let plan = Plan::new(dir, &draft, current.as_ref(), &generations, options.keep_generations);
        refuse_casualties(dir, &plan.made)?;
        lock.set_journal(plan.journal(dir))?;
        sync_folder(dir)?;

        let written = write_files(dir, self, draft, current.as_ref(), &plan, &mut lock);
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
    match (manifests::sound(dir), options.replaces) {
        (Ok(manifest), Replaces::LostManifest) => Err(superseded(dir, 0, &manifest)),
        (Ok(manifest), Replaces::Generation(expected))
            if expected.checksum != manifest.checksum =>
        {
            Err(superseded(dir, expected.generation, &manifest))
        }
        (Ok(manifest), _) => Ok(Some(manifest)),
        (Err(Error::NotAStore { .. } | Error::Damaged { .. }), Replaces::LostManifest) => {
            manifests::current(dir)
        }
        (Err(error @ Error::NotAStore { .. }), _) => {
            if !manifests::earlier(dir, None)?.is_empty() {
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

/// Writes and syncs all new files of a generation and makes its manifest the current one.
fn write_files(
    dir: &Path,
    store: &FileStore,
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
    shared.iter().try_for_each(|entry| data_file::check_file(dir, entry))?;
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
    store: &FileStore,
    draft: &Manifest,
    lock: &mut WriterLock,
) -> Result<(FileEntry, FileEntry)> {
    let header = faiss_file::header(draft.dimension, draft.count)
        .ok_or_else(|| Error::contents("more values than a FAISS file can count"))?;
    let mut index = NewFile::create(dir, draft.index.file.clone(), lock)?;
    let mut records = NewFile::create(dir, draft.records.file.clone(), lock)?;
    index.write(&header)?;
    for group in &store.rows.groups {
        write_embeddings(&mut index, group.index.rows())?;
    }
    let mut bytes = Vec::new();
    for (row, record) in store.records(Filter::All).iter().enumerate() {
        bytes.clear();
        records_file::render(record, store.norms().get(row).copied(), &mut bytes)?;
        records.write(&bytes)?;
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

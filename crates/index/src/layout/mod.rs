//! The files of a store on disk and how they are replaced.
//!
//! ```text
//! manifest.json              names the files below with their sizes and SHA-256; the commit point
//! index-000001.faiss         all rows: a FAISS IndexFlatL2, as Python's faiss.read_index reads it
//! records-000001.jsonl       one JSON object a line, in the order of the rows: id, label, norm
//! calibration-000001.json    an attachment, here one called calibration.json
//! manifest-000001.json       the manifest of an earlier generation that is kept
//! .lock                      held by the writer; lists the files a writer may have left behind
//! ```
//!
//! # Why a manifest and numbered files
//!
//! A store is several files, and a rename replaces one. So a writer puts complete, synced files
//! under the names of the next generation beside the old ones, and then renames one small file that
//! names them. A crash at any point leaves either the old manifest with all its files or the new
//! one with all of its own. A reader that opens the old files a moment before they are removed
//! keeps them; one that comes a moment too late reads the manifest again.
//!
//! # Earlier generations
//!
//! A writer may keep what it replaces: the old manifest stays beside the new one under its number, and with it the
//! files that it names. A file that does not change is named by several manifests and is there once. What no kept
//! manifest names any more is removed, as what a writer leaves behind: because a manifest or the journal of ours
//! names it, never because of its name. (`manifest.json.tmp` alone is always a writer's.) A generation takes the first
//! number under which no file stands, whosever it is.
//!
//! Where `manifest.json` itself is lost or damaged, the manifests with numbers still say what they name: one of them can
//! be made the current one again.
//!
//! # Links
//!
//! Tools that version data (DVC, git-annex) put symbolic links in place of files. They are followed in reading; where
//! they lead nowhere, the file has not been fetched, and that is told apart from damage. Nothing is written through one.
//!
//! # Why checksums are compared before anything is believed
//!
//! FAISS's own reader trusts the header of a file: it allocates what a size field says, and loads a
//! file whose row count is wrong without an error, to crash in the first search. So this crate
//! reads the 45-byte header and the rows itself and hands FAISS the rows. The checksums catch
//! damage, not malice: whoever can write the folder can write a matching manifest, and then the
//! checks of the header, the lengths and every record still hold.

mod contents;
mod data_file;
mod faiss_file;
mod folder;
mod history;
mod lock;
mod manifest;
mod manifests;
mod names;
mod new_file;
mod plan;
mod read;
mod records_file;
mod regular_file;
mod write;

pub use contents::StoreContents;
pub(crate) use contents::check_attachments;
pub use history::Generation;
pub use manifest::{Change, FileEntry, Manifest, Metric, ModelIdentity};
pub use write::{Replaces, WriteOptions};

//! The images below a folder, in an order that does not depend on the file system.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use sdd_index::{MAX_ID_BYTES, MAX_LABEL_BYTES};
use walkdir::{DirEntry, WalkDir};

use crate::answer::{Failure, UNREADABLE_IMAGE};
use crate::remarks::{Ignored, Skipped};

/// Endings of the file names that are taken for images, whatever their case.
pub const EXTENSIONS: [&str; 10] =
    ["bmp", "dib", "jfif", "jpe", "jpeg", "jpg", "png", "tif", "tiff", "webp"];

/// An image file below a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageFile {
    /// Its path relative to the folder, with `/` between the parts. Control characters and bytes
    /// that are no UTF-8 are written as `%` and two hexadecimal digits.
    pub id: String,
    /// The first folder on that path; none for an image directly in the folder.
    pub label: Option<String>,
    /// Where it is.
    pub path: PathBuf,
}

/// What is below a folder.
#[derive(Debug, Default)]
pub struct Folder {
    /// The images, ascending by id.
    pub images: Vec<ImageFile>,
    /// What looks like an image and cannot be one.
    pub skipped: Vec<Skipped>,
    /// The rest.
    pub ignored: Ignored,
}

/// Lists `folder` and all below it. Links are followed, but not in circles.
pub fn scan(folder: &Path) -> Result<Folder> {
    let mut found = Folder::default();
    let mut entries = WalkDir::new(folder).follow_links(true).min_depth(1).into_iter();
    while let Some(entry) = entries.next() {
        match entry {
            Ok(entry) if is_hidden(entry.file_name()) => {
                found.ignored.hidden += 1;
                if entry.file_type().is_dir() {
                    entries.skip_current_dir();
                }
            }
            Ok(entry) => found.add(folder, &entry),
            Err(error) => found.add_failure(folder, error)?,
        }
    }
    found.images.sort_by(|a, b| a.id.cmp(&b.id));
    if let Some(pair) = found.images.windows(2).find(|pair| pair[0].id == pair[1].id) {
        bail!(
            "{} and {} have names that differ only in bytes that are no text: rename one",
            pair[0].path.display(),
            pair[1].path.display(),
        );
    }
    Ok(found)
}

impl Folder {
    fn add(&mut self, folder: &Path, entry: &DirEntry) {
        if entry.file_type().is_dir() {
            return;
        }
        if !entry.file_type().is_file() || !has_image_name(entry.path()) {
            self.ignored.other_files += 1;
            return;
        }
        let file = describe(folder, entry.path());
        let label_bytes = file.label.as_ref().map_or(0, String::len);
        if file.id.len() > MAX_ID_BYTES || label_bytes > MAX_LABEL_BYTES {
            let reason = format!(
                "its name is too long: a path below the folder has at most {MAX_ID_BYTES} bytes, \
                 and a class {MAX_LABEL_BYTES}"
            );
            self.skipped.push(skipped(file.id, reason));
        } else {
            self.images.push(file);
        }
    }

    fn add_failure(&mut self, folder: &Path, error: walkdir::Error) -> Result<()> {
        if error.loop_ancestor().is_some() {
            self.ignored.loops += 1;
            return Ok(());
        }
        let below = error.path().filter(|_| error.depth() > 0).map(Path::to_owned);
        let Some(path) = below else {
            return Err(error).with_context(|| format!("cannot list {}", folder.display()));
        };
        if path.file_name().is_some_and(is_hidden) {
            self.ignored.hidden += 1;
        } else if path.is_dir() || has_image_name(&path) {
            let reason = error.into_io_error().map_or_else(
                || "it cannot be listed".to_owned(),
                |cause| format!("it cannot be opened: {cause}"),
            );
            self.skipped.push(skipped(describe(folder, &path).id, reason));
        } else {
            self.ignored.other_files += 1;
        }
        Ok(())
    }
}

fn skipped(image: String, message: String) -> Skipped {
    Skipped::new(None, image, Failure { code: UNREADABLE_IMAGE, message })
}

fn is_hidden(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}

fn has_image_name(path: &Path) -> bool {
    let extension = path.extension().and_then(OsStr::to_str).unwrap_or_default();
    EXTENSIONS.iter().any(|known| extension.eq_ignore_ascii_case(known))
}

fn describe(folder: &Path, path: &Path) -> ImageFile {
    let below = path.strip_prefix(folder).unwrap_or(path);
    let mut parts: Vec<String> = below.iter().map(text_of).collect();
    let id = parts.join("/");
    let label = (parts.len() > 1).then(|| parts.swap_remove(0));
    ImageFile { id, label, path: path.to_owned() }
}

/// A file name as text.
fn text_of(name: &OsStr) -> String {
    let mut text = String::new();
    for chunk in name.as_encoded_bytes().utf8_chunks() {
        for character in chunk.valid().chars() {
            if character.is_control() {
                escape(character.encode_utf8(&mut [0; 4]).as_bytes(), &mut text);
            } else {
                text.push(character);
            }
        }
        escape(chunk.invalid(), &mut text);
    }
    text
}

fn escape(bytes: &[u8], text: &mut String) {
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "%{byte:02X}");
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn folder_with(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        folder
    }

    #[test]
    fn classes_are_the_first_folders_and_the_order_is_that_of_the_ids() {
        let files = ["z.PNG", "ok/b.jpg", "ok/a/x.tiff", "ok-2/c.webp"];
        let others = [".b.png", ".git/c.png", "notes.txt", "png", "d.svg"];
        let folder = folder_with(&[&files[..], &others].concat());
        let found = scan(folder.path()).unwrap();
        let images = found.images.iter().map(|file| (file.id.as_str(), file.label.as_deref()));
        let images: Vec<_> = images.collect();
        let ok = Some("ok");
        let expected = [("ok/a/x.tiff", ok), ("ok/b.jpg", ok), ("z.PNG", None)];
        assert_eq!((images[0], &images[1..]), (("ok-2/c.webp", Some("ok-2")), &expected[..]));
        assert_eq!(found.ignored, Ignored { hidden: 2, other_files: 3, loops: 0 });
    }

    #[cfg(unix)]
    #[test]
    fn links_to_files_are_followed_and_circles_are_not() {
        use std::os::unix::fs::symlink;

        let folder = folder_with(&["ok/a.png", "elsewhere/b.dat"]);
        symlink(folder.path().join("elsewhere/b.dat"), folder.path().join("ok/b.png")).unwrap();
        symlink(folder.path(), folder.path().join("ok/again")).unwrap();
        symlink(folder.path().join("nowhere"), folder.path().join("ok/broken.png")).unwrap();
        let found = scan(folder.path()).unwrap();
        let ids: Vec<_> = found.images.iter().map(|file| file.id.as_str()).collect();
        assert_eq!(ids, ["ok/a.png", "ok/b.png"]);
        assert_eq!(found.ignored.loops, 1);
        assert_eq!(found.skipped.len(), 1);
        assert_eq!(found.skipped[0].image, "ok/broken.png");
    }

    #[cfg(unix)]
    #[test]
    fn names_that_are_no_text_are_escaped() {
        use std::os::unix::ffi::OsStrExt;

        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(OsStr::from_bytes(b"caf\xe9\n.png")), "").unwrap();
        fs::write(folder.path().join("café.png"), "").unwrap();
        let ids: Vec<_> = scan(folder.path()).unwrap().images.into_iter().map(|f| f.id).collect();
        assert_eq!(ids, ["caf%E9%0A.png", "café.png"]);
    }

    #[test]
    fn a_name_longer_than_a_store_takes_is_skipped() {
        let long = "x".repeat(200);
        let folder = folder_with(&[&format!("{long}/a.png"), "b.png"]);
        let found = scan(folder.path()).unwrap();
        assert_eq!(found.images.len(), 1);
        assert!(found.skipped[0].reason.contains("too long"));
    }
}

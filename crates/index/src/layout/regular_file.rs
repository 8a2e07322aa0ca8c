//! Opening files, and what a data versioning tool puts in their place until they are fetched.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use crate::error::{Error, Result};

/// Opens a regular file for reading, also through symbolic links; `None` if there is none. Does not wait for the other
/// end of a pipe.
pub(super) fn open(path: &Path) -> Result<Option<File>> {
    let opened = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path);
    let file = match opened {
        Ok(file) => file,
        Err(error) => match dangling_link(path, &error) {
            Some(error) => return Err(error),
            None if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            None => return Err(Error::io("open", path)(error)),
        },
    };
    let kind = file.metadata().map_err(Error::io("examine", path))?.file_type();
    if kind.is_file() {
        Ok(Some(file))
    } else {
        let found = if kind.is_dir() { "a folder" } else { "a pipe or a device" };
        Err(Error::damaged(path, format!("expected a regular file, found {found}")))
    }
}

/// How the text begins that stands in place of a file, whose it is, and what fetches the file.
const POINTERS: [(&[u8], &str, &str); 2] = [
    (b"version https://git-lfs.github.com/spec/", "a pointer of Git LFS", "`git lfs pull`"),
    (b"/annex/objects/", "a pointer of git-annex", "`git annex get`"),
];

/// Looks for a text that stands in place of the file; for one that is not what it should be.
pub(super) fn pointer(path: &Path, file: &File) -> Option<Error> {
    let mut start = [0; 64];
    let length = file.read_at(&mut start, 0).ok()?;
    let found = POINTERS.iter().find(|(text, ..)| start[..length].starts_with(text));
    found.map(|(_, what, fetch)| not_fetched(path, (*what).to_owned(), fetch))
}

/// Looks for a link that leads nowhere; for a file that cannot be opened.
fn dangling_link(path: &Path, error: &io::Error) -> Option<Error> {
    if error.kind() != io::ErrorKind::NotFound {
        return None;
    }
    let target = fs::read_link(path).ok()?;
    let is_annex = target.components().any(|part| part.as_os_str() == "annex");
    let fetch =
        if is_annex { "`git annex get`" } else { "`dvc pull`, or the tool that made the link" };
    let found = format!("a symbolic link to {}, which is not there", target.display());
    Some(not_fetched(path, found, fetch))
}

fn not_fetched(path: &Path, found: String, fetch: &'static str) -> Error {
    Error::NotFetched { path: path.to_owned(), found, fetch }
}

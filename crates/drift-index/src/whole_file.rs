//! Writing a file, whole or not at all.

use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use tempfile::{Builder, NamedTempFile};

/// Finds out before the work, not after it, that nothing can be written there.
pub fn check_destination(path: &Path, endings: &[&str]) -> Result<()> {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    ensure!(
        endings.iter().any(|ending| extension.eq_ignore_ascii_case(ending)),
        "{} does not end in .{}",
        path.display(),
        endings.join(" or ."),
    );
    match fs::symlink_metadata(path) {
        // Renaming over it would replace the device, the pipe or the link itself.
        Ok(found) => ensure!(found.is_file(), "{} is there and is not a file", path.display()),
        Err(_) if path.file_name().is_none() => bail!("{} is no file name", path.display()),
        Err(_) => {}
    }
    begin(path).map(drop)
}

/// A file beside the one to write, which is gone if it is not given that one's name.
pub fn begin(path: &Path) -> Result<NamedTempFile> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    Builder::new()
        .prefix(".drift-index-")
        // What a new file usually gets, less what the umask takes; temporary files are private.
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder)
        .with_context(|| format!("cannot write into {}", folder.display()))
}

/// A file that was there is replaced.
pub fn write(path: &Path, content: &[u8]) -> Result<()> {
    write_with(path, |file| Ok(file.write_all(content)?))
}

/// The same with what `write` writes.
pub fn write_with(path: &Path, write: impl FnOnce(&mut File) -> Result<()>) -> Result<()> {
    let mut unnamed = begin(path)?;
    write(unnamed.as_file_mut())
        .and_then(|()| Ok(unnamed.as_file().sync_all()?))
        .and_then(|()| Ok(unnamed.persist(path).map(drop)?))
        .with_context(|| format!("cannot write {}", path.display()))
}

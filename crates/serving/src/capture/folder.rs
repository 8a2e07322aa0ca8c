//! The capture folder on disk: whole images and whole lines, whenever the server is killed.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use time::Date;

use crate::capture::error::CaptureError;
use crate::capture::names::{self, ImageName};

/// The owner reads and writes, the group reads, nobody else does either: captured images are not for everybody.
const FOLDER_MODE: u32 = 0o750;
const FILE_MODE: u32 = 0o640;

/// The folder, for this process alone, until it is dropped.
#[derive(Debug)]
pub(crate) struct CaptureFolder {
    pub(crate) path: PathBuf,
    lock: File,
    /// Bytes of images and predictions, as far as is known.
    pub(crate) stored_bytes: u64,
}

/// What to do about a folder that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IfMissing {
    Create,
    Fail,
}

type Result<T> = std::result::Result<T, CaptureError>;

impl CaptureFolder {
    /// Locks the folder, sees whether it can be written to, and cuts off lines that a server which
    /// was killed has not finished.
    pub fn open(path: &Path, if_missing: IfMissing) -> Result<Self> {
        if if_missing == IfMissing::Create {
            let made = DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(path);
            made.map_err(CaptureError::io("create the folder", path))?;
        }
        let lock = lock(path)?;
        let folder = Self { path: path.to_owned(), lock, stored_bytes: 0 };
        let images = folder.path.join(names::IMAGES);
        make_folder(&images)?;
        probe(&images.join(names::PROBE))?;
        folder.repair_predictions()?;
        Ok(folder)
    }

    /// Writes an image, unless it is there; then its age begins anew. Whether it was written.
    pub fn put_image(&mut self, name: &ImageName, image: &[u8]) -> Result<bool> {
        let shard = self.path.join(names::IMAGES).join(name.shard());
        make_folder(&shard)?;
        let path = shard.join(name.file());
        let (there, replaced_bytes) = refresh(&path, image.len() as u64)?;
        if there {
            return Ok(false);
        }
        replace(&path, &shard.join(name.temporary()), image)?;
        self.stored_bytes = self.stored_bytes.saturating_sub(replaced_bytes) + image.len() as u64;
        Ok(true)
    }

    /// Appends a line, which ends with a line feed, to the predictions of a day; all of it or nothing.
    ///
    /// The file is opened each time, so that a file which somebody has moved away meanwhile is not
    /// written to.
    pub fn append(&mut self, day: Date, line: &[u8]) -> Result<()> {
        let path = self.path.join(names::predictions_file(day));
        let file = open(&path, OpenOptions::new().read(true).append(true).create(true))?;
        let whole_bytes = cut_unfinished_line(&file, &path)?;
        if let Err(source) = (&file).write_all(line) {
            // Where this fails, too, the next append cuts it off.
            let _ = file.set_len(whole_bytes);
            return Err(CaptureError::io("write", &path)(source));
        }
        self.stored_bytes += line.len() as u64;
        Ok(())
    }

    fn repair_predictions(&self) -> Result<()> {
        let io = |action| CaptureError::io(action, &self.path);
        for entry in fs::read_dir(&self.path).map_err(io("list"))? {
            let entry = entry.map_err(io("list"))?;
            let is_file = entry.file_type().map_err(io("list"))?.is_file();
            if is_file && entry.file_name().to_str().is_some_and(names::is_predictions_file) {
                let path = entry.path();
                cut_unfinished_line(
                    &open(&path, OpenOptions::new().read(true).write(true))?,
                    &path,
                )?;
            }
        }
        Ok(())
    }
}

impl Drop for CaptureFolder {
    /// Closing the file is not enough: a process that another thread is just starting holds a copy
    /// of every open file until it runs its own program, and with it the lock.
    fn drop(&mut self) {
        // If this fails, closing the file gives the lock back a moment later.
        let _ = self.lock.unlock();
    }
}

fn lock(folder: &Path) -> Result<File> {
    let path = folder.join(names::LOCK);
    let file = open(&path, OpenOptions::new().read(true).append(true).create(true))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(CaptureError::Locked { path: folder.to_owned() }),
        Err(TryLockError::Error(source)) => Err(CaptureError::io("lock", &path)(source)),
    }
}

/// Follows no link and waits for no pipe that somebody has put there.
pub(crate) fn open(path: &Path, options: &mut OpenOptions) -> Result<File> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let opened = options.mode(FILE_MODE).custom_flags(flags).open(path);
    let file = opened.map_err(CaptureError::io("open", path))?;
    if file.metadata().map_err(CaptureError::io("open", path))?.is_file() {
        Ok(file)
    } else {
        Err(CaptureError::Occupied { path: path.to_owned(), expected: "a file" })
    }
}

fn make_folder(path: &Path) -> Result<()> {
    match DirBuilder::new().mode(FOLDER_MODE).create(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let found = fs::symlink_metadata(path).map_err(CaptureError::io("read", path))?;
            let occupied = CaptureError::Occupied { path: path.to_owned(), expected: "a folder" };
            found.is_dir().then_some(()).ok_or(occupied)
        }
        made => made.map_err(CaptureError::io("create the folder", path)),
    }
}

/// Whether a file can be made and have content: on a full disk an empty one can.
fn probe(path: &Path) -> Result<()> {
    let written = write(path, &[0; 4096]);
    let removed = fs::remove_file(path);
    written.and(removed).map_err(CaptureError::io("write", path))
}

/// Writes a file under another name and gives it its own once it is whole.
pub(crate) fn replace(path: &Path, temporary: &Path, content: &[u8]) -> Result<()> {
    let written = write(temporary, content)
        .map_err(CaptureError::io("write", temporary))
        .and_then(|()| fs::rename(temporary, path).map_err(CaptureError::io("write", path)));
    if written.is_err() {
        // Where this fails, too, the next start removes it, or the next to write it.
        let _ = fs::remove_file(temporary);
    }
    written
}

fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(FILE_MODE);
    options.custom_flags(libc::O_NOFOLLOW).open(path)?.write_all(content)
}

/// Whether an image is there, and the length of what is in its place and is not all of it. Its age
/// begins anew, so that it is not removed before the line that is about to name it.
fn refresh(path: &Path, bytes: u64) -> Result<(bool, u64)> {
    match fs::symlink_metadata(path) {
        // Somebody has put a link there, perhaps to where the image was moved.
        Ok(found) if !found.is_file() => Ok((true, 0)),
        // A computer that lost its power may leave less of a file than was written.
        Ok(found) if found.len() != bytes => Ok((false, found.len())),
        Ok(_) => {
            let file = open(path, OpenOptions::new().read(true))?;
            let set = file.set_modified(SystemTime::now());
            set.map_err(CaptureError::io("change the time of", path))?;
            Ok((true, 0))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok((false, 0)),
        Err(error) => Err(CaptureError::io("read", path)(error)),
    }
}

/// Removes what follows the last line feed: the beginning of a line that was never finished. The
/// length of what is left, in bytes.
fn cut_unfinished_line(file: &File, path: &Path) -> Result<u64> {
    let bytes = file.metadata().map_err(CaptureError::io("read", path))?.len();
    let whole_bytes = whole_lines(file, bytes).map_err(CaptureError::io("read", path))?;
    if whole_bytes < bytes {
        file.set_len(whole_bytes).map_err(CaptureError::io("shorten", path))?;
        tracing::warn!("cut an unfinished line off {}", path.display());
    }
    Ok(whole_bytes)
}

/// The length of the lines in the first `bytes` of a file that end with a line feed.
fn whole_lines(mut file: &File, bytes: u64) -> io::Result<u64> {
    // The last byte is nearly always a line feed: one byte first, then more at a time.
    let (mut end, mut step) = (bytes, 1);
    while end > 0 {
        let start = end.saturating_sub(step);
        let mut block = Vec::new();
        file.seek(SeekFrom::Start(start))?;
        file.take(end - start).read_to_end(&mut block)?;
        if let Some(last) = block.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + last as u64 + 1);
        }
        (end, step) = (start, 64 << 10);
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use time::{Date, Month};

    use super::{CaptureFolder, IfMissing};
    use crate::capture::error::CaptureError;
    use crate::capture::names::ImageName;

    fn open(path: &Path) -> CaptureFolder {
        CaptureFolder::open(path, IfMissing::Create).unwrap()
    }

    fn day() -> Date {
        Date::from_calendar_date(2026, Month::November, 24).unwrap()
    }

    fn image() -> ImageName {
        ImageName { sha256: "0c".repeat(32), extension: "png" }
    }

    #[test]
    fn an_unfinished_line_is_cut_off() {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("predictions-2026-11-24.jsonl");
        let content = || fs::read_to_string(&path).unwrap();
        for unfinished in ["{\"a\":", &"x".repeat(200_000)] {
            fs::write(&path, format!("{{}}\n[]\n{unfinished}")).unwrap();
            drop(open(temporary.path()));
            assert_eq!(content(), "{}\n[]\n");
        }
        let mut folder = open(temporary.path());
        fs::write(&path, "{\"a\":").unwrap();
        folder.append(day(), b"{}\n").unwrap();
        assert_eq!(content(), "{}\n", "also while it runs");
    }

    #[test]
    fn an_image_is_written_once_and_again_where_it_is_not_whole() {
        let temporary = tempfile::tempdir().unwrap();
        let mut folder = open(temporary.path());
        assert!(folder.put_image(&image(), b"content").unwrap());
        assert!(!folder.put_image(&image(), b"content").unwrap());
        let path = temporary.path().join(image().path());
        fs::write(&path, "con").unwrap();
        assert!(folder.put_image(&image(), b"content").unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"content");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing temporary");
    }

    #[test]
    fn links_in_its_place_are_neither_followed_nor_replaced() {
        let temporary = tempfile::tempdir().unwrap();
        let elsewhere = temporary.path().join("elsewhere");
        fs::create_dir(&elsewhere).unwrap();
        let path = temporary.path().join("capture");
        let mut folder = open(&path);
        std::os::unix::fs::symlink(&elsewhere, path.join("images/0c")).unwrap();
        let written = folder.put_image(&image(), b"content");
        assert!(matches!(written, Err(CaptureError::Occupied { .. })), "{written:?}");
        std::os::unix::fs::symlink(elsewhere.join("x"), path.join("predictions-2026-11-24.jsonl"))
            .unwrap();
        assert!(folder.append(day(), b"{}\n").is_err());
        assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
    }
}

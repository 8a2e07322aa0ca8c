//! Which files go, and when: the oldest, for their age or to make room.
//!
//! The age of an image is that of the youngest prediction that names it, since writing one makes
//! the image's age begin anew; the age of a file of predictions is that of its last line. So no image goes
//! for its age before a prediction that names it would, and none for that of a clock that is wrong for a
//! moment ([`crate::capture::sweeps`]). To make room the oldest go, whatever names them:
//! a prediction whose image is gone still says what was predicted.

use std::collections::BinaryHeap;
use std::fs::{self, DirEntry, Metadata};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::capture::error::CaptureError;
use crate::capture::folder::CaptureFolder;
use crate::capture::names::{self, ImageFile};
use crate::capture::options::CaptureOptions;
use crate::capture::sweeps;

/// Part of the limit that is freed at a time when it is reached, so that this is seldom: 1 in 10.
const FREED_AT_A_TIME: u64 = 10;

/// One image or one file of predictions.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct StoredFile {
    // The order of the fields is the order in which files go.
    modified: SystemTime,
    // Of the same moment, the image before the predictions that name it.
    is_predictions: bool,
    path: PathBuf,
    bytes: u64,
}

type Result<T> = std::result::Result<T, CaptureError>;

impl CaptureFolder {
    /// Counts what is there, removes what is too old or was left behind half-written, and more, the
    /// oldest first, where it takes more than it may with `incoming_bytes` to come. The number of
    /// files removed.
    ///
    /// Only regular files with names of our own are removed, and no link is followed.
    pub fn sweep(&mut self, options: &CaptureOptions, incoming_bytes: u64) -> Result<u64> {
        let mut removed = self.sweep_old(options.max_age)?;
        let Some(max_bytes) = options.max_bytes else { return Ok(removed) };
        let needed = self.stored_bytes.saturating_add(incoming_bytes);
        if needed > max_bytes {
            let aim = max_bytes - max_bytes / FREED_AT_A_TIME;
            removed += self.sweep_oldest(needed - aim)?;
        }
        Ok(removed)
    }

    /// Makes room for what is to be written, if it is needed.
    pub fn make_room(&mut self, options: &CaptureOptions, incoming_bytes: u64) -> Result<u64> {
        let needed = self.stored_bytes.saturating_add(incoming_bytes);
        if options.max_bytes.is_some_and(|max_bytes| needed > max_bytes) {
            self.sweep(options, incoming_bytes)
        } else {
            Ok(0)
        }
    }

    fn sweep_old(&mut self, max_age: Option<Duration>) -> Result<u64> {
        let until = sweeps::note(&self.path, max_age, SystemTime::now());
        let is_old = |file: &StoredFile| {
            // A time in the future is that of a clock put back since: not old.
            let age = until.and_then(|until| until.duration_since(file.modified).ok());
            max_age.zip(age).is_some_and(|(max_age, age)| age > max_age)
        };
        let (mut bytes, mut removed) = (0_u64, 0);
        visit(&self.path, |found| {
            match found {
                Found::Stored(file) if !is_old(&file) => {
                    bytes = bytes.saturating_add(file.bytes);
                }
                Found::Stored(file) => {
                    remove(&file.path)?;
                    removed += 1;
                }
                Found::Temporary(path) => remove(&path)?,
            }
            Ok(())
        })?;
        self.stored_bytes = bytes;
        Ok(removed)
    }

    /// Removes the oldest files that take `excess_bytes` together.
    fn sweep_oldest(&mut self, excess_bytes: u64) -> Result<u64> {
        // The youngest of those to go is on top. Only these are held: a tenth of all, as a rule.
        let mut oldest = BinaryHeap::new();
        let mut held_bytes = 0_u64;
        visit(&self.path, |found| {
            if let Found::Stored(file) = found {
                held_bytes = held_bytes.saturating_add(file.bytes);
                oldest.push(file);
                while let Some(youngest) = oldest.peek()
                    && held_bytes - youngest.bytes >= excess_bytes
                {
                    held_bytes -= youngest.bytes;
                    oldest.pop();
                }
            }
            Ok(())
        })?;
        let mut removed = 0;
        for file in oldest {
            remove(&file.path)?;
            self.stored_bytes = self.stored_bytes.saturating_sub(file.bytes);
            removed += 1;
        }
        Ok(removed)
    }
}

enum Found {
    Stored(StoredFile),
    Temporary(PathBuf),
}

/// Goes over all files that were written by a server.
fn visit(folder: &Path, mut each: impl FnMut(Found) -> Result<()>) -> Result<()> {
    for_each_entry(folder, |name, entry| match regular_file(entry)? {
        Some(metadata) if names::is_predictions_file(name) => each(stored(entry, &metadata, true)?),
        _ => Ok(()),
    })?;
    let images = folder.join(names::IMAGES);
    for_each_entry(&images, |shard, entry| {
        let file_type = entry.file_type().map_err(CaptureError::io("read", &entry.path()))?;
        if !(file_type.is_dir() && names::is_shard(shard)) {
            return Ok(());
        }
        for_each_entry(&entry.path(), |name, entry| {
            let Some(kind) = names::image_file(shard, name) else { return Ok(()) };
            match (kind, regular_file(entry)?) {
                (_, None) => Ok(()),
                (ImageFile::Temporary, Some(_)) => each(Found::Temporary(entry.path())),
                (ImageFile::Whole, Some(metadata)) => each(stored(entry, &metadata, false)?),
            }
        })
    })
}

fn stored(entry: &DirEntry, metadata: &Metadata, is_predictions: bool) -> Result<Found> {
    let path = entry.path();
    let modified = metadata.modified().map_err(CaptureError::io("read", &path))?;
    Ok(Found::Stored(StoredFile { modified, is_predictions, path, bytes: metadata.len() }))
}

/// Names that are no text are not ours.
fn for_each_entry(
    folder: &Path,
    mut each: impl FnMut(&str, &DirEntry) -> Result<()>,
) -> Result<()> {
    for entry in fs::read_dir(folder).map_err(CaptureError::io("list", folder))? {
        let entry = entry.map_err(CaptureError::io("list", folder))?;
        if let Some(name) = entry.file_name().to_str() {
            each(name, &entry)?;
        }
    }
    Ok(())
}

/// `None` for what is none, and for what somebody has removed meanwhile.
fn regular_file(entry: &DirEntry) -> Result<Option<Metadata>> {
    // Of the entry, not of what it may link to.
    match entry.metadata() {
        Ok(metadata) => Ok(metadata.is_file().then_some(metadata)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(CaptureError::io("read", &entry.path())(error)),
    }
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(CaptureError::io("remove", path)(error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::path::Path;
    use std::time::{Duration, SystemTime};

    use super::CaptureOptions;
    use crate::capture::folder::{CaptureFolder, IfMissing};

    const HOUR: Duration = Duration::from_hours(1);

    /// Of 100 bytes.
    fn write(path: &Path, age_h: u32) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, format!("{}\n", "x".repeat(99))).unwrap();
        let file = File::options().append(true).open(path).unwrap();
        file.set_modified(SystemTime::now() - HOUR * age_h).unwrap();
    }

    fn image(number: u8) -> String {
        format!("images/{number:02x}/{}.jpg", format!("{number:02x}").repeat(32))
    }

    const RECORDS: &str = "predictions-2026-11-24.jsonl";
    const OLD_RECORDS: &str = "predictions-2026-11-23.jsonl";

    /// Images 1 to 4 hours old, records 2 and 5 hours old; looked through 13 and 26 minutes ago.
    fn filled(path: &Path) -> CaptureFolder {
        for age_h in 1..=4_u8 {
            write(&path.join(image(age_h)), age_h.into());
        }
        write(&path.join(RECORDS), 2);
        write(&path.join(OLD_RECORDS), 5);
        for minutes in [26, 13] {
            let moment = SystemTime::now() - Duration::from_mins(minutes);
            crate::capture::sweeps::note(path, Some(HOUR * 2), moment);
        }
        CaptureFolder::open(path, IfMissing::Fail).unwrap()
    }

    fn left(path: &Path) -> Vec<String> {
        let all = [image(1), image(2), RECORDS.into(), image(3), image(4), OLD_RECORDS.into()];
        all.into_iter().filter(|name| path.join(name).exists()).collect()
    }

    fn keeping(max_bytes: Option<u64>, max_age_h: Option<u32>) -> CaptureOptions {
        let max_age = max_age_h.map(|hours| HOUR * hours);
        CaptureOptions { max_bytes, max_age, ..CaptureOptions::new("not looked at".into()) }
    }

    #[test]
    fn one_sweep_by_a_clock_that_is_ahead_removes_nothing() {
        let temporary = tempfile::tempdir().unwrap();
        let mut folder = filled(temporary.path());
        // As if the clock were 200 days ahead now.
        for name in [image(1), image(4), RECORDS.into()] {
            write(&temporary.path().join(name), 200 * 24);
        }
        fs::remove_file(temporary.path().join(".sweeps")).unwrap();
        assert_eq!(folder.sweep(&keeping(None, Some(24)), 0).unwrap(), 0);
        assert_eq!(folder.sweep(&keeping(None, Some(24)), 0).unwrap(), 0);
        assert_eq!(left(temporary.path()).len(), 6);
    }

    #[test]
    fn the_oldest_make_room_until_a_tenth_is_free() {
        let temporary = tempfile::tempdir().unwrap();
        let mut folder = filled(temporary.path());
        assert_eq!(folder.sweep(&keeping(Some(600), None), 0).unwrap(), 0, "just enough");
        assert_eq!(folder.make_room(&keeping(Some(600), None), 0).unwrap(), 0);
        // 650 are needed and 540 the aim: two files go.
        assert_eq!(folder.make_room(&keeping(Some(600), None), 50).unwrap(), 2);
        assert_eq!(left(temporary.path()), [image(1), image(2), RECORDS.into(), image(3)]);
        assert_eq!(folder.stored_bytes, 400);
        // Of the same age, the image first.
        write(&temporary.path().join(image(9)), 2);
        let same = fs::metadata(temporary.path().join(RECORDS)).unwrap().modified().unwrap();
        let file = File::options().append(true).open(temporary.path().join(image(2))).unwrap();
        file.set_modified(same).unwrap();
        fs::remove_file(temporary.path().join(image(9))).unwrap();
        assert_eq!(folder.sweep(&keeping(Some(250), None), 0).unwrap(), 2);
        assert_eq!(left(temporary.path()), [image(1), RECORDS.into()]);
    }

    #[test]
    fn an_image_that_comes_again_is_young_again() {
        let temporary = tempfile::tempdir().unwrap();
        let mut folder = filled(temporary.path());
        let name = crate::capture::names::ImageName { sha256: "04".repeat(32), extension: "jpg" };
        let content = fs::read(temporary.path().join(image(4))).unwrap();
        assert!(!folder.put_image(&name, &content).unwrap(), "it is there");
        folder.sweep(&keeping(None, Some(1)), 0).unwrap();
        assert_eq!(left(temporary.path()), [image(1), image(4)]);
    }

    #[test]
    fn what_others_wrote_stays_and_what_was_half_written_goes() {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path();
        let mut folder = filled(path);
        let others = [
            "notes.jsonl".to_owned(),
            "predictions-2026-11-24.jsonl.gz".into(),
            "images/readme.txt".into(),
            format!("images/01/{}.jpg", "02".repeat(32)),
            format!("images/labeled/{}.jpg", "01".repeat(32)),
            image(1).replace(".jpg", ".gif"),
        ];
        for name in &others {
            write(&path.join(name), 1000);
        }
        let target = path.join("target");
        write(&target, 1000);
        let link = path.join(image(0xaa));
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        // A whole folder of ours, linked to.
        let elsewhere = path.join("elsewhere");
        write(&elsewhere.join(image(0xbb)), 1000);
        std::os::unix::fs::symlink(elsewhere.join("images/bb"), path.join("images/bb")).unwrap();
        let half_written = path.join("images/01").join(format!(".{}.jpg.tmp", "01".repeat(32)));
        write(&half_written, 0);

        folder.sweep(&keeping(Some(0), Some(0)), 1000).unwrap();
        assert!(left(path).is_empty() && !half_written.exists());
        assert_eq!(folder.stored_bytes, 0);
        assert!(others.iter().all(|name| path.join(name).exists()));
        assert!(target.exists() && link.is_symlink() && elsewhere.join(image(0xbb)).exists());
    }
}

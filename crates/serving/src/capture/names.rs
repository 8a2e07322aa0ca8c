//! The names of what is written, and so of what may be removed.
//!
//! ```text
//! .capture.lock                    held by the server that writes here
//! .sweeps                          when the folder was looked through for what is too old
//! .sweeps.tmp                      the same while it is being written
//! predictions-2026-11-24.jsonl     the predictions of a day (UTC), a line each
//! images/.probe.tmp                written and removed again to see whether there is room
//! images/ab/abcd….jpg              an image, named by its SHA-256
//! images/ab/.abcd….jpg.tmp         an image that is being written
//! ```

use sdd_core::image::FILE_EXTENSIONS;
use time::Date;
use time::format_description::well_known::Iso8601;

pub(crate) const LOCK: &str = ".capture.lock";
/// The moments of sweeps, and the name of the file until all of it is written.
pub(crate) const SWEEPS: &str = ".sweeps";
pub(crate) const SWEEPS_TEMPORARY: &str = ".sweeps.tmp";
pub(crate) const IMAGES: &str = "images";
/// Written and removed again to see whether there is room.
pub(crate) const PROBE: &str = ".probe.tmp";

const SHA256_DIGITS: usize = 64;

/// An image by its content: its folder in `images/` is the beginning of its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ImageName {
    /// 64 hexadecimal digits.
    pub sha256: String,
    pub extension: &'static str,
}

impl ImageName {
    /// The folder in `images/`.
    pub fn shard(&self) -> &str {
        &self.sha256[..2]
    }

    pub fn file(&self) -> String {
        format!("{}.{}", self.sha256, self.extension)
    }

    /// What it is called until all of it has been written.
    pub fn temporary(&self) -> String {
        format!(".{}.tmp", self.file())
    }

    /// From the capture folder, with slashes.
    pub fn path(&self) -> String {
        format!("{IMAGES}/{}/{}", self.shard(), self.file())
    }
}

/// What a file in a folder of images is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ImageFile {
    Whole,
    /// Left behind by a server that was killed.
    Temporary,
}

/// `None` for a file of somebody else's.
pub(crate) fn image_file(shard: &str, name: &str) -> Option<ImageFile> {
    let temporary = name.strip_prefix('.').and_then(|name| name.strip_suffix(".tmp"));
    let kind = if temporary.is_some() { ImageFile::Temporary } else { ImageFile::Whole };
    let (sha256, extension) = temporary.unwrap_or(name).split_once('.')?;
    let known = FILE_EXTENSIONS.contains(&extension)
        && sha256.len() == SHA256_DIGITS
        && is_lower_hex(sha256)
        && is_shard(shard)
        && sha256.starts_with(shard);
    known.then_some(kind)
}

/// Whether a folder in `images/` is one of ours.
pub(crate) fn is_shard(name: &str) -> bool {
    name.len() == 2 && is_lower_hex(name)
}

/// The file with the predictions of a day.
pub(crate) fn predictions_file(day: Date) -> String {
    format!("predictions-{day}.jsonl")
}

pub(crate) fn is_predictions_file(name: &str) -> bool {
    let day = name.strip_prefix("predictions-").and_then(|rest| rest.strip_suffix(".jsonl"));
    // Written again, it must be the same name: days can be written in other ways.
    let day = day.and_then(|day| Date::parse(day, &Iso8601::DATE).ok());
    day.is_some_and(|day| predictions_file(day) == name)
}

fn is_lower_hex(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::{image_file, is_predictions_file};

    #[test]
    fn others_names_are_not() {
        let sha256 = "ab".repeat(32);
        for name in [
            sha256.clone(),
            format!("{sha256}.gif"),
            format!("{sha256}.jpg.bak"),
            format!(".{sha256}.jpg"),
            format!("{sha256}.jpg.tmp"),
            format!("{}.jpg", &sha256[1..]),
            format!("{}.jpg", sha256.to_uppercase()),
            format!("cd{}.jpg", &sha256[2..]),
            "notes.txt".into(),
            String::new(),
        ] {
            assert_eq!(image_file("ab", &name), None, "{name}");
        }
        assert_eq!(image_file("a", &format!("{sha256}.jpg")), None);
        assert!(is_predictions_file("predictions-2026-03-07.jsonl"));
        for name in [
            "predictions-2026-13-01.jsonl",
            "predictions-20260101.jsonl",
            "predictions-2026-W01-1.jsonl",
            "predictions-2026-1-1.jsonl",
            "predictions-2026-01-01.jsonl.gz",
            "predictions-2026-02-30.jsonl",
            "predictions-+2026-01-01.jsonl",
            "predictions--2026-01-01.jsonl",
            "predictions-.jsonl",
            "my-predictions-2026-01-01.jsonl",
        ] {
            assert!(!is_predictions_file(name), "{name}");
        }
    }
}

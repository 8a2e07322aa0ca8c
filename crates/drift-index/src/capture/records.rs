//! What `sdd-server --capture` wrote down.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use sdd_core::image::FILE_EXTENSIONS;
use serde::Deserialize;

/// The version of a record that this program knows; fields may be added without a new one.
const FORMAT_VERSION: u32 = 1;

/// One prediction, as far as it matters here.
#[derive(Debug, Clone, Deserialize)]
pub struct Record {
    format_version: u32,
    pub time: String,
    pub image: RecordedImage,
    pub class: String,
    pub confidence: f64,
    pub drift: Option<RecordedDrift>,
    pub reasons: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct RecordedImage {
    pub path: String,
    pub sha256: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub struct RecordedDrift {
    pub score: Option<f64>,
    pub p_value: Option<f64>,
    pub out_of_distribution: Option<bool>,
}

/// What a capture folder holds.
#[derive(Debug, Default)]
pub struct Records {
    /// The latest record of each image that is still there, in the order of time.
    pub images: Vec<Record>,
    /// Images that have been removed since, to make room.
    pub gone: usize,
}

impl Records {
    pub fn read(folder: &Path) -> Result<Self> {
        ensure!(folder.is_dir(), "{} is not a folder", folder.display());
        let mut latest: BTreeMap<String, Record> = BTreeMap::new();
        for day in days(folder)? {
            for record in read_day(&day)? {
                latest.insert(record.image.sha256.clone(), record);
            }
        }
        ensure!(
            !latest.is_empty(),
            "{} holds no predictions: name the folder of `sdd-server --capture`",
            folder.display()
        );
        let all = latest.len();
        let mut images: Vec<Record> = latest.into_values().collect();
        images.retain(|record| folder.join(&record.image.path).is_file());
        images.sort_by(|a, b| a.time.cmp(&b.time));
        Ok(Self { gone: all - images.len(), images })
    }
}

fn days(folder: &Path) -> Result<Vec<PathBuf>> {
    let list = || format!("cannot list {}", folder.display());
    let mut days = Vec::new();
    for entry in fs::read_dir(folder).with_context(list)? {
        let path = entry.with_context(list)?.path();
        let name = path.file_name().and_then(std::ffi::OsStr::to_str).unwrap_or_default();
        let is_jsonl = path.extension().is_some_and(|extension| extension == "jsonl");
        if is_jsonl && name.starts_with("predictions-") {
            days.push(path);
        }
    }
    days.sort();
    Ok(days)
}

fn read_day(path: &Path) -> Result<Vec<Record>> {
    let place = path.display();
    let (file, _) =
        sdd_core::regular_file::open(path).with_context(|| format!("cannot read {place}"))?;
    let mut reader = BufReader::new(file);
    let (mut records, mut line) = (Vec::new(), Vec::new());
    for number in 1.. {
        line.clear();
        reader.read_until(b'\n', &mut line).with_context(|| format!("cannot read {place}"))?;
        // What has no end is being written just now.
        if line.pop() != Some(b'\n') {
            break;
        }
        let record = parse(&line).with_context(|| format!("{place}, line {number}"))?;
        records.push(record);
    }
    Ok(records)
}

fn parse(line: &[u8]) -> Result<Record> {
    let record: Record =
        serde_json::from_slice(line).context("not a prediction that was captured")?;
    ensure!(
        record.format_version == FORMAT_VERSION,
        "format version {}, and this program knows {FORMAT_VERSION}",
        record.format_version
    );
    ensure!(
        is_own_path(&record.image.path),
        "no path of a captured image: {:?}",
        record.image.path
    );
    Ok(record)
}

/// `images/ab/abcd….jpg`: nothing else, so that no path leads out of the folder.
pub fn is_own_path(path: &str) -> bool {
    let mut parts = path.split('/');
    let (images, shard, file) = (parts.next(), parts.next(), parts.next());
    let Some((sha256, extension)) = file.and_then(|file| file.split_once('.')) else {
        return false;
    };
    images == Some("images")
        && parts.next().is_none()
        && sha256.len() == 64
        && sha256.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        && shard.is_some_and(|shard| shard.len() == 2 && sha256.starts_with(shard))
        && FILE_EXTENSIONS.contains(&extension)
}

#[cfg(test)]
mod tests {
    use super::is_own_path;

    #[test]
    fn no_other_path_is_taken() {
        let sha256 = "ab".repeat(32);
        assert!(is_own_path(&format!("images/ab/{sha256}.jpg")));
        for path in [
            format!("/images/ab/{sha256}.jpg"),
            format!("images/../{sha256}.jpg"),
            format!("images/cd/{sha256}.jpg"),
            format!("images/ab/x/{sha256}.jpg"),
            format!("images/ab/{sha256}.sh"),
            "images/ab/../../etc/passwd".into(),
            String::new(),
        ] {
            assert!(!is_own_path(&path), "{path}");
        }
    }
}

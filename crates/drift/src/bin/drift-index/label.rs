//! `drift-index label`: captured images that a person labeled, as a data set.

use std::collections::HashSet;
use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use sdd_core::ImageLimits;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::answer::{Answer, count, line};
use crate::captured::{LabeledImage, read_labels};
use crate::exit::ExitStatus;
use crate::images::file;
use crate::interrupt::Interrupt;
use crate::whole_file;

/// The data set's list of physical parts, as `make train` reads it.
const ITEMS: &str = "items.csv";

const AFTER_LONG_HELP: &str = "\
JSON (--json): status, folder, out, dry_run, copied [{image, file}], already_there, items (rows that were
appended to items.csv).";

/// Put labeled captured images into a data set
///
/// The image of a row whose column `label` is filled in becomes DATASET/LABEL/SHA256.ENDING, for `build`, `add`
/// and `make train`. Where DATASET has a list items.csv (image,label,item) the new images are appended to it, each
/// as an item of its own unless the list says otherwise in a column `item`. Run again, it copies what is new; an
/// image that is in another class there is an error.
#[derive(Debug, Args)]
#[command(after_long_help = AFTER_LONG_HELP)]
pub struct Arguments {
    /// Folder that `sdd-server --capture` writes
    #[arg(value_name = "DIR")]
    folder: PathBuf,

    /// The list of `captured` with its column label filled in
    #[arg(long, value_name = "FILE.csv")]
    labels: PathBuf,

    /// Folder of the data set
    #[arg(long, value_name = "DATASET")]
    out: PathBuf,

    /// Say what would be copied, and write nothing
    #[arg(long)]
    dry_run: bool,
}

pub fn run(arguments: &Arguments) -> Result<Answer> {
    let interrupt = Interrupt::listen()?;
    let images = read_labels(&arguments.labels)?;
    let (mut copied, mut already_there) = (Vec::new(), 0);
    // Everything is looked at before anything is written.
    for image in &images {
        interrupt.check()?;
        read_image(&arguments.folder, image)?;
        refuse_other_class(&arguments.out, image)?;
        if arguments.out.join(file_of(image)).exists() {
            already_there += 1;
        } else {
            copied.push(Copied { image: image.path.clone(), file: file_of(image) });
        }
    }
    let mut items = 0;
    if !arguments.dry_run {
        for image in &images {
            interrupt.check()?;
            copy(&arguments.folder, &arguments.out, image)?;
        }
        items = append_items(&arguments.out, &images)?;
    }
    let labeled = Labeled {
        folder: arguments.folder.display().to_string(),
        out: arguments.out.display().to_string(),
        dry_run: arguments.dry_run,
        copied,
        already_there,
        items,
    };
    Answer::new(ExitStatus::Success, &labeled)
}

#[derive(Serialize)]
struct Copied {
    image: String,
    file: String,
}

#[derive(Serialize)]
struct Labeled {
    folder: String,
    out: String,
    dry_run: bool,
    copied: Vec<Copied>,
    already_there: usize,
    items: usize,
}

impl fmt::Display for Labeled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = if self.dry_run { "would copy" } else { "copied" };
        writeln!(f, "{verb} {} to {}", count(self.copied.len(), "image"), self.out)?;
        if self.already_there > 0 {
            line(f, "there", format_args!("{} already", count(self.already_there, "image")))?;
        }
        if self.items > 0 {
            line(f, "items", format_args!("{} appended to {ITEMS}", count(self.items, "row")))?;
        }
        Ok(())
    }
}

/// `good/abcd….jpg`
fn file_of(image: &LabeledImage) -> String {
    let name = image.path.rsplit('/').next().unwrap_or_default();
    format!("{}/{name}", image.label)
}

/// The bytes of a captured image, which are what its name says.
fn read_image(folder: &Path, image: &LabeledImage) -> Result<Vec<u8>> {
    let path = folder.join(&image.path);
    let bytes = file::read(&path, ImageLimits::default().max_bytes)
        .with_context(|| format!("cannot read {}", path.display()))?;
    let found = format!("{:x}", Sha256::digest(&bytes));
    let is_whole = path.file_stem().is_some_and(|stem| stem == found.as_str());
    ensure!(is_whole, "{} is not what was captured: its SHA-256 is {found}", path.display());
    Ok(bytes)
}

fn refuse_other_class(out: &Path, image: &LabeledImage) -> Result<()> {
    let Ok(classes) = fs::read_dir(out) else { return Ok(()) };
    let name = image.path.rsplit('/').next().unwrap_or_default();
    for class in classes {
        let class = class.with_context(|| format!("cannot list {}", out.display()))?;
        if class.file_name() != image.label.as_str() && class.path().join(name).is_file() {
            bail!(
                "{name} is in {} already, and is now called {}: move it there, or correct the list",
                class.path().display(),
                image.label
            );
        }
    }
    Ok(())
}

fn copy(folder: &Path, out: &Path, image: &LabeledImage) -> Result<()> {
    let target = out.join(file_of(image));
    if target.exists() {
        return Ok(());
    }
    let bytes = read_image(folder, image)?;
    let class = out.join(&image.label);
    let write = || -> Result<()> {
        fs::create_dir_all(&class)?;
        whole_file::write(&target, &bytes)
    };
    write().with_context(|| format!("cannot write {}", target.display()))
}

/// How many rows were appended, where there is a list.
fn append_items(out: &Path, images: &[LabeledImage]) -> Result<usize> {
    let path = out.join(ITEMS);
    if !path.is_file() {
        return Ok(0);
    }
    let place = || format!("cannot use {}", path.display());
    let text = fs::read_to_string(&path).with_context(place)?;
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header = reader.headers().with_context(place)?.clone();
    ensure!(
        header.iter().eq(["image", "label", "item"]),
        "{} has other columns than image, label, item",
        path.display()
    );
    let listed: csv::Result<HashSet<String>> =
        reader.records().map(|row| Ok(row?.get(0).unwrap_or_default().to_owned())).collect();
    let listed = listed.with_context(place)?;
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut rows = 0;
    for image in images {
        let file = file_of(image);
        if listed.contains(&file) {
            continue;
        }
        let sha256 = file.rsplit('/').next().unwrap_or_default().get(..16).unwrap_or_default();
        let item = image.item.clone().unwrap_or_else(|| format!("captured-{sha256}"));
        writer.write_record([file.as_str(), &image.label, &item])?;
        rows += 1;
    }
    let mut appended = writer.into_inner()?;
    if !text.ends_with('\n') {
        appended.insert(0, b'\n');
    }
    let mut file = OpenOptions::new().append(true).open(&path).with_context(place)?;
    file.write_all(&appended).with_context(place)?;
    Ok(rows)
}

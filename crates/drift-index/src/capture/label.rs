//! `drift-index capture label`: captured images that a person labeled, as a data set.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Args;
use sdd_core::ImageLimits;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::items::{ITEMS, Items};
use super::labels::{self, LabeledImage};
use super::staging::Staging;
use crate::answer::{Answer, count, line};
use crate::exit::ExitStatus;
use crate::images::file;
use crate::{help, interrupt};

const BEFORE_HELP: &str = "\
Example:
  drift-index capture label capture/ --classes labels.csv --out dataset/

The image of a row whose column `label` is filled in becomes DATASET/LABEL/SHA256.ENDING,
for `build`, `update --add` and `make train`. Where DATASET has a list items.csv
(image,label,item) the new images are appended to it, each as an item of its own unless
the list says otherwise in a column `item`. Run again, it copies what is new; an image
that is in another class there is an error.";

const AFTER_HELP: &str = "\
JSON (--json): status, folder, out, dry_run, copied [{image, file}], already_there,
classes [{class, images, new}], items (rows that were appended to items.csv), unfinished
(a last row of items.csv that was cut off and is left out, or null).";

/// Put labeled captured images into a data set
#[derive(Debug, Args)]
#[command(help_template = help::TEMPLATE, before_help = BEFORE_HELP, after_help = AFTER_HELP)]
pub struct Arguments {
    /// Folder that `sdd-server --capture` writes
    #[arg(value_name = "DIR")]
    folder: PathBuf,

    /// The list of `capture list` with its column label filled in
    #[arg(long, value_name = "FILE.csv")]
    classes: PathBuf,

    /// Folder of the data set
    #[arg(long, value_name = "DATASET")]
    out: PathBuf,

    /// Say what would be copied, and write nothing
    #[arg(long)]
    dry_run: bool,
}

pub fn run(arguments: &Arguments) -> Result<Answer> {
    interrupt::listen()?;
    let out = &arguments.out;
    let images = labels::read(&arguments.classes)?;
    let known = class_folders(out)?;
    let mut staging = (!arguments.dry_run).then(|| Staging::new(out)).transpose()?;
    let (mut copied, mut already_there) = (Vec::new(), 0);
    // Nothing of the data set changes before everything has been looked at.
    for image in &images {
        interrupt::check()?;
        let bytes = read_image(&arguments.folder, image)?;
        refuse_other_class(out, &known, image)?;
        // One that a power cut emptied is copied again.
        let found = fs::metadata(out.join(image.file()));
        if found.is_ok_and(|found| found.len() == bytes.len() as u64) {
            already_there += 1;
            continue;
        }
        copied.push(Copied { image: image.path.clone(), file: image.file() });
        staging.as_mut().map_or(Ok(()), |staging| staging.add(image, &bytes))?;
    }
    let items = Items::with(out, &images)?;
    interrupt::check()?;
    if let Some(staging) = staging {
        // From here on it goes on to its end; killed in between, it is completed by running it again.
        staging.commit()?;
        items.as_ref().map_or(Ok(()), Items::write)?;
    }
    let labeled = Labeled {
        folder: arguments.folder.display().to_string(),
        out: out.display().to_string(),
        dry_run: arguments.dry_run,
        copied,
        already_there,
        classes: count_classes(&known, &images),
        items: items.as_ref().map_or(0, |items| items.rows),
        unfinished: items.and_then(|items| items.unfinished),
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
    classes: Vec<ClassCount>,
    items: usize,
    unfinished: Option<String>,
}

/// The labeled images of a class.
#[derive(Serialize)]
struct ClassCount {
    class: String,
    images: usize,
    /// Whether the data set has others and not this one: it may be misspelled.
    new: bool,
}

/// The classes that a data set has.
fn class_folders(out: &Path) -> Result<Vec<String>> {
    let mut known = Vec::new();
    if out.is_dir() {
        let list = || format!("cannot list {}", out.display());
        for entry in fs::read_dir(out).with_context(list)? {
            let entry = entry.with_context(list)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.path().is_dir() && !name.starts_with('.') {
                known.push(name);
            }
        }
    }
    Ok(known)
}

/// Counts the images of each class, in the order of the names.
fn count_classes(known: &[String], images: &[LabeledImage]) -> Vec<ClassCount> {
    let mut counts: BTreeMap<&String, usize> = BTreeMap::new();
    for image in images {
        *counts.entry(&image.label).or_default() += 1;
    }
    let class = |(class, images): (&String, usize)| {
        let new = !known.is_empty() && !known.contains(class);
        ClassCount { class: class.clone(), images, new }
    };
    counts.into_iter().map(class).collect()
}

impl fmt::Display for Labeled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = if self.dry_run { "would copy" } else { "copied" };
        writeln!(f, "{verb} {} to {}", count(self.copied.len(), "image"), self.out)?;
        if self.already_there > 0 {
            line(f, "there", format_args!("{} already", count(self.already_there, "image")))?;
        }
        let classes = self.classes.iter().map(|ClassCount { class, images, new }| {
            let new = if *new { " (new in the data set: is it misspelled?)" } else { "" };
            format!("{images} {class}{new}")
        });
        line(f, "classes", classes.collect::<Vec<_>>().join(", "))?;
        if let Some(unfinished) = &self.unfinished {
            line(
                f,
                "unfinished",
                format_args!("the last row of {ITEMS}, left out: {unfinished:?}"),
            )?;
        }
        if self.items > 0 {
            line(f, "items", format_args!("{} appended to {ITEMS}", count(self.items, "row")))?;
        }
        Ok(())
    }
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

fn refuse_other_class(out: &Path, known: &[String], image: &LabeledImage) -> Result<()> {
    let name = image.path.rsplit('/').next().unwrap_or_default();
    for class in known.iter().map(|class| out.join(class)) {
        ensure!(
            class.ends_with(&image.label) || !class.join(name).is_file(),
            "{name} is in {} already, and is now called {}: move it there, or correct the list",
            class.display(),
            image.label
        );
    }
    Ok(())
}

//! `drift-index capture list`: images that the server kept, as a list for a person who labels them.

use std::fmt;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use clap::builder::PossibleValuesParser;
use serde::Serialize;

use super::records::{Record, Records};
use crate::answer::{Answer, count};
use crate::exit::ExitStatus;
use crate::help;
use crate::whole_file;

const BEFORE_HELP: &str = "\
Examples:
  drift-index capture list capture/
  drift-index capture list capture/ --out-of-distribution --since 2026-11-26 --out labels.csv

Each image once, by its latest prediction, oldest first.";

const AFTER_HELP: &str = "\
The list is CSV with the columns image (path in DIR), label (empty: to be filled in), time,
class, confidence, score, p_value, out_of_distribution, reasons. A column item may be
added: which physical part an image shows.

JSON (--json): status, folder, out, images [{image, label, time, class, confidence, score,
p_value, out_of_distribution, reasons}], gone (images that were removed since, to make
room).";

/// Why the server keeps images.
const REASONS: [&str; 3] = ["sample", "out_of_distribution", "low_confidence"];

/// List captured images, for a person to label them
#[derive(Debug, Args)]
#[command(help_template = help::TEMPLATE, before_help = BEFORE_HELP, after_help = AFTER_HELP)]
pub struct Arguments {
    /// Folder that `sdd-server --capture` writes
    #[arg(value_name = "DIR")]
    folder: PathBuf,

    /// The list to write, never over one that is there [default: standard output]
    #[arg(long, value_name = "FILE.csv")]
    out: Option<PathBuf>,

    /// Only images that are out of distribution
    #[arg(long)]
    out_of_distribution: bool,

    /// Only images kept for this reason
    #[arg(long, value_name = "REASON", value_parser = PossibleValuesParser::new(REASONS))]
    reason: Option<String>,

    /// Only images of this day or later, or of 2026-11-26T14:30:00 (UTC) or later
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<String>,

    /// Only images of this day or moment, or earlier
    #[arg(long, value_name = "TIME", value_parser = moment)]
    until: Option<String>,
}

pub fn run(arguments: &Arguments) -> Result<Answer> {
    let Records { images, gone } = Records::read(&arguments.folder)?;
    let images = images.into_iter().filter(|record| arguments.lets_through(record));
    let images: Vec<Listed> = images.map(Listed::from).collect();
    let csv = to_csv(&images)?;
    if let Some(out) = &arguments.out {
        write_new(out, &csv).with_context(|| format!("cannot write {}", out.display()))?;
    }
    let listed = ListedImages {
        folder: arguments.folder.display().to_string(),
        out: arguments.out.as_ref().map(|out| out.display().to_string()),
        images,
        gone,
        csv: String::from_utf8(csv)?,
    };
    Answer::new(ExitStatus::Success, &listed)
}

impl Arguments {
    fn lets_through(&self, record: &Record) -> bool {
        // RFC 3339 in UTC sorts as text; what is given less exactly is compared less exactly.
        let begins = |moment: &str| record.time.get(..moment.len()).unwrap_or_default().to_owned();
        let is_out =
            record.drift.as_ref().and_then(|drift| drift.out_of_distribution) == Some(true);
        (!self.out_of_distribution || is_out)
            && self.reason.as_ref().is_none_or(|reason| record.reasons.contains(reason))
            && self.since.as_deref().is_none_or(|since| *begins(since) >= *since)
            && self.until.as_deref().is_none_or(|until| *begins(until) <= *until)
    }
}

/// A day or a moment as the records have it, without what follows the seconds.
fn moment(text: &str) -> Result<String, String> {
    let text = text.strip_suffix('Z').unwrap_or(text);
    let pattern: Vec<u8> =
        text.bytes().map(|byte| if byte.is_ascii_digit() { b'0' } else { byte }).collect();
    if [&b"0000-00-00"[..], b"0000-00-00T00:00:00"].contains(&pattern.as_slice()) {
        Ok(text.to_owned())
    } else {
        Err("expected a day like 2026-11-26 or a moment like 2026-11-26T14:30:00".to_owned())
    }
}

#[derive(Serialize)]
struct Listed {
    image: String,
    label: &'static str,
    time: String,
    class: String,
    confidence: f64,
    score: Option<f64>,
    p_value: Option<f64>,
    out_of_distribution: Option<bool>,
    reasons: Vec<String>,
}

impl From<Record> for Listed {
    fn from(record: Record) -> Self {
        let drift = record.drift.unwrap_or_default();
        Self {
            label: "",
            score: drift.score,
            p_value: drift.p_value,
            out_of_distribution: drift.out_of_distribution,
            image: record.image.path,
            time: record.time,
            class: record.class,
            confidence: record.confidence,
            reasons: record.reasons,
        }
    }
}

#[derive(Serialize)]
struct ListedImages {
    folder: String,
    out: Option<String>,
    images: Vec<Listed>,
    gone: usize,
    #[serde(skip)]
    csv: String,
}

impl fmt::Display for ListedImages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(out) = &self.out else { return f.write_str(&self.csv) };
        let gone = match self.gone {
            0 => String::new(),
            gone => format!("; {} removed since", count(gone, "image")),
        };
        writeln!(
            f,
            "listed {} in {out}{gone}: write classes into the column label",
            count(self.images.len(), "image")
        )
    }
}

fn to_csv(images: &[Listed]) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let header = "image,label,time,class,confidence,score,p_value,out_of_distribution,reasons";
    writer.write_record(header.split(','))?;
    for row in images {
        let verdict = (row.confidence, row.score, row.p_value, row.out_of_distribution);
        let reasons = row.reasons.join(" ");
        writer.serialize((&row.image, row.label, &row.time, &row.class, verdict, reasons))?;
    }
    Ok(writer.into_inner()?)
}

/// Whole or not at all, and never over a file that is there.
fn write_new(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = whole_file::begin(path)?;
    file.write_all(bytes)?;
    match file.persist_noclobber(path).map_err(|failed| failed.error) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            bail!("it is there already, and a person may have written into it: name another file")
        }
        written => Ok(written.map(drop)?),
    }
}

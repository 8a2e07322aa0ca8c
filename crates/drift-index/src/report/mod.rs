//! `drift-index report`: what a monitor has seen, for people.

mod pictures;
mod play;
mod recorded;
mod text;

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use sdd_drift::Reference;
use sdd_monitor::{MonitorSettings, Status};
use sdd_report::Report;
use serde::Serialize;

use self::pictures::AtHand;
use self::play::Left;
use crate::answer::Answer;
use crate::exit::ExitStatus;
use crate::model::ModelArguments;
use crate::whole_file;

const AFTER_LONG_HELP: &str = "\
Verdicts: stable, drifting, insufficient_data (exit codes 0, 1, 0). What counts as drift is what the
server stated that wrote the monitor's file; over --images it is the server's defaults.

JSON (--json): status (ok, drift), store, html, box_plot (the files written, or null), format
(sdd-drift-report), format_version, made_ms, pair, reference, drift (as GET /drift), what_to_do,
stretches, path, scores, p_values, strangest, skipped, duplicates.

Examples:
  drift-index report reference --monitor sdd-monitor.sqlite --captured captured --out drift.html
  drift-index report reference --images today/ --model model.onnx --out drift.html
  drift-index report reference --monitor sdd-monitor.sqlite --box-plot scores.svg
  SDD_MONITOR=postgres://sdd:PASSWORD@db.example/sdd drift-index report reference --out drift.html";

/// Write what a server's monitor has seen as one HTML page: what happened, and what to do
///
/// The page needs no network and no script, and is small enough to send. Answers 1 as its exit code if
/// the images are drifting.
#[derive(Debug, Args)]
#[command(after_long_help = AFTER_LONG_HELP)]
pub struct Arguments {
    /// The store that the images are compared with
    store: PathBuf,

    #[expect(clippy::doc_markdown, reason = "shown by --help as it stands")]
    /// The monitor's file or database of a server (its --monitor): a path, or postgres://…, whose password is better
    /// left to PGPASSWORD or ~/.pgpass [default without --images: SDD_MONITOR of the environment]
    #[arg(long, value_name = "FILE|URL", conflicts_with = "images")]
    monitor: Option<String>,

    /// The model among several that the file has images of with this store: the beginning of its SHA-256
    /// [default: the one with the latest image]
    #[arg(long, value_name = "HEX", conflicts_with = "images", value_parser = NonEmptyStringValueParser::new())]
    model_sha256: Option<String>,

    /// Folder of images with all below it, watched in the order of their names, each content once, as a server with its
    /// defaults would
    #[arg(long, value_name = "DIR")]
    images: Option<PathBuf>,

    #[command(flatten)]
    model: ModelArguments,

    /// Images of --images below which there is no verdict
    #[arg(long, default_value_t = MonitorSettings::default().minimum_images, value_name = "N", requires = "images")]
    min_images: usize,

    /// Folder that the server keeps images in (its --capture), for pictures of the strangest
    #[arg(long, value_name = "DIR", help_heading = "Pictures")]
    captured: Option<PathBuf>,

    /// Folder that the store was built from, for pictures of the nearest reference images
    #[arg(long, value_name = "DIR", help_heading = "Pictures")]
    reference_images: Option<PathBuf>,

    /// The page to write
    #[arg(long, value_name = "FILE.html", help_heading = "Output")]
    out: Option<PathBuf>,

    /// The box plot of the scores to write by itself
    #[arg(long, value_name = "FILE.svg", help_heading = "Output")]
    box_plot: Option<PathBuf>,
}

/// The answer of `report`.
#[derive(Serialize)]
struct Reported {
    store: String,
    html: Option<PathBuf>,
    box_plot: Option<PathBuf>,
    #[serde(flatten)]
    report: Report,
    #[serde(flatten)]
    left: Left,
}

pub fn run(arguments: &Arguments) -> Result<Answer> {
    // Before the work, not after it.
    if let Some(out) = &arguments.out {
        whole_file::check_destination(out, &["html", "htm"])?;
    }
    if let Some(out) = &arguments.box_plot {
        whole_file::check_destination(out, &["svg"])?;
    }
    for folder in [&arguments.captured, &arguments.reference_images].into_iter().flatten() {
        ensure!(folder.is_dir(), "{} is not a folder", folder.display());
    }
    let reference = Reference::open(&arguments.store)
        .with_context(|| format!("cannot open {}", arguments.store.display()))?;
    let mut at_hand = AtHand::new(arguments);
    let (report, left) = if let Some(images) = &arguments.images {
        play::report(arguments, images, &reference, &mut at_hand)?
    } else {
        let model = arguments.model_sha256.as_deref();
        (recorded::report(&arguments.recorded()?, model, &reference, now_ms())?, Left::default())
    };
    if let Some(out) = &arguments.out {
        whole_file::write(out, sdd_report::html(&report, &mut at_hand)?.as_bytes())?;
    }
    if let Some(out) = &arguments.box_plot {
        whole_file::write(out, sdd_report::box_plot_svg(&report).as_bytes())?;
    }
    let reported = Reported {
        store: arguments.store.display().to_string(),
        html: arguments.out.clone(),
        box_plot: arguments.box_plot.clone(),
        report,
        left,
    };
    Answer::new(reported.status(), &reported)
}

impl Arguments {
    /// What a server has recorded to. Not by clap, to which a variable would be an argument beside --images.
    fn recorded(&self) -> Result<String> {
        let of_environment = || std::env::var("SDD_MONITOR").ok();
        let named = self.monitor.clone().or_else(of_environment);
        named
            .filter(|text| !text.is_empty() && text != "none")
            .context("--monitor (or SDD_MONITOR), or --images has to say what the report is about")
    }
}

impl Reported {
    fn status(&self) -> ExitStatus {
        match self.report.drift.verdict {
            Status::Drifting => ExitStatus::Drift,
            Status::Stable | Status::InsufficientData => ExitStatus::Success,
        }
    }
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

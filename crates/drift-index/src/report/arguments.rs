//! The flags of `drift-index report`.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use clap::builder::NonEmptyStringValueParser;

use crate::help;
use crate::model::ModelArguments;
use crate::store_argument::StoreArgument;

const BEFORE_HELP: &str = "\
Examples:
  drift-index report store --monitor sdd-monitor.sqlite --out drift.html
  drift-index report store --monitor sdd-monitor.sqlite --box-plot scores.svg
  SDD_MONITOR=postgres://sdd:PASSWORD@db.example/sdd drift-index report store
  drift-index report store --images today/ --model my.onnx --out drift.html

The page (--out) needs no network and no script, and is small enough to send.";

const AFTER_HELP: &str = "\
Verdicts: stable (exit code 0), drifting (1), insufficient_data (4). What counts as drift is
what the server stated that wrote the monitor's file; over --images it is the server's
defaults.

JSON (--json): status (ok, drift, partial, insufficient_data), store, html, box_plot (the
files written, or null), format (sdd-drift-report), format_version, made_ms, pair,
reference, drift (as GET /drift), what_to_do, stretches, path, scores, p_values, strangest,
skipped [{image, code, reason}], duplicates [{image, same_as, other_class}],
ignored {hidden, other_files, loops}.";

/// Say what a server has seen: what happened, and what to do
#[derive(Debug, Args)]
#[command(help_template = help::TEMPLATE, before_help = BEFORE_HELP, after_help = AFTER_HELP)]
pub struct Arguments {
    /// The store that the images are compared with, or a generation of it
    #[arg(value_name = "STORE[@N]")]
    pub store: StoreArgument,

    #[expect(clippy::doc_markdown, reason = "shown by --help as it stands")]
    /// The monitor of a server: a file, or postgres://…, whose password is better left to PGPASSWORD or ~/.pgpass
    /// [default: SDD_MONITOR]
    #[arg(long, value_name = "FILE|URL", conflicts_with = "images")]
    monitor: Option<String>,

    /// Which model's images: the beginning of its SHA-256 [default: the latest]
    #[arg(long, value_name = "HEX", conflicts_with = "images", value_parser = NonEmptyStringValueParser::new())]
    pub model_sha256: Option<String>,

    /// Images to watch instead, in the order of their names, each content once, as a server with its
    /// defaults would; may be given again
    #[arg(long, value_name = "IMAGES")]
    pub images: Vec<PathBuf>,

    /// The page to write
    #[arg(long, value_name = "FILE.html", help_heading = "Output")]
    pub out: Option<PathBuf>,

    /// The box plot of the scores to write by itself
    #[arg(long, value_name = "FILE.svg", help_heading = "Output")]
    pub box_plot: Option<PathBuf>,

    /// Folder of the server's --capture, for pictures of the strangest
    #[arg(long, value_name = "DIR", help_heading = "Pictures")]
    pub captured: Option<PathBuf>,

    /// Folder that the store was built from, for pictures of the nearest
    #[arg(long, value_name = "DIR", help_heading = "Pictures")]
    pub reference_images: Option<PathBuf>,

    #[command(flatten)]
    pub model: ModelArguments,
}

impl Arguments {
    /// What a server has recorded to. Not by clap, to which a variable would be an argument beside --images.
    pub fn recorded(&self) -> Result<String> {
        let of_environment = || std::env::var("SDD_MONITOR").ok();
        let named = self.monitor.clone().or_else(of_environment);
        named
            .filter(|text| !text.is_empty() && text != "none")
            .context("--monitor (or SDD_MONITOR), or --images has to say what the report is about")
    }
}

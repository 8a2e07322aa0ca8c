//! What `build` is told.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{ArgGroup, Args};
use sdd_index::Normalization;

use crate::groups::GroupArguments;
use crate::help;
use crate::model::ModelArguments;
use crate::rule_arguments::{RuleArguments, open_unit_interval};
use crate::store_argument::KeepArguments;

const BEFORE_HELP: &str = "\
Examples:
  drift-index build parts/ --group-regex '(part\\d+)_' --model my.onnx --out store
  drift-index build train/ --calibrate held_out/ --model my.onnx --out store
  drift-index build parts/ --calibrate-share 0.2 --group-csv parts.csv:item --out store
  drift-index build train.npy --classes train.txt --calibrate held_out.npy --out store

Where several images show one part (or tray, coil, shift), say which: each part then counts
once, and the store remembers how they are told. Without --calibrate and --calibrate-share
every part calibrates: each image is scored among those of all other parts.

The class of an image is the first folder below the one named. Images that cannot be
read are listed and left out (exit code 3). Of images with the same embedding the first
one counts, and one that is in the reference is not held out. A store that is there is
replaced once the new one is complete, and kept as an earlier generation.";

const AFTER_HELP: &str = "\
JSON (--json): as of `show`, and
skipped [{part, image, code, reason}],
duplicates [{part, image, same_as, other_class}],
ignored {hidden, other_files, loops}, seconds. `part` is reference or calibration.";

/// Build a store from images or a matrix of embeddings
#[derive(Debug, Args)]
#[command(
    help_template = help::TEMPLATE,
    before_help = BEFORE_HELP,
    after_help = AFTER_HELP,
    group = ArgGroup::new("grouping").args(GroupArguments::IDS),
)]
pub struct Arguments {
    /// Folder of images with all below it, image files, or a matrix FILE.npy
    #[arg(value_name = "IMAGES", required = true)]
    pub images: Vec<PathBuf>,

    /// The store to write
    #[arg(long, value_name = "STORE")]
    pub out: PathBuf,

    /// Classes of a matrix, one a line, or of captured images, as `capture list` lists them
    #[arg(long, value_name = "FILE")]
    pub classes: Option<PathBuf>,

    /// Ids of a matrix, one a line [default: the row numbers, from 0]
    #[arg(long, value_name = "FILE")]
    pub ids: Option<PathBuf>,

    /// Held-out images that are known to be fine: named as IMAGES
    #[arg(
        long = "calibrate",
        value_name = "IMAGES",
        conflicts_with = "share",
        help_heading = "Calibration"
    )]
    pub calibrate: Vec<PathBuf>,

    /// Classes of a held-out matrix, as the model predicts them
    #[arg(long, value_name = "FILE", requires = "calibrate", help_heading = "Calibration")]
    pub calibrate_classes: Option<PathBuf>,

    /// Share of the groups of IMAGES to hold out instead
    #[arg(
        id = "share",
        long = "calibrate-share",
        value_name = "SHARE",
        value_parser = open_unit_interval,
        requires = "grouping",
        help_heading = "Calibration"
    )]
    pub share: Option<f64>,

    /// Chooses which groups are held out
    #[arg(
        long,
        default_value_t = 0,
        value_name = "N",
        requires = "share",
        // Not needless: clap drops a requirement that conflicts with a flag at hand.
        conflicts_with = "calibrate",
        help_heading = "Calibration"
    )]
    pub seed: u64,

    #[command(flatten)]
    pub groups: GroupArguments,

    #[command(flatten)]
    pub rule: RuleArguments,

    /// What is done to embeddings before they are compared by nearest neighbors
    #[arg(
        long,
        default_value = "l2",
        value_parser = normalization_parser(),
        help_heading = "Score and rule (an update keeps what is not given)"
    )]
    pub normalize: Normalization,

    #[command(flatten)]
    pub model: ModelArguments,

    /// SHA-256 of the model that made a matrix, where its file is not at hand
    #[arg(
        long,
        value_name = "HEX",
        value_parser = sha256,
        conflicts_with = "model",
        help_heading = "Model"
    )]
    pub model_sha256: Option<String>,

    /// Name of that model
    #[arg(
        long,
        value_name = "NAME",
        default_value = "unnamed",
        requires = "model_sha256",
        conflicts_with = "model",
        help_heading = "Model"
    )]
    pub model_name: String,

    /// Version of that model
    #[arg(
        long,
        value_name = "VERSION",
        default_value = "unknown",
        requires = "model_sha256",
        conflicts_with = "model",
        help_heading = "Model"
    )]
    pub model_version: String,

    #[command(flatten)]
    pub keeping: KeepArguments,
}

fn normalization_parser() -> impl TypedValueParser<Value = Normalization> {
    PossibleValuesParser::new(["l2", "none"]).map(|name| match name.as_str() {
        "none" => Normalization::None,
        _ => Normalization::L2,
    })
}

fn sha256(text: &str) -> Result<String, String> {
    if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        Ok(text.to_ascii_lowercase())
    } else {
        Err("expected 64 hexadecimal digits".into())
    }
}

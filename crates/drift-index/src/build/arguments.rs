//! The flags of `drift-index build`.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use regex::Regex;
use sdd_drift::calibration::DEFAULT_ALPHA;
use sdd_drift::{DEFAULT_DELTA, PValueKind, PValueWithin, ScoreMethod, VerdictRule};
use sdd_index::Normalization;

use crate::model::InferenceArguments;
use crate::revision::KeepArguments;

const AFTER_LONG_HELP: &str = "\
JSON (--json): status, store, images, dimension, normalization, labels [{label, count}],
model {name, version, sha256} or null, score {method, k}, calibration {images, groups, alpha,
p_value {kind, delta}, within, threshold, classes [{class, images, threshold}], source} or null,
skipped [{part, image, reason}], duplicates [{part, image, same_as,
other_class}], ignored {hidden, other_files, loops}, seconds. `part` is reference or calibration.

Examples:
  drift-index build --model model.onnx --images parts --out reference \\
      --calibration-share 0.2 --group-csv parts/items.csv:item
  drift-index build --embeddings train.npy --labels train.txt \\
      --calibration-embeddings held_out.npy --out reference";

/// Build a reference store from a folder of images, or from a matrix of embeddings
///
/// The class of an image is the first folder below DIR on its path; images directly in DIR have
/// none. Images that cannot be read are listed and left out (exit code 3). Of images with the same embedding the
/// first one counts, and one that is in the reference is not held out: these are listed, too. An existing store is
/// replaced only once the new one is complete.
#[derive(Debug, Args)]
#[command(after_long_help = AFTER_LONG_HELP)]
pub struct Arguments {
    /// Folder of reference images
    #[arg(
        long,
        value_name = "DIR",
        required_unless_present = "embeddings",
        conflicts_with = "embeddings",
        requires = "model"
    )]
    pub images: Option<PathBuf>,

    /// The store to write
    #[arg(long, value_name = "STORE")]
    pub out: PathBuf,

    /// The model that makes the embeddings; with --embeddings, the one that made them
    #[arg(long, value_name = "FILE.onnx")]
    pub model: Option<PathBuf>,

    #[command(flatten)]
    pub inference: InferenceArguments,

    /// How an image is compared with the reference
    ///
    /// mahalanobis needs images of two classes at least.
    #[arg(
        long,
        default_value = ScoreMethod::Knn.name(),
        value_parser = score_parser(),
        help_heading = "Score"
    )]
    pub score: ScoreMethod,

    /// Which nearest neighbor's distance is the score
    #[arg(long, default_value = "5", value_name = "N", help_heading = "Score")]
    pub k: NonZeroUsize,

    /// What is done to embeddings before they are compared by nearest neighbors
    #[arg(
        long,
        default_value = "l2",
        value_parser = normalization_parser(),
        help_heading = "Score"
    )]
    pub normalize: Normalization,

    #[command(flatten)]
    pub calibration: CalibrationArguments,

    #[command(flatten)]
    pub matrix: MatrixArguments,

    #[command(flatten)]
    pub keeping: KeepArguments,
}

// `requires` is not enough below: clap drops a requirement that conflicts with a flag at hand.

/// Which images say what score is unusual.
#[derive(Debug, Args)]
#[command(next_help_heading = "Calibration")]
pub struct CalibrationArguments {
    /// Folder of held-out images that are known to be fine
    #[arg(
        long = "calibration",
        value_name = "DIR",
        conflicts_with_all = ["embeddings", "calibration_share"]
    )]
    pub folder: Option<PathBuf>,

    /// Share of the groups of --images to hold out instead
    #[arg(
        long = "calibration-share",
        value_name = "SHARE",
        value_parser = open_unit_interval,
        requires = "group",
        conflicts_with = "embeddings"
    )]
    pub calibration_share: Option<f64>,

    /// Groups by a column of a CSV file whose first column, `image`, holds paths relative to DIR
    ///
    /// All images of a group, for example of one physical part, go to the same side.
    #[arg(
        long,
        value_name = "FILE.csv:COLUMN",
        group = "group",
        requires = "calibration_share",
        conflicts_with_all = ["embeddings", "folder"]
    )]
    pub group_csv: Option<CsvColumn>,

    /// Groups by what this expression, or its first parentheses, finds in the path relative to DIR
    #[arg(
        long,
        value_name = "REGEX",
        group = "group",
        requires = "calibration_share",
        conflicts_with_all = ["embeddings", "folder"]
    )]
    pub group_regex: Option<Regex>,

    /// Chooses which groups are held out
    #[arg(
        long,
        default_value_t = 0,
        value_name = "N",
        requires = "calibration_share",
        conflicts_with_all = ["embeddings", "folder"]
    )]
    pub seed: u64,

    /// Tolerated share of false alarms
    #[arg(long, default_value_t = DEFAULT_ALPHA, value_name = "SHARE", value_parser = open_unit_interval)]
    pub alpha: f64,

    /// What the false alarms are promised: alpha on average over calibrations (marginal), or with
    /// probability 1 - delta given this one, which takes more images (simes 180 at the
    /// default alpha and delta)
    #[arg(
        long,
        default_value = PValueKind::NAMES[0],
        value_name = "KIND",
        value_parser = PossibleValuesParser::new(PValueKind::NAMES)
    )]
    pub p_value: String,

    /// The probability that the promise of simes fails
    #[arg(long, default_value_t = DEFAULT_DELTA, value_name = "PROBABILITY", value_parser = open_unit_interval)]
    pub delta: f64,

    /// The calibration images that an image is compared with: all, or those of its predicted class
    ///
    /// A class with too few of them (fewer than 19 at the default alpha) gets no verdict.
    #[arg(
        long,
        default_value = PValueWithin::All.name(),
        value_name = "IMAGES",
        value_parser = within_parser()
    )]
    pub p_value_within: PValueWithin,
}

impl CalibrationArguments {
    /// When an image is out of distribution.
    pub fn rule(&self) -> sdd_drift::Result<VerdictRule> {
        let p_value = PValueKind::from_name(&self.p_value, self.delta)?;
        Ok(VerdictRule { alpha: self.alpha, p_value, within: self.p_value_within })
    }
}

/// A matrix of embeddings in place of images.
#[derive(Debug, Args)]
#[command(next_help_heading = "Embeddings instead of images")]
pub struct MatrixArguments {
    /// Reference embeddings: N x D, float32 or float64, as numpy.save writes them
    #[arg(long, value_name = "FILE.npy")]
    pub embeddings: Option<PathBuf>,

    /// Their classes, one a line; an empty line is no class
    #[arg(long, value_name = "FILE", requires = "embeddings", conflicts_with = "images")]
    pub labels: Option<PathBuf>,

    /// Their ids, one a line, none empty [default: the row numbers, from 0]
    #[arg(long, value_name = "FILE", requires = "embeddings", conflicts_with = "images")]
    pub ids: Option<PathBuf>,

    /// Held-out embeddings
    #[arg(long, value_name = "FILE.npy", requires = "embeddings", conflicts_with = "images")]
    pub calibration_embeddings: Option<PathBuf>,

    /// The classes that the model predicts for them, one a line
    #[arg(
        long,
        value_name = "FILE",
        requires = "calibration_embeddings",
        conflicts_with = "images"
    )]
    pub calibration_labels: Option<PathBuf>,

    /// SHA-256 of the model that made them, where its file (--model) is not at hand
    #[arg(
        long,
        value_name = "HEX",
        value_parser = sha256,
        requires = "embeddings",
        conflicts_with_all = ["model", "images"]
    )]
    pub model_sha256: Option<String>,

    /// Name of that model
    #[arg(long, value_name = "NAME", default_value = "unnamed", requires = "model_sha256", conflicts_with_all = ["model", "images"])]
    pub model_name: String,

    /// Version of that model
    #[arg(long, value_name = "VERSION", default_value = "unknown", requires = "model_sha256", conflicts_with_all = ["model", "images"])]
    pub model_version: String,
}

/// A file and the name of one of its columns, written `FILE.csv:COLUMN`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvColumn {
    pub file: PathBuf,
    pub column: String,
}

impl FromStr for CsvColumn {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.rsplit_once(':') {
            Some((file, column)) if !file.is_empty() && !column.is_empty() => {
                Ok(Self { file: file.into(), column: column.to_owned() })
            }
            _ => Err("expected a file and a column, for example items.csv:item".into()),
        }
    }
}

pub fn score_parser() -> impl TypedValueParser<Value = ScoreMethod> {
    PossibleValuesParser::new(ScoreMethod::ALL.map(ScoreMethod::name))
        .try_map(|name| name.parse::<ScoreMethod>())
}

pub fn within_parser() -> impl TypedValueParser<Value = PValueWithin> {
    PossibleValuesParser::new(PValueWithin::ALL.map(PValueWithin::name))
        .try_map(|name| name.parse::<PValueWithin>())
}

fn normalization_parser() -> impl TypedValueParser<Value = Normalization> {
    PossibleValuesParser::new(["l2", "none"]).map(|name| match name.as_str() {
        "none" => Normalization::None,
        _ => Normalization::L2,
    })
}

pub fn open_unit_interval(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "expected a number".to_owned())?;
    if share > 0.0 && share < 1.0 {
        Ok(share)
    } else {
        Err("expected a share strictly between 0 and 1".into())
    }
}

fn sha256(text: &str) -> Result<String, String> {
    if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        Ok(text.to_ascii_lowercase())
    } else {
        Err("expected 64 hexadecimal digits".into())
    }
}

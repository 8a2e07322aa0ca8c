//! `drift-index check`: is a batch of new images like the held-out ones?

mod input;
mod text;

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use regex::Regex;
use sdd_drift::Reference;
use sdd_drift::batch::{self, BatchReport, Options, Status, Test};
use sdd_drift::calibration::DEFAULT_ALPHA;
use serde::Serialize;

use self::input::{Duplicate, Input};
use crate::answer::Answer;
use crate::build::groups::{CsvColumn, Rule};
use crate::exit::ExitStatus;
use crate::images::folder::{Ignored, Skipped};
use crate::interrupt::Interrupt;
use crate::model::ModelArguments;

const AFTER_LONG_HELP: &str = "\
Verdicts: stable, drifting, insufficient_data (exit codes 0, 1, 0). `appearance` compares the images
of each predicted class with the held-out images of that class, `class_mix` the shares of the classes.
Tests (--test): mmd is the maximum mean discrepancy of the embeddings; ks, bbsd and score are
Kolmogorov-Smirnov on each of their components, on the predicted probabilities, on the drift scores.
The one chosen decides, the others are reported.

JSON (--json): status (ok, drift), store, batch, verdict, alpha, images, held_out_images,
out_of_distribution, in_reference, in_held_out,
appearance {verdict, reason, test, p_value, alpha, images_needed, groups, smallest_p_value,
  within_classes, classes [{class, held_out_images, images, tested, p_value, stands_out}],
  tests [{test, p_value, method}], components [{component, class, statistic, p_value}]},
class_mix {verdict, reason, statistic, p_value, alpha, images_needed,
  classes [{class, held_out_images, images}]},
strangest [{image, row, class, score, p_value, out_of_distribution,
  neighbors [{id, label, distance}]}],
skipped [{image, reason}], duplicates [{image, same_as}], ignored {hidden, other_files, loops}.

Examples:
  drift-index check reference today/ --model model.onnx
  drift-index check reference today/ --model model.onnx --group-regex 'part(\\d+)_'
  drift-index check reference today.npy --predicted-classes today.txt --json";

/// Compare a batch of new images with the held-out images of a store
///
/// Answers 1 as its exit code if the batch has drifted. Over batches without drift that happens with
/// probability ALPHA at most, where both are drawn alike and independently; where several images show
/// one part they are not, and --group-regex or --group-csv must say which. Images that cannot be read
/// are listed and left out; of byte-identical images the first one counts.
#[derive(Debug, Args)]
#[command(after_long_help = AFTER_LONG_HELP)]
pub struct Arguments {
    /// The store, built with a calibration
    store: PathBuf,

    /// Folder of images with all below it, or a matrix of embeddings as numpy.save writes it
    #[arg(value_name = "DIR|FILE.npy")]
    batch: PathBuf,

    #[command(flatten)]
    model: ModelArguments,

    /// Probability of an alarm over a batch without drift, at most
    #[arg(long, default_value_t = DEFAULT_ALPHA, value_name = "SHARE", help_heading = "Test")]
    alpha: f64,

    /// Which test decides on the appearance [default: mmd; score for a store without held-out
    /// embeddings]
    #[arg(long, value_parser = test_parser(), help_heading = "Test")]
    test: Option<Test>,

    /// Random relabelings; the smallest p-value is 1/(N + 1)
    #[arg(long, default_value_t = Options::default().permutations, value_name = "N", help_heading = "Test")]
    permutations: usize,

    /// Chooses the relabelings
    #[arg(long, default_value_t = 0, value_name = "N", help_heading = "Test")]
    seed: u64,

    /// Decide by the appearance alone: the held-out images do not have the shares of production
    #[arg(long, help_heading = "Test")]
    ignore_class_mix: bool,

    /// Groups by what this expression, or its first parentheses, finds in an image's path, in DIR and among
    /// the held-out images
    ///
    /// For several images of one physical part: they are not independent, and every new part would be found to
    /// differ from the held-out ones. With groups whole parts are compared, and their number counts.
    #[arg(long, value_name = "REGEX", conflicts_with = "group_csv", help_heading = "Groups")]
    group_regex: Option<Regex>,

    /// Groups by a column of a CSV file whose first column, `image`, holds the paths of all of them
    #[arg(long, value_name = "FILE.csv:COLUMN", help_heading = "Groups")]
    group_csv: Option<CsvColumn>,

    /// How many of the strangest images to name
    #[arg(long, default_value_t = Options::default().strangest, value_name = "N")]
    strangest: usize,

    /// How many of the most similar reference images to name for each of them
    #[arg(short = 'k', long, default_value_t = 3, value_name = "N")]
    neighbors: usize,

    /// The classes that the model predicts for the rows of FILE.npy, one a line
    #[arg(long, value_name = "FILE", help_heading = "Embeddings instead of images")]
    predicted_classes: Option<PathBuf>,

    /// The probabilities that it gives them: one row an image, one column a class of the model
    #[arg(long, value_name = "FILE.npy", help_heading = "Embeddings instead of images")]
    probabilities: Option<PathBuf>,
}

pub fn run(arguments: &Arguments) -> Result<Answer> {
    let reference = Reference::open(&arguments.store)
        .with_context(|| format!("cannot open {}", arguments.store.display()))?;
    let interrupt = Interrupt::listen()?;
    let input = Input::read(arguments, &reference, &interrupt)?;
    interrupt.check()?;
    let options = Options {
        alpha: arguments.alpha,
        permutations: arguments.permutations,
        seed: arguments.seed,
        test: arguments.test,
        class_mix: !arguments.ignore_class_mix,
        strangest: arguments.strangest,
        neighbors: arguments.neighbors,
    };
    let mut report = batch::check(&reference, &input.batch, &options)?;
    // The library asks for one at least, to tell images of the reference.
    for image in &mut report.strangest {
        image.neighbors.truncate(arguments.neighbors);
    }
    let checked = Checked {
        store: arguments.store.display().to_string(),
        batch: arguments.batch.display().to_string(),
        report,
        skipped: input.skipped,
        duplicates: input.duplicates,
        ignored: input.ignored,
    };
    Answer::new(checked.status(), &checked)
}

fn test_parser() -> impl TypedValueParser<Value = Test> {
    PossibleValuesParser::new(Test::ALL.map(Test::name)).try_map(|name| name.parse::<Test>())
}

/// The answer of `check`.
#[derive(Serialize)]
struct Checked {
    store: String,
    batch: String,
    #[serde(flatten)]
    report: BatchReport,
    skipped: Vec<Skipped>,
    duplicates: Vec<Duplicate>,
    ignored: Ignored,
}

impl Arguments {
    /// Where the groups come from, if images have groups.
    fn rule(&self) -> Option<Rule<'_>> {
        let csv = self.group_csv.as_ref().map(Rule::Csv);
        csv.or_else(|| self.group_regex.as_ref().map(Rule::Regex))
    }
}

impl Checked {
    fn status(&self) -> ExitStatus {
        match self.report.verdict {
            Status::Drifting => ExitStatus::Drift,
            _ => ExitStatus::Success,
        }
    }
}

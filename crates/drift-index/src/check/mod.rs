//! `drift-index check`: are these images like the held-out ones, one by one and as a whole?

mod each;
mod text;

use std::fmt;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::Args;
use ndarray::Array2;
use sdd_drift::batch::{self, Batch, BatchGroups, BatchReport, Options, Test};
use sdd_drift::calibration::DEFAULT_ALPHA;
use sdd_drift::{CalibrationImages, Reference};
use serde::Serialize;

use self::each::Each;
use self::text::fmt_whole;
use crate::answer::Answer;
use crate::exit::ExitStatus;
use crate::groups::{GroupArguments, Groups};
use crate::held_out::groups_by_id;
use crate::help;
use crate::images::embedded::{Embedded, EmbeddedImage};
use crate::images::read::read;
use crate::images::source::{Source, names};
use crate::model::{Model, ModelArguments};
use crate::remarks::Remarks;
use crate::rule_arguments::by_name;
use crate::store_argument::StoreArgument;
use crate::{interrupt, npy};

const BEFORE_HELP: &str = "\
Examples:
  drift-index check store part.png
  drift-index check store today/ --model my.onnx
  drift-index check store today/ --group-regex 'part(\\d+)_'
  drift-index check store today.npy --classes today.txt --each --json

One image is out of distribution (exit code 1) if its p-value, the share of held-out
images that are at least as strange, is at most the store's alpha. Several are judged as
a whole: without drift they are called drifting (exit code 1) with probability ALPHA at
most, where both sides are drawn alike and independently. Where several images show one
part they are not, and --group-regex or --group-csv must say which. Images that cannot
be read are listed and left out; of byte-identical images the first one counts.";

const AFTER_HELP: &str = "\
Verdicts on a batch: stable (exit code 0), drifting (1), insufficient_data (4). `appearance`
compares the images of each predicted class with the held-out images of that class,
`class_mix` the shares of the classes. Tests (--test): mmd is the maximum mean discrepancy
of the embeddings; ks, bbsd and score are Kolmogorov-Smirnov on each of their components,
on the predicted probabilities, on the drift scores. The one chosen decides, the others are
reported. Where the store's own images calibrate, part by part, score is the one that can.

JSON (--json): status (ok, drift, partial, insufficient_data), store, batch,
skipped [{image, code, reason}], duplicates [{image, same_as, other_class}],
ignored {hidden, other_files, loops}.

Of several images also: verdict, alpha, images, held_out_images, out_of_distribution,
out_of_distribution_groups (how many groups these are of), out_of_distribution_expected
(how many without drift, on average), in_reference, in_held_out,
appearance {verdict, reason, test, p_value, alpha, images_needed, groups, smallest_p_value,
  within_classes, classes [{class, held_out_images, images, tested, p_value, stands_out}],
  tests [{test, p_value, method}], components [{component, class, statistic, p_value}]},
class_mix {verdict, reason, statistic, p_value, alpha, images_needed,
  classes [{class, held_out_images, images}]},
strangest [{image, row, class, score, p_value, out_of_distribution,
  neighbors [{id, label, distance}]}].

Of one image, or with --each, also: score {method, k}, image_alpha (null without a
calibration), threshold (null also where each class has its own), results [{image or row,
class, confidence, score, p_value, threshold, out_of_distribution,
unavailable {reason, message, class, images, groups, required} (why there is no verdict) or
null,
neighbors [{id, label, distance}], error {code, message} or null}].";

/// Say whether images are like the held-out ones, one by one and as a whole
#[derive(Debug, Args)]
#[command(help_template = help::TEMPLATE, before_help = BEFORE_HELP, after_help = AFTER_HELP)]
pub struct Arguments {
    /// The store, or a generation of it
    #[arg(value_name = "STORE[@N]")]
    store: StoreArgument,

    /// Folder of images with all below it, image files, or a matrix FILE.npy
    #[arg(value_name = "IMAGES", required = true)]
    images: Vec<PathBuf>,

    /// Name score, p-value, verdict and nearest images of each, too
    #[arg(long)]
    each: bool,

    /// How many of the most similar reference images to name for an image
    #[arg(long, default_value_t = 3, value_name = "N")]
    neighbors: usize,

    /// How many of the strangest images of a batch to name
    #[arg(long, default_value_t = Options::default().strangest, value_name = "N")]
    strangest: usize,

    /// Classes of a matrix, one a line, as the model predicts them
    #[arg(long, value_name = "FILE")]
    classes: Option<PathBuf>,

    /// Ids of a matrix, one a line, in which its groups are found
    #[arg(long, value_name = "FILE")]
    ids: Option<PathBuf>,

    /// Probabilities for a matrix: a row an image, a column a class of the model
    #[arg(long, value_name = "FILE.npy")]
    probabilities: Option<PathBuf>,

    /// Probability of an alarm over a batch without drift, at most
    #[arg(long, default_value_t = DEFAULT_ALPHA, value_name = "SHARE", help_heading = "Test of a batch")]
    alpha: f64,

    /// Which test decides on the appearance [default: mmd; score where no embeddings are held out]
    #[arg(long, value_parser = by_name::<Test>(Test::ALL.map(Test::name)), help_heading = "Test of a batch")]
    test: Option<Test>,

    /// Random relabelings; the smallest p-value is 1/(N + 1)
    #[arg(long, default_value_t = Options::default().permutations, value_name = "N", help_heading = "Test of a batch")]
    permutations: usize,

    /// Chooses the relabelings
    #[arg(long, default_value_t = 0, value_name = "N", help_heading = "Test of a batch")]
    seed: u64,

    /// Decide by the appearance alone: the held-out images do not have the shares of production
    #[arg(long, help_heading = "Test of a batch")]
    ignore_class_mix: bool,

    #[command(flatten)]
    groups: GroupArguments,

    #[command(flatten)]
    model: ModelArguments,
}

pub fn run(arguments: &Arguments) -> Result<Answer> {
    let Arguments { images, classes, ids, .. } = arguments;
    let reference = arguments.store.open_reference()?;
    interrupt::listen()?;
    let groups = Groups::new(arguments.groups.rule()?, reference.calibration())?;
    let source = Source::find(images, classes.as_deref(), ids.as_deref())?;
    groups.check_names(&source)?;
    let has_names = source.has_names();
    if let Source::Images(folder) = &source {
        ensure!(
            arguments.probabilities.is_none(),
            "--probabilities are of a matrix: those of images are the model's"
        );
        groups
            .check_told(folder.images.iter().map(|image| image.id.as_str()))
            .context("of the batch")?;
    }
    let mut model = Model::of(reference.store().manifest(), &arguments.model);
    let mut remarks = Remarks::default();
    let embedded = read(source, None, &mut model, &mut remarks)?;
    interrupt::check()?;
    let is_one = embedded.images.len() == 1;
    let each = (is_one || arguments.each)
        .then(|| Each::of(&embedded, &reference, arguments.neighbors))
        .transpose()?;
    // Each can be asked for where there is nothing to compare them with as a whole.
    let is_batch = !is_one && (reference.calibration().is_some() || each.is_none());
    let judge = || arguments.judge(embedded, &groups, has_names, &reference);
    let report = is_batch.then(judge).transpose()?;
    let store = arguments.store.to_string();
    let checked = Checked { store, batch: names(images), report, each, remarks };
    Answer::new(checked.status(), &checked)
}

impl Arguments {
    /// The images as a whole.
    fn judge(
        &self,
        embedded: Embedded,
        groups: &Groups,
        has_names: bool,
        reference: &Reference,
    ) -> Result<BatchReport> {
        let is_grouped = has_names && groups.by().is_some();
        let groups = is_grouped.then(|| of_both_sides(groups, &embedded, reference)).transpose()?;
        let Embedded { embeddings, images, .. } = embedded;
        let batch = Batch {
            predicted_classes: self.predicted_classes(&images)?,
            probabilities: match &self.probabilities {
                Some(file) => Some(npy::read(file)?),
                None => probabilities(&images)?,
            },
            names: has_names.then(|| images.into_iter().map(|image| image.known.id).collect()),
            embeddings,
            groups: groups.flatten(),
        };
        let options = Options {
            alpha: self.alpha,
            permutations: self.permutations,
            seed: self.seed,
            test: self.test,
            class_mix: !self.ignore_class_mix,
            strangest: self.strangest,
            neighbors: self.neighbors,
        };
        let mut report = batch::check(reference, &batch, &options)?;
        // The library asks for one at least, to tell images of the reference.
        for image in &mut report.strangest {
            image.neighbors.truncate(self.neighbors);
        }
        Ok(report)
    }

    /// Of all images or, of a matrix without a file of classes, of none.
    fn predicted_classes(&self, images: &[EmbeddedImage]) -> Result<Option<Vec<String>>> {
        let classes = images.iter().map(|image| image.known.predicted_class.clone());
        let classes: Vec<_> = classes.collect();
        let missing = classes.iter().position(Option::is_none);
        if let (Some(missing), Some(file)) = (missing, &self.classes) {
            anyhow::bail!("{} names no class in line {}", file.display(), missing + 1);
        }
        Ok(classes.into_iter().collect())
    }
}

/// Of all images or, of a matrix, of none.
fn probabilities(images: &[EmbeddedImage]) -> Result<Option<Array2<f32>>> {
    let rows = images.iter().map(|image| image.known.probabilities.as_deref());
    let rows: Option<Vec<&[f32]>> = rows.collect();
    let Some(rows) = rows else { return Ok(None) };
    let shape = (rows.len(), rows.first().map_or(0, |row| row.len()));
    let matrix = Array2::from_shape_vec(shape, rows.concat());
    matrix.map(Some).context("the model's outputs are not of the dimensions that it states")
}

/// The groups of both sides, by their names. As told now, every image must have one; where the store remembers a rule that
/// does not know all images of the batch, nothing is known of any, and is said.
fn of_both_sides(
    groups: &Groups,
    embedded: &Embedded,
    reference: &Reference,
) -> Result<Option<BatchGroups>> {
    let batch = match groups.assign_new(embedded.ids()).context("of the batch") {
        Ok(batch) => batch,
        Err(error) if groups.are_told() => return Err(error),
        Err(error) => {
            eprintln!("warning: {error:#}");
            return Ok(None);
        }
    };
    let calibration = reference.calibration();
    let known = calibration.map(groups_by_id).unwrap_or_default();
    let images = CalibrationImages::from_store(reference.store())?;
    let compared_with: Vec<&str> = match (&images, calibration) {
        (Some(images), _) => images.images().iter().map(|image| image.id.as_str()).collect(),
        (None, Some(calibration)) => {
            calibration.entries().iter().filter_map(|entry| entry.id.as_deref()).collect()
        }
        (None, None) => return Err(sdd_drift::Error::NoHeldOutImages.into()),
    };
    let of_store = compared_with.into_iter().map(|id| (id, known.get(id).copied()));
    let held_out = groups.assign(of_store).context("of the store's calibration images")?;
    ensure!(
        !held_out.is_empty(),
        "the store keeps the scores of its held-out images, not the images, which have groups: build it again"
    );
    Ok(Some(BatchGroups { held_out, batch }))
}

/// The answer of `check`.
#[derive(Serialize)]
struct Checked {
    store: String,
    batch: String,
    /// Of several images.
    #[serde(flatten)]
    report: Option<BatchReport>,
    /// Of one image, or where it was asked for.
    #[serde(flatten)]
    each: Option<Each>,
    #[serde(flatten)]
    remarks: Remarks,
}

impl Checked {
    /// Of the batch, or else of its one image.
    fn status(&self) -> ExitStatus {
        let is_incomplete = self.each.as_ref().is_some_and(Each::is_incomplete);
        let left_out = is_incomplete || !self.remarks.skipped.is_empty();
        if let Some(report) = &self.report {
            return ExitStatus::of_verdict(report.verdict, left_out);
        }
        match self.each.as_ref().and_then(Each::verdict_on_one) {
            Some(true) => ExitStatus::Drift,
            Some(false) => ExitStatus::done(left_out),
            None => ExitStatus::TooFew,
        }
    }
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(each) = &self.each {
            each.fmt(f)?;
        }
        if let Some(report) = &self.report {
            fmt_whole(f, &self.batch, &self.store, report)?;
        }
        self.remarks.fmt(f)
    }
}

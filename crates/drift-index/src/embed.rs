//! `drift-index embed`: the model's embeddings of images, as a matrix.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Args;
use ndarray::Array2;
use sdd_core::{DEFAULT_MODEL, ImageWarning, ModelSpec, Prediction, Probabilities};
use serde::Serialize;

use crate::answer::{Answer, Failure, UNREADABLE_IMAGE, count, line};
use crate::exit::ExitStatus;
use crate::images::embed::{Outcome, embed};
use crate::images::folder::{Folder, Ignored, Skipped, ensure_images, scan};
use crate::info::{ModelInfo, model_text};
use crate::interrupt::Interrupt;
use crate::model::{InferenceArguments, identity};
use crate::npy;

const AFTER_LONG_HELP: &str = "\
JSON (--json): status (ok; partial if some images were skipped; error if all were, and nothing was
written), out (null then), rows, dimension, model {name, version, sha256}, results [{image, row,
class, confidence, probabilities {CLASS: PROBABILITY}, error {code, message} or null}], ignored
{hidden, other_files, loops}, seconds. `row` counts from 0, and is null for a skipped image.

Example:
  drift-index embed --model model.onnx --images parts --out parts.npy
  drift-index build --embeddings parts.npy --out reference";

/// Write a model's embeddings of images as a matrix
///
/// The matrix is float32 [M, D], as numpy.load and `build --embeddings` read it: one row for each
/// image that can be read, in the order of the images, as the model made it, not normalized. Of a
/// folder the order is that of the paths. Images that cannot be read have no row and are listed
/// (exit code 3). The file is there only once it is complete.
#[derive(Debug, Args)]
#[command(after_long_help = AFTER_LONG_HELP)]
pub struct Arguments {
    /// The images
    #[arg(value_name = "IMAGE", required_unless_present = "folder", conflicts_with = "folder")]
    images: Vec<PathBuf>,

    /// Folder of images instead, with all below it
    #[arg(long = "images", value_name = "DIR")]
    folder: Option<PathBuf>,

    /// The matrix to write
    #[arg(long, value_name = "FILE.npy")]
    out: PathBuf,

    /// The model
    #[arg(long, value_name = "FILE.onnx", default_value = DEFAULT_MODEL)]
    model: PathBuf,

    #[command(flatten)]
    inference: InferenceArguments,
}

pub fn run(arguments: &Arguments) -> Result<Answer> {
    let started = Instant::now();
    npy::check_destination(&arguments.out)?;
    let images = Images::of(arguments)?;
    let interrupt = Interrupt::listen()?;

    let first = arguments.inference.open(&arguments.model, 1)?;
    let (model, spec) = (identity(&first), first.spec().clone());
    let files: Vec<&Path> = images.files.iter().map(|(_, path)| path.as_path()).collect();
    let classifiers = arguments.inference.fork(first, files.len())?;
    let max_bytes = arguments.inference.limits().max_bytes;
    let outcomes = embed(&files, classifiers, max_bytes, &interrupt)?;

    let (embeddings, results) = images.settle(&outcomes, &spec)?;
    interrupt.check()?;
    let rows = embeddings.nrows();
    if rows > 0 {
        npy::write(&arguments.out, &embeddings)?;
    }
    let embedded = Embedded {
        out: (rows > 0).then(|| arguments.out.display().to_string()),
        rows,
        dimension: spec.embedding_dimension,
        model: ModelInfo::from(&model),
        results,
        ignored: images.ignored,
        seconds: started.elapsed().as_secs_f64(),
    };
    Answer::new(embedded.status(), &embedded)
}

/// What is to be embedded.
struct Images {
    /// What each is called in the answer, and where it is.
    files: Vec<(String, PathBuf)>,
    /// What looks like an image and cannot be one.
    skipped: Vec<Skipped>,
    ignored: Ignored,
}

impl Images {
    fn of(arguments: &Arguments) -> Result<Self> {
        let Some(folder) = &arguments.folder else {
            let named =
                arguments.images.iter().map(|path| (path.display().to_string(), path.clone()));
            let (skipped, ignored) = (Vec::new(), Ignored::default());
            return Ok(Self { files: named.collect(), skipped, ignored });
        };
        let Folder { images, skipped, ignored } = scan(folder)?;
        ensure_images(&images, folder)?;
        let files = images.into_iter().map(|image| (image.id, image.path)).collect();
        Ok(Self { files, skipped, ignored })
    }

    /// The matrix, and what is to be said of each image. Of byte-identical images each has a row.
    fn settle(
        &self,
        outcomes: &[Outcome],
        spec: &ModelSpec,
    ) -> Result<(Array2<f32>, Vec<Embedding>)> {
        let mut values = Vec::new();
        let mut rows = 0;
        let mut results = Vec::with_capacity(outcomes.len());
        for ((image, _), outcome) in self.files.iter().zip(outcomes) {
            let outcome = match outcome {
                Outcome::SameAs(earlier) => &outcomes[*earlier],
                own => own,
            };
            results.push(match outcome {
                Outcome::Classified(prediction, _) => {
                    values.extend_from_slice(&prediction.embedding);
                    rows += 1;
                    Embedding::new(image, rows - 1, prediction, spec)?
                }
                Outcome::SameAs(_) => bail!("{image} is said to be the same as a copy"),
                Outcome::Unreadable(failure) => Embedding::none(image, failure.clone()),
            });
        }
        if !self.skipped.is_empty() {
            results.extend(self.skipped.iter().map(|skipped| {
                let message = skipped.reason.clone();
                Embedding::none(&skipped.image, Failure { code: UNREADABLE_IMAGE, message })
            }));
            // As those of a folder are.
            results.sort_by(|a, b| a.image.cmp(&b.image));
        }
        let matrix = Array2::from_shape_vec((rows, spec.embedding_dimension), values)
            .context("the model's embeddings are not of the dimension that it states")?;
        Ok((matrix, results))
    }
}

/// What is said of one image.
#[derive(Serialize)]
struct Embedding {
    image: String,
    row: Option<usize>,
    class: Option<String>,
    confidence: Option<f32>,
    probabilities: Option<Probabilities>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<ImageWarning>,
    error: Option<Failure>,
}

impl Embedding {
    fn new(image: &str, row: usize, prediction: &Prediction, spec: &ModelSpec) -> Result<Self> {
        let class = spec.labels.get(prediction.class_index);
        Ok(Self {
            image: image.to_owned(),
            row: Some(row),
            class: Some(class.context("the model has no such class")?.clone()),
            confidence: Some(prediction.confidence),
            probabilities: Some(prediction.probabilities_of(&spec.labels)),
            warnings: prediction.warning.into_iter().collect(),
            error: None,
        })
    }

    fn none(image: &str, failure: Failure) -> Self {
        Self {
            image: image.to_owned(),
            row: None,
            class: None,
            confidence: None,
            probabilities: None,
            warnings: Vec::new(),
            error: Some(failure),
        }
    }
}

/// The answer of `embed`.
#[derive(Serialize)]
struct Embedded {
    out: Option<String>,
    rows: usize,
    dimension: usize,
    model: ModelInfo,
    results: Vec<Embedding>,
    ignored: Ignored,
    seconds: f64,
}

impl Embedded {
    fn skipped(&self) -> usize {
        self.results.len() - self.rows
    }

    fn status(&self) -> ExitStatus {
        match (self.rows, self.skipped()) {
            (0, _) => ExitStatus::Error,
            (_, 0) => ExitStatus::Success,
            _ => ExitStatus::Partial,
        }
    }
}

impl fmt::Display for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for result in &self.results {
            result.fmt(f)?;
        }
        match &self.out {
            Some(out) => writeln!(f, "wrote {out} in {:.1} s", self.seconds)?,
            None => writeln!(f, "nothing was written: no image can be read")?,
        }
        line(f, "matrix", format_args!("{} x {}, float32", self.rows, self.dimension))?;
        line(f, "model", model_text(Some(&self.model)))?;
        if self.skipped() > 0 {
            line(f, "skipped", count(self.skipped(), "image"))?;
        }
        self.ignored.fmt(f)
    }
}

impl fmt::Display for Embedding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.image)?;
        if let Some(Failure { code, message }) = &self.error {
            line(f, "error", format_args!("{code}: {message}"))?;
        }
        if let Some(row) = self.row {
            line(f, "row", row)?;
        }
        if let (Some(class), Some(confidence)) = (&self.class, self.confidence) {
            line(f, "class", format_args!("{class} ({:.1} %)", 100.0 * confidence))?;
        }
        if let Some(Probabilities(found)) = &self.probabilities {
            let texts: Vec<_> = found.iter().map(|(label, p)| format!("{label} {p:.6}")).collect();
            line(f, "probability", texts.join(", "))?;
        }
        for warning in &self.warnings {
            line(f, "warning", warning)?;
        }
        Ok(())
    }
}

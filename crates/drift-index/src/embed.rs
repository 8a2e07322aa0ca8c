//! `drift-index embed`: the model's embeddings of images, as a matrix.

use std::fmt;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Args;
use ndarray::Array2;
use sdd_core::{ImageWarning, ModelSpec, Prediction, Probabilities};
use sdd_index::ModelIdentity;
use serde::Serialize;

use crate::answer::{Answer, Failure, count, line};
use crate::describe::model_text;
use crate::exit::ExitStatus;
use crate::images::classify::{Classified, classify};
use crate::images::folder::ImageFile;
use crate::images::source::Source;
use crate::model::{Model, ModelArguments};
use crate::remarks::Ignored;
use crate::{help, interrupt, npy, whole_file};

const BEFORE_HELP: &str = "\
Examples:
  drift-index embed parts/ --out parts.npy
  drift-index embed a.jpg b.jpg --model my.onnx --out two.npy

The matrix is float32 [M, D], as numpy.load and the other commands read it: one row for
each image that can be read, in their order (of a folder that of the paths), as the model
made it, not normalized. Images that cannot be read have no row (exit code 3).";

const AFTER_HELP: &str = "\
JSON (--json): status (ok; partial if some images were left out; error if all were, and
nothing was written), out (null then), rows, dimension, model {name, version, sha256},
results [{image, row, class, confidence, probabilities {CLASS: PROBABILITY},
error {code, message} or null}], ignored {hidden, other_files, loops}, seconds.
`row` counts from 0, and is null for an image that was left out.";

/// Write a model's embeddings of images as a matrix
#[derive(Debug, Args)]
#[command(help_template = help::TEMPLATE, before_help = BEFORE_HELP, after_help = AFTER_HELP)]
pub struct Arguments {
    /// Folder of images with all below it, or image files
    #[arg(value_name = "IMAGES", required = true)]
    images: Vec<PathBuf>,

    /// The matrix to write
    #[arg(long, value_name = "FILE.npy")]
    out: PathBuf,

    #[command(flatten)]
    model: ModelArguments,
}

pub fn run(arguments: &Arguments) -> Result<Answer> {
    let started = Instant::now();
    whole_file::check_destination(&arguments.out, &["npy"])?;
    let images = match Source::find(&arguments.images, None, None)? {
        Source::Images(images) => images,
        Source::Matrix(matrix) => bail!("{} has embeddings already", matrix.path.display()),
    };
    interrupt::listen()?;
    let mut model = Model::new(&arguments.model);
    let spec = model.spec()?;
    let found = classify(&images.images, &mut model)?;
    let (mut values, mut rows) = (Vec::new(), 0);
    let mut results = Vec::with_capacity(found.len());
    // Of byte-identical images each has a row.
    for (ImageFile { id, .. }, found) in images.images.iter().zip(found) {
        results.push(match found {
            Ok(Classified { prediction, .. }) => {
                values.extend_from_slice(&prediction.embedding);
                rows += 1;
                Embedding::new(id, rows - 1, &prediction, &spec)
            }
            Err(failure) => Embedding::none(id, failure),
        });
    }
    if !images.skipped.is_empty() {
        results.extend(images.skipped.into_iter().map(|skipped| {
            let (code, message) = (skipped.code, skipped.reason);
            Embedding::none(&skipped.image, Failure { code, message })
        }));
        // As those of a folder are.
        results.sort_by(|a, b| a.image.cmp(&b.image));
    }
    let embeddings = Array2::from_shape_vec((rows, spec.embedding_dimension), values)
        .context("the model's embeddings are not of the dimension that it states")?;
    interrupt::check()?;
    if rows > 0 {
        npy::write(&arguments.out, &embeddings)?;
    }
    let embedded = Embedded {
        out: (rows > 0).then(|| arguments.out.display().to_string()),
        rows,
        dimension: spec.embedding_dimension,
        model: model.identity(),
        results,
        ignored: images.ignored,
        seconds: started.elapsed().as_secs_f64(),
    };
    Answer::new(embedded.status(), &embedded)
}

/// What is said of one image.
#[derive(Default, Serialize)]
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
    fn new(image: &str, row: usize, prediction: &Prediction, spec: &ModelSpec) -> Self {
        Self {
            image: image.to_owned(),
            row: Some(row),
            class: Some(prediction.class(spec).to_owned()),
            confidence: Some(prediction.confidence),
            probabilities: Some(prediction.probabilities_of(&spec.labels)),
            warnings: prediction.warning.into_iter().collect(),
            error: None,
        }
    }

    fn none(image: &str, failure: Failure) -> Self {
        Self { image: image.to_owned(), error: Some(failure), ..Self::default() }
    }
}

/// The answer of `embed`.
#[derive(Serialize)]
struct Embedded {
    out: Option<String>,
    rows: usize,
    dimension: usize,
    model: Option<ModelIdentity>,
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
        line(f, "model", model_text(self.model.as_ref()))?;
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

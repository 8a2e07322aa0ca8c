//! `drift-index query`: is this image like the reference?

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use sdd_core::{Classifier, ImageWarning, Prediction};
use sdd_drift::{Assessment, NearestImage, Query, Reference, Unavailable};
use serde::Serialize;

use crate::answer::{Answer, Failure, line};
use crate::exit::ExitStatus;
use crate::images::file;
use crate::info::ScoreInfo;
use crate::model::ModelArguments;
use crate::npy;

/// Searched together, which shares the reading of the reference among them.
const ROWS_AT_A_TIME: usize = 128;

const AFTER_LONG_HELP: &str = "\
JSON (--json): status (ok, drift, or error if some query has no answer), store, score {method, k},
alpha (null without a calibration), threshold (null without a calibration, or where each class has
its own), results [{image or row, class, confidence, score, p_value, threshold, out_of_distribution,
unavailable {reason, message, class, images, required} (why there is no verdict) or null,
neighbors [{id, label, distance}], error {code, message} or null}].

Example:
  drift-index query reference part.png --model model.onnx";

/// Score images against a store, and name the most similar reference images
///
/// Answers 1 as its exit code if an image is out of distribution: if its p-value, the share of
/// calibration images that are at least as strange, is at most the store's alpha.
#[derive(Debug, Args)]
#[command(after_long_help = AFTER_LONG_HELP)]
pub struct Arguments {
    /// The store
    store: PathBuf,

    /// The images
    #[arg(
        value_name = "IMAGE",
        required_unless_present = "embeddings",
        conflicts_with = "embeddings"
    )]
    images: Vec<PathBuf>,

    /// How many of the most similar reference images to name
    #[arg(short = 'k', long, default_value_t = 3, value_name = "N")]
    neighbors: usize,

    #[command(flatten)]
    model: ModelArguments,

    /// Embeddings instead of images: one a row, as numpy.save writes them
    #[arg(long, value_name = "FILE.npy", help_heading = "Embeddings instead of images")]
    embeddings: Option<PathBuf>,

    /// The class that the model predicts for all of them
    #[arg(
        long,
        value_name = "CLASS",
        requires = "embeddings",
        conflicts_with = "images",
        help_heading = "Embeddings instead of images"
    )]
    predicted: Option<String>,
}

pub fn run(arguments: &Arguments) -> Result<Answer> {
    let reference = Reference::open(&arguments.store)
        .with_context(|| format!("cannot open {}", arguments.store.display()))?;
    let results = if let Some(matrix) = &arguments.embeddings {
        arguments.model.check_if_named(&reference)?;
        ask_rows(arguments, matrix, &reference)?
    } else {
        let threads = arguments.model.inference.threads();
        let mut classifier = arguments.model.open_for(&reference, threads)?;
        let ask = |path: &PathBuf| {
            let found = ask_image(arguments, path, &mut classifier, &reference);
            Queried::new(Subject::Image(path.display().to_string()), found)
        };
        arguments.images.iter().map(ask).collect()
    };
    let calibration = reference.calibration();
    let answered = Answered {
        store: arguments.store.display().to_string(),
        score: reference.score().into(),
        alpha: calibration.map(sdd_drift::Calibration::alpha),
        threshold: calibration.and_then(sdd_drift::Calibration::threshold),
        results,
    };
    Answer::new(answered.status(), &answered)
}

fn ask_image(
    arguments: &Arguments,
    path: &Path,
    classifier: &mut Classifier,
    reference: &Reference,
) -> Result<Found> {
    let bytes = file::read(path, arguments.model.inference.limits().max_bytes)?;
    let prediction = classifier.classify(&bytes)?;
    let class = prediction.class(classifier.spec()).to_owned();
    let query = Query::new(&prediction.embedding).of_class(&class);
    let assessment = reference.assess(&query, arguments.neighbors)?;
    let Prediction { confidence, warning, .. } = prediction;
    Ok(Found { class: Some(class), confidence: Some(confidence), assessment, warning })
}

fn ask_rows(arguments: &Arguments, matrix: &Path, reference: &Reference) -> Result<Vec<Queried>> {
    let class = &arguments.predicted;
    let rows = npy::read(matrix)?;
    let queries = rows.rows().into_iter().map(|embedding| {
        let embedding = embedding.to_slice().unwrap_or_default();
        Query { predicted_class: class.as_deref(), ..Query::new(embedding) }
    });
    let queries: Vec<Query<'_>> = queries.collect();
    let assessed = queries
        .chunks(ROWS_AT_A_TIME)
        .flat_map(|queries| reference.assess_each(queries, arguments.neighbors));
    let queried = assessed.enumerate().map(|(row, assessed)| {
        let found = assessed.map(|assessment| Found {
            class: class.clone(),
            confidence: None,
            assessment,
            warning: None,
        });
        Queried::new(Subject::Row(row), found.map_err(anyhow::Error::from))
    });
    Ok(queried.collect())
}

/// What is known of one image or row.
struct Found {
    class: Option<String>,
    confidence: Option<f32>,
    assessment: Assessment,
    warning: Option<ImageWarning>,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Subject {
    Image(String),
    Row(usize),
}

#[derive(Serialize)]
struct Queried {
    #[serde(flatten)]
    subject: Subject,
    class: Option<String>,
    confidence: Option<f32>,
    score: Option<f64>,
    p_value: Option<f64>,
    threshold: Option<f64>,
    out_of_distribution: Option<bool>,
    unavailable: Option<Unavailable>,
    neighbors: Vec<NearestImage>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<ImageWarning>,
    error: Option<Failure>,
}

impl Queried {
    fn new(subject: Subject, found: Result<Found>) -> Self {
        match found {
            Ok(Found { class, confidence, assessment, warning }) => Self {
                subject,
                class,
                confidence,
                score: Some(assessment.score),
                p_value: assessment.p_value,
                threshold: assessment.threshold,
                out_of_distribution: assessment.out_of_distribution,
                unavailable: assessment.unavailable,
                neighbors: assessment.neighbors,
                warnings: warning.into_iter().collect(),
                error: None,
            },
            Err(error) => Self {
                subject,
                class: None,
                confidence: None,
                score: None,
                p_value: None,
                threshold: None,
                out_of_distribution: None,
                unavailable: None,
                neighbors: Vec::new(),
                warnings: Vec::new(),
                error: Some(Failure::from(&error)),
            },
        }
    }
}

#[derive(Serialize)]
struct Answered {
    store: String,
    score: ScoreInfo,
    alpha: Option<f64>,
    threshold: Option<f64>,
    results: Vec<Queried>,
}

impl Answered {
    fn status(&self) -> ExitStatus {
        if self.results.iter().any(|result| result.error.is_some()) {
            ExitStatus::Error
        } else if self.results.iter().any(|result| result.out_of_distribution == Some(true)) {
            ExitStatus::Drift
        } else {
            ExitStatus::Success
        }
    }
}

impl fmt::Display for Answered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for result in &self.results {
            match &result.subject {
                Subject::Image(image) => writeln!(f, "{image}")?,
                Subject::Row(row) => writeln!(f, "row {row}")?,
            }
            self.fmt_result(result, f)?;
        }
        Ok(())
    }
}

impl Answered {
    fn fmt_result(&self, result: &Queried, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Failure { message, .. }) = &result.error {
            return line(f, "error", message);
        }
        match (&result.class, result.confidence) {
            (Some(class), Some(confidence)) => {
                line(f, "class", format_args!("{class} ({:.1} %)", 100.0 * confidence))?;
            }
            (Some(class), None) => line(f, "class", class)?,
            (None, _) => {}
        }
        if let Some(score) = result.score {
            line(f, "score", format_args!("{score:.6}, {}", self.score))?;
        }
        match (result.out_of_distribution, result.p_value, result.threshold, self.alpha) {
            (Some(is_out), Some(p_value), Some(threshold), Some(alpha)) => {
                let (verdict, sign) =
                    if is_out { ("OUT of distribution", "≤") } else { ("in distribution", ">") };
                line(f, "p-value", format_args!("{p_value:.4}"))?;
                line(
                    f,
                    "verdict",
                    format_args!("{verdict}: p {sign} {alpha}; threshold {threshold:.6}"),
                )?;
            }
            _ => {
                if let Some(unavailable) = &result.unavailable {
                    line(f, "verdict", format_args!("none: {unavailable}"))?;
                }
            }
        }
        for (rank, neighbor) in result.neighbors.iter().enumerate() {
            let name = if rank == 0 { "nearest" } else { "" };
            let label = neighbor.label.as_deref().unwrap_or("-");
            line(f, name, format_args!("{:.6}  {label}  {}", neighbor.distance, neighbor.id))?;
        }
        for warning in &result.warnings {
            line(f, "warning", warning)?;
        }
        Ok(())
    }
}

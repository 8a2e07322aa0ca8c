//! What is said of each image: score, p-value, verdict, and the most similar reference images.

use std::fmt;

use anyhow::Result;
use sdd_core::ImageWarning;
use sdd_drift::{Assessment, Calibration, NearestImage, Reference, Score, Unavailable};
use serde::Serialize;

use crate::answer::{Failure, line};
use crate::images::embedded::{Embedded, EmbeddedImage};

/// The images, one by one.
#[derive(Serialize)]
pub struct Each {
    score: Score,
    /// At which level each is judged; `None` without a calibration.
    image_alpha: Option<f64>,
    threshold: Option<f64>,
    results: Vec<Judged>,
}

impl Each {
    /// Fails where no image has an answer.
    pub fn of(embedded: &Embedded, reference: &Reference, neighbors: usize) -> Result<Self> {
        let mut assessed = embedded.assess(reference, neighbors);
        if !assessed.is_empty() && assessed.iter().all(Result::is_err) {
            assessed.swap_remove(0)?;
        }
        let calibration = reference.calibration();
        let judged =
            |(row, (image, assessed))| Judged::new(embedded.of_matrix, row, image, assessed);
        Ok(Self {
            score: reference.score(),
            image_alpha: calibration.map(Calibration::alpha),
            threshold: calibration.and_then(Calibration::threshold),
            results: embedded.images.iter().zip(assessed).enumerate().map(judged).collect(),
        })
    }

    /// Whether the one image is out of distribution, where there is one and that can be said.
    pub fn verdict_on_one(&self) -> Option<bool> {
        match self.results.as_slice() {
            [only] => only.out_of_distribution,
            _ => None,
        }
    }

    /// Whether some image has no answer.
    pub fn is_incomplete(&self) -> bool {
        self.results.iter().any(|result| result.error.is_some())
    }
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Subject {
    Image(String),
    Row(usize),
}

#[derive(Serialize)]
struct Judged {
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

impl Judged {
    fn new(
        of_matrix: bool,
        row: usize,
        image: &EmbeddedImage,
        assessed: sdd_drift::Result<Assessment>,
    ) -> Self {
        let EmbeddedImage { known, file, .. } = image;
        let subject = if of_matrix { Subject::Row(row) } else { Subject::Image(known.id.clone()) };
        let (found, error) = match assessed {
            Ok(found) => (Some(found), None),
            Err(error) => (None, Some(Failure::from(&error))),
        };
        let of = found.as_ref();
        Self {
            subject,
            class: known.predicted_class.clone(),
            confidence: file.as_ref().map(|file| file.confidence),
            score: of.map(|found| found.score),
            p_value: of.and_then(|found| found.p_value),
            threshold: of.and_then(|found| found.threshold),
            out_of_distribution: of.and_then(|found| found.out_of_distribution),
            unavailable: of.and_then(|found| found.unavailable.clone()),
            warnings: file.iter().filter_map(|file| file.warning).collect(),
            neighbors: found.map(|found| found.neighbors).unwrap_or_default(),
            error,
        }
    }
}

impl fmt::Display for Each {
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

impl Each {
    fn fmt_result(&self, result: &Judged, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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
        match (result.out_of_distribution, result.p_value, result.threshold, self.image_alpha) {
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

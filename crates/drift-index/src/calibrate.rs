//! `drift-index calibrate`: another calibration for the same reference.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Result, ensure};
use clap::Args;
use clap::builder::PossibleValuesParser;
use sdd_drift::calibration::{CalibrationSource, DEFAULT_ALPHA};
use sdd_drift::{
    DEFAULT_DELTA, PValueKind, PValueWithin, Reference, Score, ScoreMethod, VerdictRule,
};
use sdd_index::{FileStore, ReferenceStore};

use crate::answer::Answer;
use crate::build::arguments::{open_unit_interval, score_parser, within_parser};
use crate::build::from_images::take;
use crate::calibration::{calibrate, warn_of_classes};
use crate::held_out::{HeldOut, HeldOutImage, Predicted};
use crate::images::classified::classify;
use crate::images::folder::{ensure_images, scan};
use crate::interrupt::Interrupt;
use crate::model::ModelArguments;
use crate::remarks::{Part, Remarks};
use crate::revision::{Base, ChangeArguments, JSON_HELP, Revision, change};
use crate::sides::Sides;
use crate::{npy, text_file};

/// Give a store another calibration
///
/// Held-out images are scored against the reference as it is: those of --calibration or --embeddings, or, without
/// either, those that the store keeps, for another score or another rule. What is not asked for stays as it is.
/// Held-out images must be like production as it is now, and in neither the reference nor the training: an image
/// that is in the reference, or there twice, is left out. The index is not copied.
#[derive(Debug, Args)]
#[command(after_long_help = format!("JSON (--json): {JSON_HELP}\n
Examples:
  drift-index calibrate reference --alpha 0.01
  drift-index calibrate reference --calibration held-out/ --model model.onnx --note 'new lamps'"))]
pub struct Arguments {
    /// The store
    store: PathBuf,

    /// Folder of held-out images that are known to be fine
    #[arg(long = "calibration", value_name = "DIR", conflicts_with = "embeddings")]
    folder: Option<PathBuf>,

    /// Held-out embeddings instead: M x D, as numpy.save writes them
    #[arg(long, value_name = "FILE.npy")]
    embeddings: Option<PathBuf>,

    /// The classes that the model predicts for them, one a line
    #[arg(long, value_name = "FILE", requires = "embeddings")]
    predicted_classes: Option<PathBuf>,

    /// Keep the held-out images that the store has beside these
    #[arg(long)]
    extend: bool,

    #[command(flatten)]
    model: ModelArguments,

    #[command(flatten)]
    rule: RuleArguments,

    #[command(flatten)]
    change: ChangeArguments,
}

/// What is asked of the scores; what is not given stays as it is.
#[derive(Debug, Args)]
#[command(next_help_heading = "Score and rule [default: as they are]")]
struct RuleArguments {
    /// How an image is compared with the reference
    #[arg(long, value_parser = score_parser())]
    score: Option<ScoreMethod>,

    /// Which nearest neighbor's distance is the score
    #[arg(short = 'k', long, value_name = "N")]
    k: Option<NonZeroUsize>,

    /// Tolerated share of false alarms
    #[arg(long, value_name = "SHARE", value_parser = open_unit_interval)]
    alpha: Option<f64>,

    /// What the false alarms are promised, as of `build`
    #[arg(long, value_name = "KIND", value_parser = PossibleValuesParser::new(PValueKind::NAMES))]
    p_value: Option<String>,

    /// The probability that the promise of simes fails
    #[arg(long, value_name = "PROBABILITY", value_parser = open_unit_interval)]
    delta: Option<f64>,

    /// The calibration images that an image is compared with: all, or those of its predicted class
    #[arg(long, value_name = "IMAGES", value_parser = within_parser())]
    p_value_within: Option<PValueWithin>,
}

impl RuleArguments {
    fn score(&self, before: Score) -> sdd_drift::Result<Score> {
        let k = self.k.map(NonZeroUsize::get).or(before.k()).unwrap_or(Score::DEFAULT_K);
        Score::new(self.score.unwrap_or(before.method()), k)
    }

    fn rule(&self, before: Option<&VerdictRule>) -> sdd_drift::Result<VerdictRule> {
        let before = before.copied().unwrap_or_else(|| VerdictRule::marginal(DEFAULT_ALPHA));
        let delta_before = match before.p_value {
            PValueKind::Simes { delta } => delta,
            PValueKind::Marginal => DEFAULT_DELTA,
        };
        let delta = self.delta.unwrap_or(delta_before);
        let p_value = match &self.p_value {
            Some(name) => PValueKind::from_name(name, delta)?,
            None => PValueKind::from_name(before.p_value.name(), delta)?,
        };
        let alpha = self.alpha.unwrap_or(before.alpha);
        let within = self.p_value_within.unwrap_or(before.within);
        Ok(VerdictRule { alpha, p_value, within })
    }
}

pub fn run(arguments: &Arguments) -> Result<Answer> {
    let dir = &arguments.store;
    let interrupt = Interrupt::listen()?;
    let base = Base::open(dir)?;
    let score = arguments.rule.score(base.score)?.at_most(base.store.len());
    let rule = arguments.rule.rule(base.calibration.as_ref().map(sdd_drift::Calibration::rule))?;
    let mut remarks = Remarks::default();
    let given = given(arguments, &base, &mut remarks, &interrupt)?;
    let kept = base.held_out();
    let mut sides = Sides::of_store(&base.store);
    let held_out = match (given, kept) {
        (Some(given), Some(kept)) if arguments.extend => {
            let kept = sides.hold_out(kept, &mut remarks);
            kept.followed_by(sides.hold_out(given, &mut remarks))?
        }
        (Some(given), _) => sides.hold_out(given, &mut remarks),
        (None, Some(kept)) => sides.hold_out(kept, &mut remarks),
        (None, None) => anyhow::bail!(
            "{} keeps no held-out images: name some with --calibration or --embeddings",
            dir.display()
        ),
    };
    let change = change("calibrate", &base.store);
    let store = Arc::new(FileStore::open_generation(dir, base.store.manifest().generation)?);
    let calibrated = calibrate(&store, score, held_out, rule, &mut remarks, &interrupt)?;
    warn_of_classes(&calibrated.calibration);
    let revision = Revision { change, store, score, calibrated: Some(calibrated), remarks };
    revision.finish(dir, &base, &arguments.change, &interrupt)
}

/// The held-out images that were named, if any were.
fn given(
    arguments: &Arguments,
    base: &Base,
    remarks: &mut Remarks,
    interrupt: &Interrupt,
) -> Result<Option<HeldOut>> {
    match (&arguments.folder, &arguments.embeddings) {
        (Some(folder), _) => of_images(folder, arguments, remarks, interrupt).map(Some),
        (None, Some(matrix)) => of_matrix(matrix, arguments, base).map(Some),
        (None, None) => {
            ensure!(!arguments.extend, "--extend takes --calibration or --embeddings");
            Ok(None)
        }
    }
}

fn of_images(
    folder: &Path,
    arguments: &Arguments,
    remarks: &mut Remarks,
    interrupt: &Interrupt,
) -> Result<HeldOut> {
    let images = take(scan(folder)?, Part::Calibration, remarks);
    ensure_images(&images, folder)?;
    let reference = Reference::open(&arguments.store)?;
    let model = &arguments.model;
    let classified = classify(&images, Part::Calibration, model, &reference, remarks, interrupt)?;
    let embeddings = classified.embeddings()?;
    let spec = classified.spec;
    let image = |(file, prediction): (crate::images::folder::ImageFile, _)| HeldOutImage {
        id: file.id,
        label: file.label,
        predicted: Predicted::Fully { prediction: Box::new(prediction), spec: Arc::clone(&spec) },
        group: None,
    };
    Ok(HeldOut {
        embeddings,
        images: classified.images.into_iter().map(image).collect(),
        classes: spec.labels.clone(),
        source: CalibrationSource::Directory,
        groups: None,
    })
}

fn of_matrix(matrix: &Path, arguments: &Arguments, base: &Base) -> Result<HeldOut> {
    let embeddings = npy::read(matrix)?;
    let (rows, columns) = embeddings.dim();
    let dimension = base.store.dimension();
    ensure!(
        columns == dimension,
        "{} has {columns} columns, and the reference has {dimension}",
        matrix.display()
    );
    let classes = match &arguments.predicted_classes {
        Some(file) => text_file::read(file, rows, matrix)?,
        None => vec![None; rows],
    };
    let images = classes.into_iter().enumerate().map(|(row, class)| HeldOutImage {
        id: row.to_string(),
        label: None,
        predicted: Predicted::Class(class),
        group: None,
    });
    Ok(HeldOut {
        embeddings,
        images: images.collect(),
        classes: Vec::new(),
        source: CalibrationSource::Embeddings,
        groups: None,
    })
}
